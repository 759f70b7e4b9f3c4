/** Connections of many packets to one service: picks that are even, and packets that need not look so. */
import seedrandom from "seedrandom";
import { Datapath } from "../../datapath/datapath.js";
import { chiSquareTest, clusteredTest, type FitTest } from "../../stats/goodness-of-fit.js";
import { type PlaceTraffic, sendConnections } from "../../traffic/connections.js";
import type { Sizes } from "../../traffic/sizes.js";
import { blaming } from "../failure.js";
import type { Io } from "../io.js";
import { type Walking, warnOfMissingAddresses } from "../options/walk.js";
import { type Cell, cellName, countCells, expectedCells, probabilitiesOf } from "./cells.js";
import { LEAST_EXPECTED } from "./judge.js";
import type { Target } from "./targets.js";

export interface TrafficOptions {
  readonly connections: number;
  readonly clients: number;
  readonly sizes: Sizes;
  readonly seed: number;
}

export interface TrafficCell extends Cell {
  readonly picks: number;
  readonly connections: number;
  readonly packets: number;
}

export interface TrafficCheck {
  readonly cells: readonly TrafficCell[];
  readonly picks: number;
  readonly packets: number;
  /** Decisions against the probabilities of the rules: what is to be judged. */
  readonly picksTest: FitTest;
  /** Packets as if each went its own way, which they do not. */
  readonly packetsTest: FitTest;
  readonly designEffect: number;
  /** Packets, with the design effect taken out. */
  readonly correctedTest: FitTest;
}

export function checkTraffic(walking: Walking, target: Target, options: TrafficOptions, io: Io): TrafficCheck {
  const { packet, port } = target;
  const { source } = walking.rules;
  const { cells, given } = blaming(source, () => expectedCells(walking, packet));
  warnOfMissingAddresses(given, io);
  const { engine, context } = walking;
  const datapath = new Datapath(engine, context.node, {
    mode: "fast-path",
    seed: options.seed,
    maxEntries: options.connections + 1,
    ...(context.assume === undefined ? {} : { assume: context.assume }),
  });
  const random = seedrandom.alea(`${options.seed} ${target.service} traffic`).double;
  const affinity = port.choice.affinitySeconds > 0;
  const result = blaming(source, () => sendConnections(datapath, packet, { ...options, random, affinity }));
  const places = new Map<string, PlaceTraffic>(result.places.map((place) => [cellName(place, packet.protocol), place]));
  const count = (of: "picks" | "connections" | "packets"): number[] =>
    countCells(cells, new Map([...places].map(([to, place]) => [to, place[of]])));
  const [picks, connections, packets] = [count("picks"), count("connections"), count("packets")];
  const probabilities = probabilitiesOf(cells);
  const pooled = { minimumExpected: LEAST_EXPECTED };
  return {
    cells: cells.map((cell, i) => ({ ...cell, picks: picks[i]!, connections: connections[i]!, packets: packets[i]! })),
    picks: result.picks,
    packets: result.packets,
    picksTest: chiSquareTest(picks, probabilities, pooled),
    packetsTest: chiSquareTest(packets, probabilities, pooled),
    designEffect: result.designEffect,
    correctedTest: clusteredTest(packets, probabilities, result.designEffect, pooled),
  };
}
