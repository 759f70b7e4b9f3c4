import { BatchResults, Datapath, type Exact, OutcomeBatch } from "../../src/index.js";
import type { ProcessPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import { CHECKSUM_START, foldResults, sumResults } from "../workload/checksum.js";
import { openFlows, type Replies } from "../workload/flows.js";
import { lengthsOf } from "../workload/lengths.js";
import { drawOrder, type MixedPackets, mixPackets } from "../workload/mixed.js";
import { drawPool, type PacketPool } from "../workload/pool.js";
import { measureCases, type Prepared } from "./cases.js";
import { makeSubject, meanWork, type Subject } from "./subject.js";

type MixPlan = Extract<ProcessPlan, { kind: "mix" }>;

/** Connections live at any time. */
const LIVE = 4096;
const BATCH = 1024;
const PACKETS = 65_536;
/** Milliseconds: all packets come at one time, so that no connection is over before its last packet. */
const NOW = 1_000_000;

/** Whole connections through the data path, one engine, by mean length. */
export async function measureMix(plan: MixPlan): Promise<ProcessResult> {
  const subject = makeSubject(plan.engine, plan.services, plan.endpoints, plan.seed);
  const prepared = plan.means.map((mean) => prepareMix(subject, plan, mean));
  return measureCases(prepared, plan.milliseconds);
}

function prepareMix(subject: Subject, plan: MixPlan, mean: number): Prepared {
  const { cluster, engine, seed } = subject;
  if (engine === undefined) throw new Error(`${subject.name} has no data path`);
  const order = drawOrder(lengthsOf(plan.lengths, mean), LIVE, PACKETS, seed);
  const flows = Math.ceil((LIVE + order.firsts) / BATCH) * BATCH;
  const first = drawPool(cluster.services, "zipf", seed, flows, BATCH, false);
  const mixed = mixPackets(order, first, repliesTo(first, subject), LIVE, BATCH);
  const datapath = new Datapath(engine, cluster.node, {
    mode: plan.mode,
    seed,
    initialEntries: flows,
    maxEntries: flows,
  });
  const results = new BatchResults("ip", BATCH);
  const open = () => openLive(datapath, first, results);
  const exact = passOnce(datapath, mixed, results, open);
  const { batches } = mixed.pool;
  let next = batches.length;
  const prepare = (): void => {
    if (next < batches.length) return;
    next = 0;
    open();
  };
  const run = (): number => {
    datapath.processBatch(batches[next++]!, NOW, results);
    return sumResults(results, BATCH);
  };
  return {
    factors: {
      engine: subject.name,
      packet: plan.mode === "chains" ? "mixed-chains" : "mixed-fast-path",
      destination: "zipf",
      services: plan.services,
      endpoints: plan.endpoints,
      flows: LIVE,
      lengths: plan.lengths,
      packetsPerConnection: mean,
    },
    per: "packet",
    task: { name: `mix of ${mean}`, operations: BATCH, run, prepare },
    exact,
  };
}

/** Forgets all connections and opens those that are live at the beginning. */
function openLive(datapath: Datapath, first: PacketPool, results: BatchResults): void {
  datapath.table("ip").clear();
  const batches = first.batches.slice(0, LIVE / BATCH);
  openFlows({ batches, packets: LIVE }, (batch, out) => datapath.processBatch(batch, NOW, out), results);
}

/** The answers' tuples: no source is translated here, so they are the picked endpoint's. */
function repliesTo(first: PacketPool, { classify }: Subject): Replies {
  const replies = {
    src: new Uint32Array(first.packets),
    dst: new Uint32Array(first.packets),
    sport: new Uint16Array(first.packets),
    dport: new Uint16Array(first.packets),
  };
  const out = new OutcomeBatch("ip", BATCH);
  first.batches.forEach((batch, b) => {
    classify(batch, out);
    replies.src.set(out.dst.subarray(0, BATCH), b * BATCH);
    replies.sport.set(out.dport.subarray(0, BATCH), b * BATCH);
    replies.dst.set(batch.src.subarray(0, BATCH), b * BATCH);
    replies.dport.set(batch.sport.subarray(0, BATCH), b * BATCH);
  });
  return replies;
}

/** Goes through the mix once, for what is exact. Throws where a packet does not find its connection. */
function passOnce(datapath: Datapath, { pool, firsts }: MixedPackets, results: BatchResults, open: () => void): Exact {
  open();
  let checksum = CHECKSUM_START;
  let opened = 0;
  const work = pool.batches.map((batch) => {
    datapath.processBatch(batch, NOW, results);
    checksum = foldResults(checksum, results, batch.count);
    opened += results.opened;
    if (results.opened + results.known !== batch.count)
      throw new Error(`${results.known} of ${batch.count - results.opened} packets found their connection`);
    return { ...results.work };
  });
  if (opened !== firsts) throw new Error(`${opened} connections were opened instead of ${firsts}`);
  return { ...meanWork(work, pool.packets), firstPackets: firsts / pool.packets, checksum };
}
