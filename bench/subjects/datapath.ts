import {
  BatchResults,
  columnEngine,
  Datapath,
  type Engine,
  indexedEngine,
  OutcomeBatch,
  type PacketKind,
} from "../../src/index.js";
import { type BatchTask, measureInterleaved, readSink } from "../measure.js";
import type { ProcessPlan } from "../plan.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import { StringMapConnections, StringMapRival } from "../rivals/string-map.js";
import { CHECKSUM_START, foldResults, sumOutcomes, sumResults } from "../workload/checksum.js";
import { type BenchCluster, makeCluster } from "../workload/cluster.js";
import { drawEstablished, type LiveFlows, openFlows } from "../workload/flows.js";
import { drawPool, type PacketPool } from "../workload/pool.js";

type DatapathPlan = Extract<ProcessPlan, { kind: "datapath" }>;

export const FLOW_BATCH = 4096;
const ESTABLISHED_PACKETS = 262_144;
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
  const established = drawEstablished(live, seed, ESTABLISHED_PACKETS, FLOW_BATCH);
  return { datapath, established, first: split(all, rounded / FLOW_BATCH, all.batches.length) };
}

/** Packets that pass conntrack. */
export async function measureDatapath(plan: DatapathPlan): Promise<ProcessResult> {
  const cluster = makeCluster(plan.services, plan.endpoints, plan.seed);
  const prepared = plan.engine === "string-map" ? [prepareRival(cluster, plan)] : prepareTasks(cluster, plan);
  const measured = await measureInterleaved(
    prepared.map(({ task }) => task),
    plan.milliseconds,
  );
  const cases = prepared.map(({ task, packet, work, checksum }, i): CaseResult => ({
    engine: plan.engine,
    harness: "tinybench",
    packet,
    destination: "uniform",
    services: plan.services,
    endpoints: plan.endpoints,
    ruleSets: 1,
    flows: plan.flows,
    packetsPerSample: task.packets,
    work,
    leastRulesVisited: null,
    checksum,
    samples: measured[i]!.samples,
    collections: measured[i]!.collections,
  }));
  return { cases, picks: [], sink: readSink() };
}

interface Prepared extends Pick<CaseResult, "work" | "checksum"> {
  readonly packet: PacketKind;
  readonly task: BatchTask;
}

function prepareTasks(cluster: BenchCluster, plan: DatapathPlan): Prepared[] {
  const { resolved, node } = cluster;
  const engine = plan.engine === "linear" ? columnEngine(resolved, { node }) : indexedEngine(resolved, { node });
  const tasks: Prepared[] = [];
  const modes = new Set(plan.packets.map((packet) => (packet === "established-chains" ? "chains" : "fast-path")));
  for (const mode of modes) {
    const traffic = openTraffic(cluster, engine, mode, plan.flows, plan.seed);
    for (const packet of plan.packets) {
      if (packet === "first-datapath" && mode === "fast-path") tasks.push(prepareFirst(traffic));
      else if (packet === `established-${mode}`) tasks.push(prepareEstablished(traffic, packet));
    }
  }
  return tasks;
}

function prepareEstablished({ datapath, established }: Traffic, packet: PacketKind): Prepared {
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
  return { packet, task: { name: packet, packets: FLOW_BATCH, run }, ...exact };
}

function prepareFirst({ datapath, first }: Traffic): Prepared {
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
  const task = { name: "first", packets: FLOW_BATCH, run, prepare, limit: FIRST_TIMED };
  return { packet: "first-datapath", task, ...exact };
}

/** Goes through a pool once, for what is exact. */
function passOnce(
  datapath: Datapath,
  pool: PacketPool,
  resultsOf: (batch: number) => BatchResults,
): Pick<CaseResult, "work" | "checksum"> {
  const work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };
  let checksum = CHECKSUM_START;
  pool.batches.forEach((batch, b) => {
    const results = resultsOf(b);
    datapath.processBatch(batch, MEASURED, results);
    checksum = foldResults(checksum, results, batch.count);
    for (const counter of Object.keys(work) as (keyof typeof work)[]) work[counter] += results.work[counter];
  });
  for (const counter of Object.keys(work) as (keyof typeof work)[]) work[counter] /= pool.packets;
  return { work, checksum };
}

function prepareRival(cluster: BenchCluster, plan: DatapathPlan): Prepared {
  const rival = new StringMapRival(cluster, plan.seed);
  const connections = new StringMapConnections();
  const out = new OutcomeBatch("ip", FLOW_BATCH);
  const results = newResults();
  const packets = Math.ceil(plan.flows / FLOW_BATCH) * FLOW_BATCH;
  const opening = drawPool(cluster.services, "uniform", plan.seed, packets, FLOW_BATCH, false);
  const live: LiveFlows = openFlows(
    opening,
    (batch, into) => connections.open(batch, out, into, (b, o) => rival.classifyBatch(b, o)),
    results,
  );
  const { batches } = drawEstablished(live, plan.seed, ESTABLISHED_PACKETS, FLOW_BATCH);
  let next = 0;
  const run = (): number => {
    const batch = batches[next]!;
    next = next + 1 === batches.length ? 0 : next + 1;
    connections.translateBatch(batch, out);
    return sumOutcomes(out, batch.count);
  };
  const task = { name: "string map", packets: FLOW_BATCH, run };
  return { packet: "established-fast-path", task, work: null, checksum: null };
}

function newResults(): BatchResults {
  return new BatchResults("ip", FLOW_BATCH);
}

function split(pool: PacketPool, from: number, to: number): PacketPool {
  return { batches: pool.batches.slice(from, to), packets: (to - from) * FLOW_BATCH };
}
