import { PerformanceObserver } from "node:perf_hooks";
import { Bench } from "tinybench";
import type { BenchRound } from "../src/index.js";
import { measureSingles } from "./singles.js";
import { type BatchTask, consume, LEAST_NANOSECONDS } from "./task.js";
import { warmUp } from "./warm-up.js";

/** What a process measured of one variant: samples in nanoseconds per operation, ascending in time. */
export type TaskSamples = Omit<BenchRound, "process">;

/** Times that every variant comes round in a process. */
export const PASSES = 3;
const LEAST_SAMPLES = 4;

/**
 * Measures variants interleaved: pass by pass, each for its share of `milliseconds`, after warming up until its times have
 * settled. The division by operations comes after tinybench: its `overriddenDuration` would count the divided time against the budget
 * (tinybench issue 665). Throws where a batch is too short for the clock.
 */
export async function measureInterleaved(tasks: readonly BatchTask[], milliseconds: number): Promise<TaskSamples[]> {
  const collector = countCollections();
  const results = tasks.map(() => ({ samples: [] as number[], collections: 0, cpu: 0, wall: 0 }));
  const warm: Pick<TaskSamples, "warmUp">[] = [];
  for (let pass = 0; pass < PASSES; pass++) {
    for (let k = 0; k < tasks.length; k++) {
      const at = (k + pass) % tasks.length;
      const task = tasks[at]!;
      const limited = task.limit !== undefined;
      await collector.flush();
      const before = collector.count();
      const clock = startClocks();
      if (pass === 0) warm[at] = limited ? {} : { warmUp: warmUp(task, milliseconds) };
      const bench = new Bench({
        time: limited ? 0 : milliseconds / PASSES,
        iterations: limited ? Math.max(1, Math.floor(task.limit! / PASSES)) : LEAST_SAMPLES,
        warmup: false,
        retainSamples: true,
        throws: true,
      });
      const { prepare, run } = task;
      // Told that it is synchronous, tinybench makes no trial call, which would find its batch unprepared.
      const hooks = prepare === undefined ? {} : { beforeEach: () => prepare() };
      bench.add(task.name, () => consume(run), { async: false, ...hooks });
      bench.runSync();
      const { cpu, wall } = clock();
      results[at]!.cpu += cpu;
      results[at]!.wall += wall;
      await collector.flush();
      const result = bench.tasks[0]!.result;
      if (result.state !== "completed" || result.latency.samples === undefined)
        throw new Error(`${task.name}: tinybench ended in state ${result.state}`);
      for (const sample of result.latency.samples) results[at]!.samples.push(toNanoseconds(sample, task.operations));
      results[at]!.collections += collector.count() - before;
    }
  }
  collector.stop();
  return results.map(({ cpu, wall, samples, collections }, i) => {
    const task = tasks[i]!;
    requireLength(task, samples);
    return { samples, collections, cpuShare: cpu / wall, ...warm[i], ...measureSingles(task, samples, milliseconds) };
  });
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

/** Counts garbage collections. Node reports them from its event loop: `flush` lets it. */
function countCollections(): { count(): number; flush(): Promise<void>; stop(): void } {
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
