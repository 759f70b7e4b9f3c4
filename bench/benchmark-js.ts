/**
 * The second harness. Benchmark.js looks after its own loops and clock, so that a fault of tinybench, or of how we use it, would show
 * as a different ratio. It is a development dependency and loaded here alone.
 */
import type { BatchTask } from "./task.js";
import { toNanoseconds } from "./measure.js";

/** Samples at least; each is a cycle of calls that lasts `MIN_SECONDS` or more. */
const MIN_SAMPLES = 12;
const MIN_SECONDS = 0.02;

/** Nanoseconds per operation, one value for each cycle of Benchmark.js. It rounds nothing; what it throws is thrown. */
export async function measureWithBenchmarkJs(task: BatchTask, milliseconds: number): Promise<number[]> {
  const { default: Benchmark } = await import("benchmark");
  let sink = 0;
  const bench = new Benchmark(
    task.name,
    () => {
      sink = (sink + task.run()) | 0;
    },
    {
      maxTime: milliseconds / 1000,
      minTime: MIN_SECONDS,
      minSamples: MIN_SAMPLES,
    },
  );
  bench.run({ async: false });
  if (bench.error) throw bench.error;
  if (bench.stats.sample.length === 0) throw new Error(`Benchmark.js took no sample of ${task.name} (${sink})`);
  return (bench.stats.sample as number[]).map((seconds) => toNanoseconds(seconds * 1000, task.operations));
}
