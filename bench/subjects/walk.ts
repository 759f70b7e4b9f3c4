import {
  columnEngine,
  type Context,
  type DestinationKind,
  freshContext,
  indexedEngine,
  OutcomeBatch,
  type PacketBatch,
  type Picks,
} from "../../src/index.js";
import type { EngineName } from "../arguments.js";
import { measureWithBenchmarkJs } from "../benchmark-js.js";
import { type BatchTask, measureInterleaved, readSink } from "../measure.js";
import type { ProcessPlan } from "../plan.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import { StringMapRival } from "../rivals/string-map.js";
import { CHECKSUM_START, foldOutcomes, sumOutcomes } from "../workload/checksum.js";
import { type BenchCluster, makeCluster, type ServiceColumns } from "../workload/cluster.js";
import { drawPool, type PacketPool } from "../workload/pool.js";

type WalkPlan = Extract<ProcessPlan, { kind: "walk" }>;
type AgainPlan = Extract<ProcessPlan, { kind: "benchmark.js" }>;

/** Classifies a batch into `out`, its work counters included. */
export type Classify = (batch: PacketBatch, out: OutcomeBatch) => void;

/**
 * Packets of a pool and of a batch. Where one walk takes microseconds the pool is small, or a single pass of it would last longer than
 * all the measuring; where it takes nanoseconds the pool is larger than the caches next to the core.
 */
export function poolSize(engine: EngineName): { packets: number; batchSize: number } {
  return engine === "linear" ? { packets: 4096, batchSize: 1024 } : { packets: 65_536, batchSize: 8192 };
}

/** What is measured under an engine's name. Draws are named by the seed. */
export function makeClassifier(engine: EngineName, cluster: BenchCluster, seed: number): Classify {
  if (engine === "string-map") {
    const rival = new StringMapRival(cluster, seed);
    return (batch, out) => rival.classifyBatch(batch, out);
  }
  const { resolved, node } = cluster;
  const walker = engine === "linear" ? columnEngine(resolved, { node }) : indexedEngine(resolved, { node });
  const context: Context = freshContext({ node, seed });
  return (batch, out) => walker.classifyBatch(batch, context, out);
}

/** First packets by destination, with one or several rule sets in use. */
export async function measureWalks(plan: WalkPlan): Promise<ProcessResult> {
  const { engine, services, ruleSets, destinations, milliseconds } = plan;
  const subjects = Array.from({ length: ruleSets }, (_, i) => makeSubject(plan, plan.seed + i));
  const prepared = destinations.map((destination) => prepare(subjects, engine, destination));
  const measured = await measureInterleaved(
    prepared.map(({ task }) => task),
    milliseconds,
  );
  const cases = prepared.map((one, i): CaseResult => ({
    ...describe(one, plan, ruleSets),
    harness: "tinybench",
    samples: measured[i]!.samples,
    collections: measured[i]!.collections,
  }));
  const uniform = prepared.find(({ destination }) => destination === "uniform");
  const picks: Picks[] =
    ruleSets > 1 || uniform === undefined
      ? []
      : [{ engine, services, observed: uniform.pass.picks, expected: [...subjects[0]!.cluster.pickProbabilities] }];
  return { cases, picks, sink: readSink() };
}

/** The headline variant by Benchmark.js. */
export async function measureAgain(plan: AgainPlan): Promise<ProcessResult> {
  const prepared = prepare([makeSubject(plan, plan.seed)], plan.engine, "uniform");
  const samples = await measureWithBenchmarkJs(prepared.task, plan.milliseconds);
  const one = { ...describe(prepared, plan, 1), harness: "benchmark.js", samples, collections: 0 } as const;
  return { cases: [one], picks: [], sink: readSink() };
}

function describe({ task, pass, destination }: Prepared, plan: WalkPlan | AgainPlan, ruleSets: number) {
  const { engine, services, endpoints } = plan;
  const counts = engine !== "string-map";
  return {
    engine,
    packet: "first",
    destination,
    services,
    endpoints,
    ruleSets,
    flows: 0,
    packetsPerSample: task.packets,
    work: counts ? pass.work : null,
    leastRulesVisited: counts ? pass.leastRulesVisited : null,
    checksum: pass.checksum,
  } as const;
}

