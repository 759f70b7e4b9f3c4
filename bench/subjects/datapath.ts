import { BatchResults, Datapath, type Engine, type Exact, OutcomeBatch, type PacketKind } from "../../src/index.js";
import { StringMapConnections } from "../rivals/string-map.js";
import { CHECKSUM_START, foldResults, sumOutcomes, sumResults } from "../workload/checksum.js";
import type { BenchCluster } from "../workload/cluster.js";
import { drawEstablished, openFlows } from "../workload/flows.js";
import { drawPool, type PacketPool } from "../workload/pool.js";
import type { Prepared } from "./cases.js";
import { meanWork, type Subject } from "./subject.js";

export const FLOW_BATCH = 4096;
/** Packets of established connections in a pool: at most this many, and two for each connection. */
const MOST_ESTABLISHED = 262_144;
/** Batches of first packets; what one opened is taken out before it comes round again, so the table holds at most these more. */
const FIRST_BATCHES = 12;
/** Batches of first packets timed in a process: each comes round six times. */
export const FIRST_TIMED = 6 * FIRST_BATCHES;
/** Milliseconds: when connections were opened, and when the measured packets come. */
const OPENED = 1_000_000;
export const MEASURED = 1_000_500;

/** A data path with live connections, and packets for it. */
export interface Traffic {
  readonly datapath: Datapath;
  readonly established: PacketPool;
  readonly first: PacketPool;
}

/** Opens `flows` connections (rounded up to whole batches) in a new data path. */
export function openTraffic(
  cluster: BenchCluster,
  engine: Engine,
  mode: "chains" | "fast-path",
  flows: number,
  seed: number,
): Traffic {
  const rounded = Math.ceil(flows / FLOW_BATCH) * FLOW_BATCH;
  const room = rounded + FIRST_BATCHES * FLOW_BATCH;
  const datapath = new Datapath(engine, cluster.node, { mode, seed, maxEntries: 2 * room, initialEntries: room });
  const all = drawPool(cluster.services, "uniform", seed, room, FLOW_BATCH, false);
  const opening = split(all, 0, rounded / FLOW_BATCH);
  const live = openFlows(opening, (batch, out) => datapath.processBatch(batch, OPENED, out), newResults());
  const established = drawEstablished(live, seed, Math.min(MOST_ESTABLISHED, 2 * rounded), FLOW_BATCH);
  return { datapath, established, first: split(all, rounded / FLOW_BATCH, all.batches.length) };
}

/** Packets that pass conntrack, of every kind asked for, through a data path with that many live connections. */
export function prepareConnections(subject: Subject, packets: readonly PacketKind[], flows: number): Prepared[] {
  if (packets.length === 0) return [];
  const { engine, cluster, seed } = subject;
  if (engine === undefined) return [prepareRival(subject, flows)];
  const prepared: Prepared[] = [];
  const modes = new Set(packets.map((packet) => (packet === "established-chains" ? "chains" : "fast-path")));
  for (const mode of modes) {
    const traffic = openTraffic(cluster, engine, mode, flows, seed);
    for (const packet of packets) {
      const factors = factorsOf(subject, packet, flows);
      if (packet === "first-datapath" && mode === "fast-path") prepared.push(prepareFirst(traffic, factors));
      else if (packet === `established-${mode}`) prepared.push(prepareEstablished(traffic, factors));
    }
  }
  return prepared;
}

function factorsOf({ name, cluster, endpoints }: Subject, packet: PacketKind, flows: number): Prepared["factors"] {
  const services = cluster.services.address.length;
  return { engine: name, packet, destination: "uniform", services, endpoints, ruleSets: 1, flows };
}

function prepareEstablished({ datapath, established }: Traffic, factors: Prepared["factors"]): Prepared {
  const results = newResults();
  const { batches } = established;
  const exact = passOnce(datapath, established, () => results);
  let next = 0;
  const run = (): number => {
    const batch = batches[next]!;
    next = next + 1 === batches.length ? 0 : next + 1;
    datapath.processBatch(batch, MEASURED, results);
    return sumResults(results, batch.count);
  };
  const tableBytes = datapath.table("ip").byteLength;
  const task = { name: "established", operations: FLOW_BATCH, run };
  return { factors, per: "packet", task, exact: { ...exact, tableBytes } };
}

/** Each batch opens its connections anew: those it opened the last time round are taken out first, untimed. */
function prepareFirst({ datapath, first }: Traffic, factors: Prepared["factors"]): Prepared {
  const results = first.batches.map(newResults);
  const exact = passOnce(datapath, first, (b) => results[b]!);
  const table = datapath.table("ip");
  let next = -1;
  const prepare = (): void => {
    next = next + 1 === first.batches.length ? 0 : next + 1;
    for (const ref of results[next]!.ref) table.remove(ref);
  };
  const run = (): number => {
    datapath.processBatch(first.batches[next]!, MEASURED, results[next]!);
    return sumResults(results[next]!, FLOW_BATCH);
  };
  const task = { name: "first", operations: FLOW_BATCH, run, prepare, limit: FIRST_TIMED };
  return { factors, per: "packet", task, exact };
}

/** Goes through a pool once, for what is exact. */
function passOnce(datapath: Datapath, pool: PacketPool, resultsOf: (batch: number) => BatchResults): Exact {
  let checksum = CHECKSUM_START;
  const work = pool.batches.map((batch, b) => {
    const results = resultsOf(b);
    datapath.processBatch(batch, MEASURED, results);
    checksum = foldResults(checksum, results, batch.count);
    return { ...results.work };
  });
  return { ...meanWork(work, pool.packets), checksum };
}

/** Established packets through a Map keyed by the tuple as text. */
function prepareRival(subject: Subject, flows: number): Prepared {
  const { cluster, classify, seed } = subject;
  const connections = new StringMapConnections();
  const out = new OutcomeBatch("ip", FLOW_BATCH);
  const packets = Math.ceil(flows / FLOW_BATCH) * FLOW_BATCH;
  const opening = drawPool(cluster.services, "uniform", seed, packets, FLOW_BATCH, false);
  const live = openFlows(opening, (batch, into) => connections.open(batch, out, into, classify), newResults());
  const { batches } = drawEstablished(live, seed, Math.min(MOST_ESTABLISHED, 2 * packets), FLOW_BATCH);
  let next = 0;
  const run = (): number => {
    const batch = batches[next]!;
    next = next + 1 === batches.length ? 0 : next + 1;
    connections.translateBatch(batch, out);
    return sumOutcomes(out, batch.count);
  };
  const task = { name: "string map", operations: FLOW_BATCH, run };
  return { factors: factorsOf(subject, "established-fast-path", flows), per: "packet", task, exact: {} };
}

function newResults(): BatchResults {
  return new BatchResults("ip", FLOW_BATCH);
}

function split(pool: PacketPool, from: number, to: number): PacketPool {
  return { batches: pool.batches.slice(from, to), packets: (to - from) * FLOW_BATCH };
}
