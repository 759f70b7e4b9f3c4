import { PerformanceObserver } from "node:perf_hooks";
import { Bench } from "tinybench";
import type { BenchRound } from "../src/index.js";
import { measureSingles } from "./singles.js";
import { type BatchTask, consume, LEAST_NANOSECONDS, type ProgramTask } from "./task.js";
import { warmAgain, warmUp } from "./warm-up.js";

/** What a process measured of one variant: samples in nanoseconds per operation, pass after pass (within a pass tinybench sorts them). */
export type TaskSamples = Omit<BenchRound, "process">;

/** A variant comes round at least so often in a process, and more often where a pass would last longer than so many milliseconds. */
export const LEAST_PASSES = 3;
const PASS_MILLISECONDS = 27;
const LEAST_SAMPLES = 4;

/** Times that every variant comes round, where each has so many milliseconds. */
export function passesIn(milliseconds: number): number {
  return Math.max(LEAST_PASSES, Math.round(milliseconds / PASS_MILLISECONDS));
}

/**
 * Measures variants interleaved: pass by pass, each for its share of `milliseconds`, after warming up until its times have
 * settled. What slows the machine for a while slows neighbours alike. Throws where a batch is too short for the clock.
 */
export async function measureInterleaved(
  tasks: readonly (BatchTask | ProgramTask)[],
  milliseconds: number,
): Promise<TaskSamples[]> {
  const collector = countCollections();
  const limits = tasks.map((task) => ("limit" in task ? (task.limit ?? Infinity) : Infinity));
  const passes = Math.min(passesIn(milliseconds), ...limits);
  const measured = tasks.map((task) =>
    "measure" in task ? ofProgram(task) : ofBatches(task, milliseconds, passes, collector),
  );
  for (let pass = 0; pass < passes; pass++)
    for (let k = 0; k < tasks.length; k++) await measured[(k + pass) % tasks.length]!.take(milliseconds / passes);
  collector.stop();
  return measured.map(({ finish }) => finish());
}

/** A variant under measurement. */
interface Measured {
  /** Takes samples for so long: one pass. */
  take(milliseconds: number): Promise<void>;
  finish(): TaskSamples;
}

/**
 * The division by operations comes after tinybench: its `overriddenDuration` would count the divided time against the budget
 * (tinybench issue 665).
 */
function ofBatches(task: BatchTask, milliseconds: number, passes: number, collector: Collector): Measured {
  const { name, operations, limit, prepare, run } = task;
  const samples: number[] = [];
  const lengths: number[] = [];
  let [collections, cpu, wall] = [0, 0, 0];
  let warm: Pick<TaskSamples, "warmUp"> | undefined;
  const take = async (share: number): Promise<void> => {
    await collector.flush();
    const before = collector.count();
    const clock = startClocks();
    if (limit === undefined && warm !== undefined) warmAgain(task, share);
    warm ??= limit === undefined ? { warmUp: warmUp(task, milliseconds) } : {};
    const bench = new Bench({
      time: limit === undefined ? share : 0,
      iterations: limit === undefined ? LEAST_SAMPLES : Math.floor(limit / passes),
      warmup: false,
      retainSamples: true,
      throws: true,
    });
    // Told that it is synchronous, tinybench makes no trial call, which would find its batch unprepared.
    const hooks = prepare === undefined ? {} : { beforeEach: () => prepare() };
    bench.add(name, () => consume(run), { async: false, ...hooks });
    bench.runSync();
    const passed = clock();
    cpu += passed.cpu;
    wall += passed.wall;
    await collector.flush();
    const result = bench.tasks[0]!.result;
    if (result.state !== "completed" || result.latency.samples === undefined)
      throw new Error(`${name}: tinybench ended in state ${result.state}`);
    lengths.push(result.latency.samples.length);
    for (const sample of result.latency.samples) samples.push(toNanoseconds(sample, operations));
    collections += collector.count() - before;
  };
  const finish = (): TaskSamples => {
    requireLength(task, samples);
    return {
      samples,
      passes: lengths,
      collections,
      cpuShare: cpu / wall,
      ...warm,
      ...measureSingles(task, samples, milliseconds),
    };
  };
  return { take, finish };
}

function ofProgram({ measure, stop }: ProgramTask): Measured {
  const samples: number[] = [];
  const passes: number[] = [];
  const shares: number[] = [];
  return {
    take: async (milliseconds) => {
      const taken = await measure(milliseconds);
      samples.push(...taken.samples);
      passes.push(taken.samples.length);
      shares.push(taken.cpuShare);
    },
    finish: () => {
      stop();
      return {
        samples,
        passes,
        collections: 0,
        cpuShare: shares.reduce((sum, share) => sum + share, 0) / shares.length,
      };
    },
  };
}

function requireLength({ name, operations }: BatchTask, samples: readonly number[]): void {
  const sorted = samples.toSorted((a, b) => a - b);
  const nanoseconds = sorted[sorted.length >> 1]! * operations;
  if (nanoseconds < LEAST_NANOSECONDS)
    throw new RangeError(
      `${name}: a batch of ${operations} took ${Math.round(nanoseconds)} ns, less than ${LEAST_NANOSECONDS} ns`,
    );
}

/** Starts two clocks, of this process's CPU time and of the wall; the result reads what has passed, in microseconds. */
export function startClocks(): () => { cpu: number; wall: number } {
  const cpu = process.cpuUsage();
  const from = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { cpu: user + system, wall: (performance.now() - from) * 1000 };
  };
}

/** Milliseconds a batch -> nanoseconds an operation, in hundredths: finer than any clock here tells apart. */
export function toNanoseconds(milliseconds: number, operations: number): number {
  return Math.max(0.01, Math.round((milliseconds * 1e8) / operations) / 100);
}

interface Collector {
  count(): number;
  flush(): Promise<void>;
  stop(): void;
}

/** Counts garbage collections. Node reports them from its event loop: `flush` lets it. */
function countCollections(): Collector {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ["gc"] });
  return {
    count: () => collections,
    flush: () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))),
    stop: () => observer.disconnect(),
  };
}
