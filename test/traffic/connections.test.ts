import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { Node } from "../../src/packet/node.js";
import { Datapath } from "../../src/datapath/datapath.js";
import { linearEngine } from "../../src/engine/linear.js";
import type { ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { type ConnectionsResult, sendConnections } from "../../src/traffic/connections.js";
import { fixedSizes, geometricSizes, MOST_PACKETS, paretoSizes, type Sizes } from "../../src/traffic/sizes.js";
import { packet, rules } from "../engine/rules.js";

const endpoints = (affinity: boolean): string[] => {
  const names = ["e1", "e2", "e3"];
  const led = names.map((e) => `-A svc -m recent --rcheck --seconds 600 --name ${e} --rsource -j ${e}`);
  const drawn = ["0.33333333349", "0.50000000000", null].map(
    (p, i) => `-A svc${p === null ? "" : ` -m statistic --mode random --probability ${p}`} -j e${i + 1}`,
  );
  return [
    "-A PREROUTING -d 172.30.0.1/32 -p tcp -j svc",
    ...(affinity ? led : []),
    ...drawn,
    ...names.map(
      (e, i) =>
        `-A ${e}${affinity ? ` -m recent --set --name ${e} --rsource` : ""} -p tcp -j DNAT --to-destination 10.0.0.${i + 1}:80`,
    ),
  ];
};
const [PLAIN, AFFINE] = [rules({ nat: endpoints(false) }), rules({ nat: endpoints(true) })];

function send(
  resolved: ResolvedRuleSet,
  connections: number,
  clients: number,
  sizes: Sizes,
  affinity: boolean,
): ConnectionsResult {
  const node = new Node();
  const datapath = new Datapath(linearEngine(resolved), node, { mode: "fast-path", seed: 4 });
  const random = seedrandom.alea("connections").double;
  const first = packet("192.0.2.1:4000 172.30.0.1:80");
  return sendConnections(datapath, first, { connections, clients, sizes, random, affinity });
}

describe("connections", () => {
  it("every packet follows the first one: packets are connections times their size", () => {
    const { places, picks, packets, designEffect } = send(PLAIN, 900, 10, fixedSizes(7), false);
    expect(places).toHaveLength(3);
    for (const place of places) {
      expect(place.destination).toBeDefined();
      expect(place.packets).toBe(7 * place.connections);
      expect(place.picks).toBe(place.connections);
    }
    expect({ picks, packets }).toEqual({ picks: 900, packets: 6300 });
    expect(designEffect).toBeCloseTo(7, 12);
    expect(places.reduce((sum, place) => sum + place.connections, 0)).toBe(900);
  });

  it("with affinity a client is one pick, however many connections it has", () => {
    const { places, picks, packets } = send(AFFINE, 900, 10, fixedSizes(2), true);
    expect({ picks, packets }).toEqual({ picks: 10, packets: 1800 });
    expect(places.reduce((sum, place) => sum + place.picks, 0)).toBe(10);
  });

  it("sizes that scatter make the design effect larger than the mean size", () => {
    const { designEffect, packets } = send(PLAIN, 500, 10, geometricSizes(10), false);
    expect(packets / 500).toBeGreaterThan(8);
    expect(designEffect).toBeGreaterThan(15);
  });
});

describe("sizes", () => {
  const draws = (sizes: Sizes): number[] => {
    const random = seedrandom.alea(sizes.name).double;
    return Array.from({ length: 100_000 }, () => sizes.draw(random));
  };

  it("are whole numbers from 1 on, of the distribution they are named by", () => {
    const share = (values: readonly number[], least: number): number =>
      values.filter((value) => value >= least).length / values.length;
    const geometric = draws(geometricSizes(4));
    const pareto = draws(paretoSizes(1.5));
    for (const values of [geometric, pareto])
      expect(values.every((v) => Number.isInteger(v) && v >= 1 && v <= MOST_PACKETS)).toBe(true);
    // Five standard errors of a share of 100,000.
    for (const k of [2, 3, 8]) {
      expect(Math.abs(share(geometric, k) - 0.75 ** (k - 1))).toBeLessThan(5 * Math.sqrt(0.25 / 1e5));
      expect(Math.abs(share(pareto, k) - k ** -1.5)).toBeLessThan(5 * Math.sqrt(0.25 / 1e5));
    }
    expect(new Set(draws(fixedSizes(3)))).toEqual(new Set([3]));
    expect(new Set(draws(geometricSizes(1)))).toEqual(new Set([1]));
  });

  it("refuse what is no size", () => {
    for (const make of [() => fixedSizes(0), () => fixedSizes(1.5), () => geometricSizes(0.5), () => paretoSizes(0)])
      expect(make).toThrow(RangeError);
  });
});