interface Subject {
  readonly cluster: BenchCluster;
  readonly classify: Classify;
  readonly seed: number;
}

function makeSubject({ engine, services, endpoints }: WalkPlan | AgainPlan, seed: number): Subject {
  const cluster = makeCluster(services, endpoints, seed);
  return { cluster, classify: makeClassifier(engine, cluster, seed), seed };
}

interface Prepared {
  readonly destination: DestinationKind;
  readonly task: BatchTask;
  readonly pass: Pass;
}

/** A task that takes the next batch, of the next rule set in turn, at every call. */
function prepare(subjects: readonly Subject[], engine: EngineName, destination: DestinationKind): Prepared {
  const { packets, batchSize } = poolSize(engine);
  const pools = subjects.map(({ cluster, seed }) => drawPool(cluster.services, destination, seed, packets, batchSize));
  const out = new OutcomeBatch("ip", batchSize);
  const turns = pools[0]!.batches.flatMap((_, b) =>
    subjects.map(({ classify }, s) => ({ classify, batch: pools[s]!.batches[b]! })),
  );
  let next = 0;
  const run = (): number => {
    const { classify, batch } = turns[next]!;
    next = next + 1 === turns.length ? 0 : next + 1;
    classify(batch, out);
    return sumOutcomes(out, batch.count);
  };
  const { classify, cluster } = subjects[0]!;
  const singles = drawPool(cluster.services, destination, subjects[0]!.seed, SINGLES, 1);
  const pass = {
    ...passOnce(classify, pools[0]!, out, cluster),
    leastRulesVisited: findLeast(classify, singles, out),
  };
  return { destination, task: { name: `${engine} ${destination}`, packets: batchSize, run }, pass };
}

interface Pass {
  /** Per packet. */
  readonly work: { rulesVisited: number; chainsEntered: number; draws: number; mapLookups: number };
  readonly checksum: number;
  /** Of the first, second, ... endpoint of a service. */
  readonly picks: number[];
  readonly leastRulesVisited: number;
}

/** Packets walked one by one: so many that the cheapest way is surely among them. */
const SINGLES = 256;

function findLeast(classify: Classify, singles: PacketPool, out: OutcomeBatch): number {
  let least = Infinity;
  for (const batch of singles.batches) {
    classify(batch, out);
    least = Math.min(least, out.work.rulesVisited);
  }
  return least;
}

/** Goes through a pool once, for what is exact. Throws where a packet does not reach an endpoint. */
function passOnce(
  classify: Classify,
  pool: PacketPool,
  out: OutcomeBatch,
  cluster: BenchCluster,
): Omit<Pass, "leastRulesVisited"> {
  const work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };
  const place = placesOf(cluster.services);
  const picks = cluster.pickProbabilities.map(() => 0);
  let checksum = CHECKSUM_START;
  for (const batch of pool.batches) {
    classify(batch, out);
    checksum = foldOutcomes(checksum, out, batch.count);
    for (const counter of Object.keys(work) as (keyof typeof work)[]) work[counter] += out.work[counter];
    for (let i = 0; i < batch.count; i++) {
      const k = place.get(out.dst[i]!);
      if (k === undefined) throw new Error(`packet ${batch.id[i]} did not reach an endpoint`);
      picks[k]!++;
    }
  }
  for (const counter of Object.keys(work) as (keyof typeof work)[]) work[counter] /= pool.packets;
  return { work, checksum, picks };
}

/** Endpoint address -> its place in its service; in a synthetic cluster an address stands once. */
function placesOf({ first, endpointAddress }: ServiceColumns): Map<number, number> {
  const places = new Map<number, number>();
  for (let service = 0; service + 1 < first.length; service++)
    for (let k = first[service]!; k < first[service + 1]!; k++) places.set(endpointAddress[k]!, k - first[service]!);
  return places;
}
