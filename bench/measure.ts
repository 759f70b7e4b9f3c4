import { PerformanceObserver } from "node:perf_hooks";
import { Bench } from "tinybench";

/** One variant: a call classifies one batch. */
export interface BatchTask {
  readonly name: string;
  /** Packets of a batch. tinybench reads the clock at every call: at least 1,000, or it would measure the clock. */
  readonly packets: number;
  /** Classifies the next batch and gives what depends on its outcomes, so that no work can be left out. */
  readonly run: () => number;
  /** What must happen between batches and is not timed. */
  readonly prepare?: () => void;
  /** Most batches to run, where each leaves something behind. */
  readonly limit?: number;
}

export interface TaskSamples {
  readonly name: string;
  /** Nanoseconds per packet, one a batch, ascending within a pass. */
  readonly samples: number[];
  readonly collections: number;
  /** CPU time over wall time, warming up included. */
  readonly cpuShare: number;
}

/** Times that every variant comes round in a process. */
export const PASSES = 3;
const LEAST_PACKETS = 1000;
const LEAST_SAMPLES = 4;
/** Part of the time that goes into warming up, before the first pass. */
const WARM_UP = 0.35;

/** Every result depends on it; read by `readSink` so that it counts as used. */
let sink = 0;

export function readSink(): number {
  return sink >>> 0;
}

/**
 * Measures variants interleaved: pass by pass, each for its share of `milliseconds`. The division by packets comes after
 * tinybench: its `overriddenDuration` would count the divided time against the budget (tinybench issue 665).
 */
export async function measureInterleaved(tasks: readonly BatchTask[], milliseconds: number): Promise<TaskSamples[]> {
  for (const { name, packets } of tasks) {
    if (packets < LEAST_PACKETS)
      throw new RangeError(`${name}: a batch of ${packets} packets is shorter than ${LEAST_PACKETS}`);
  }
  const collector = countCollections();
  const results = tasks.map(({ name }) => ({ name, samples: [] as number[], collections: 0, cpu: 0, wall: 0 }));
  for (let pass = 0; pass < PASSES; pass++) {
    for (let k = 0; k < tasks.length; k++) {
      const at = (k + pass) % tasks.length;
      const task = tasks[at]!;
      const limited = task.limit !== undefined;
      const bench = new Bench({
        time: limited ? 0 : milliseconds / PASSES,
        iterations: limited ? Math.max(LEAST_SAMPLES, Math.floor(task.limit! / PASSES)) : LEAST_SAMPLES,
        warmup: pass === 0 && !limited,
        warmupTime: milliseconds * WARM_UP,
        warmupIterations: 2,
        retainSamples: true,
        throws: true,
      });
      const prepare = task.prepare;
      // Told that it is synchronous, tinybench makes no trial call, which would find its batch unprepared.
      bench.add(
        task.name,
        () => {
          sink = (sink + task.run()) | 0;
        },
        { async: false, ...(prepare === undefined ? {} : { beforeEach: () => prepare() }) },
      );
      await collector.flush();
      const before = collector.count();
      const clock = startClocks();
      bench.runSync();
      const { cpu, wall } = clock();
      results[at]!.cpu += cpu;
      results[at]!.wall += wall;
      await collector.flush();
      const result = bench.tasks[0]!.result;
      if (result.state !== "completed" || result.latency.samples === undefined)
        throw new Error(`${task.name}: tinybench ended in state ${result.state}`);
      for (const sample of result.latency.samples) results[at]!.samples.push(toNanoseconds(sample, task.packets));
      results[at]!.collections += collector.count() - before;
    }
  }
  collector.stop();
  return results.map(({ cpu, wall, ...result }) => ({ ...result, cpuShare: cpu / wall }));
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

/** Milliseconds a batch -> nanoseconds a packet, in hundredths: finer than any clock here tells apart. */
export function toNanoseconds(milliseconds: number, packets: number): number {
  return Math.max(0.01, Math.round((milliseconds * 1e8) / packets) / 100);
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
