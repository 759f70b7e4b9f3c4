import {
  columnEngine,
  type Context,
  type Engine,
  freshContext,
  indexedEngine,
  type OutcomeBatch,
  type PacketBatch,
  type Work,
} from "../../src/index.js";
import type { SubjectName } from "../arguments.js";
import { modeOf } from "../plan.js";
import { StringMapRival } from "../rivals/string-map.js";
import { type BenchCluster, makeCluster, makeNftablesCluster } from "../workload/cluster.js";

/** Classifies a batch into `out`, its work counters included. */
export type Classify = (batch: PacketBatch, out: OutcomeBatch) => void;

/** One rule set with what is measured on it. */
export interface Subject {
  readonly name: SubjectName;
  readonly cluster: BenchCluster;
  /** Names draws and packets. */
  readonly seed: number;
  readonly endpoints: number;
  readonly classify: Classify;
  /** Absent for the rival, which is no engine. */
  readonly engine?: Engine;
}

export function makeSubject(name: SubjectName, services: number, endpoints: number, seed: number): Subject {
  const make = modeOf(name) === "nftables" ? makeNftablesCluster : makeCluster;
  const cluster = make(services, endpoints, seed);
  if (name === "string-map") {
    const rival = new StringMapRival(cluster, seed);
    return { name, cluster, seed, endpoints, classify: (batch, out) => rival.classifyBatch(batch, out) };
  }
  const { resolved, node } = cluster;
  const engine = name === "indexed" ? indexedEngine(resolved, { node }) : columnEngine(resolved, { node });
  const context: Context = freshContext({ node, seed });
  return {
    name,
    cluster,
    seed,
    endpoints,
    engine,
    classify: (batch, out) => engine.classifyBatch(batch, context, out),
  };
}

/** The mean work of packets, from the sums of their batches. */
export function meanWork(sums: readonly Work[], packets: number): Work {
  const mean = (counter: keyof Work) => sums.reduce((sum, work) => sum + work[counter], 0) / packets;
  return {
    rulesVisited: mean("rulesVisited"),
    chainsEntered: mean("chainsEntered"),
    draws: mean("draws"),
    mapLookups: mean("mapLookups"),
  };
}
