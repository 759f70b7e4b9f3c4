import type { Histogram } from "../src/index.js";
import { type BatchTask, consume } from "./task.js";

/** Shortest operation, in nanoseconds, that is worth timing alone: a reading of the clock costs some 50 ns. */
export const LEAST_SINGLE = 2000;
/** A bucket of the histogram ends at this multiple of its lower bound. */
export const GROWTH = 2 ** (1 / 16);
/** Most operations timed alone. */
const MOST_SINGLES = 20_000;

/** A histogram of single operations, in as much time as a pass takes; nothing where they are too short for the clock or cannot be done alone. */
export function measureSingles(
  { single, operations }: BatchTask,
  samples: readonly number[],
  milliseconds: number,
): { singles?: Histogram } {
  const usual = samples.toSorted((a, b) => a - b)[samples.length >> 1]!;
  if (usual < LEAST_SINGLE) return {};
  if (operations === 1) return { singles: histogramOf(samples) };
  if (single === undefined) return {};
  const times: number[] = [];
  const until = performance.now() + milliseconds / 2;
  let began = performance.now();
  while (times.length < MOST_SINGLES && began < until) {
    consume(single);
    const ended = performance.now();
    times.push((ended - began) * 1e6);
    began = performance.now();
  }
  return times.length === 0 ? {} : { singles: histogramOf(times) };
}

/** Counts values, which are positive, into buckets whose bounds are powers of GROWTH. */
export function histogramOf(values: readonly number[]): Histogram {
  const counts = new Map<number, number>();
  for (const value of values) {
    const bucket = Math.floor(Math.log(value) / Math.log(GROWTH));
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  const buckets = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([bucket, count]): [number, number] => [Math.round(GROWTH ** bucket * 100) / 100, count]);
  return { growth: GROWTH, buckets };
}
