/**
 * Statistics of samples that were taken in rounds of processes. Samples of one process are alike (same memory layout, same
 * compiled code), so a process counts once: Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013).
 */
import seedrandom from "seedrandom";
import { medianAbsoluteDeviation, quantileSorted } from "simple-statistics";
import { median } from "../stats/summary.js";
import type { BenchRound } from "./measurement.js";

/** All in the unit of the samples. */
export interface RoundSummary {
  /** Median of the medians of the processes. */
  readonly median: number;
  /** Median absolute deviation of all samples. */
  readonly mad: number;
  /** Quartiles of all samples. */
  readonly quartiles: readonly [number, number];
  /** 99th percentile of the samples, which are means of batches: no tail of single packets. */
  readonly p99OfBatchMeans: number;
  readonly samples: number;
  readonly roundMedians: readonly number[];
}

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** Resamplings of a bootstrap. */
export const REPLICATES = 1000;
/** The resampling takes this many quantiles of a process for its samples: more would only cost time. */
export const RESAMPLED = 64;
const OUTER_FENCE = 3;

export function summarizeRounds(rounds: readonly BenchRound[]): RoundSummary {
  const all = rounds.flatMap((round) => round.samples).sort((a, b) => a - b);
  const roundMedians = rounds.map((round) => median(round.samples));
  return {
    median: median(roundMedians),
    mad: medianAbsoluteDeviation(all),
    quartiles: [quantileSorted(all, 0.25), quantileSorted(all, 0.75)],
    p99OfBatchMeans: quantileSorted(all, 0.99),
    samples: all.length,
    roundMedians,
  };
}

/** Samples outside of Tukey's outer fences (three quartile ranges beyond the quartiles) of their own process. They are counted, never removed. */
export function countOutliers(rounds: readonly BenchRound[]): number {
  let outliers = 0;
  for (const { samples } of rounds) {
    const sorted = samples.toSorted((a, b) => a - b);
    const [low, high] = [quantileSorted(sorted, 0.25), quantileSorted(sorted, 0.75)];
    const reach = OUTER_FENCE * (high - low);
    for (const sample of samples) if (sample < low - reach || sample > high + reach) outliers++;
  }
  return outliers;
}

/** 95 % bootstrap interval of the median (processes are drawn, then samples in each). */
export function medianInterval(rounds: readonly BenchRound[], seed = 1): Interval {
  const processes = thin(rounds);
  return resample(summarizeRounds(rounds).median, seed, (random) => {
    return median(processes.map(() => drawMedian(processes[pick(random, processes.length)]!, random)));
  });
}

/**
 * 95 % bootstrap interval of a ratio. Of cases that took turns: of the median over their passes (processes are drawn, then passes in each), because
 * what slowed the machine for a pass slowed both. Of others: of the ratio of their medians; where both were measured in the same number of rounds,
 * rounds are drawn as pairs.
 */
export function ratioInterval(over: readonly BenchRound[], under: readonly BenchRound[], seed = 1): Interval {
  if (!tookTurns(over, under)) return jointIntervals([over, under], ([top, bottom]) => [top! / bottom!], seed)[0]!;
  const processes = over.map((round, i) => {
    const bottoms = passMedians(under[i]!);
    return passMedians(round).map((top, pass) => top / bottoms[pass]!);
  });
  return resample(median(processes.map(median)), seed, (random) => {
    const drawn = processes.map(() => processes[pick(random, processes.length)]!);
    return median(drawn.map((passes) => median(passes.map(() => passes[pick(random, passes.length)]!))));
  });
}

/** Whether two cases were measured by the same processes, in as many passes. */
export function tookTurns(one: readonly BenchRound[], other: readonly BenchRound[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ process, passes }, i) => {
      const beside = other[i]!;
      return passes !== undefined && process === beside.process && passes.length === beside.passes?.length;
    })
  );
}

function passMedians({ samples, passes = [] }: BenchRound): number[] {
  let from = 0;
  return passes.map((count) => median(samples.slice(from, (from += count))));
}

/** The same of the difference of two medians. */
export function differenceInterval(from: readonly BenchRound[], less: readonly BenchRound[], seed = 1): Interval {
  return jointIntervals([from, less], ([whole, part]) => [whole! - part!], seed)[0]!;
}

/** The same of whatever is computed from the medians of several cases, an interval for each of the statistics. */
export function jointIntervals(
  cases: readonly (readonly BenchRound[])[],
  statistics: (medians: readonly number[]) => readonly number[],
  seed = 1,
): Interval[] {
  const thinned = cases.map(thin);
  const together = thinned.every(({ length }) => length === thinned[0]!.length);
  const random = seedrandom.alea(String(seed));
  const replicates = Array.from({ length: REPLICATES }, () => {
    const drawn: number[][] = [];
    for (const rounds of thinned)
      drawn.push(together && drawn.length > 0 ? drawn[0]! : rounds.map(() => pick(random, rounds.length)));
    const medians = thinned.map((rounds, c) => median(drawn[c]!.map((i) => drawMedian(rounds[i]!, random))));
    return statistics(medians);
  });
  const estimates = statistics(cases.map((rounds) => summarizeRounds(rounds).median));
  return estimates.map((estimate, at) =>
    intervalOf(
      estimate,
      replicates.map((values) => values[at]!),
    ),
  );
}

/** Whether two intervals have a point in common. */
export function overlap(a: Interval, b: Interval): boolean {
  return a.low <= b.high && b.low <= a.high;
}

function thin(rounds: readonly BenchRound[]): Float64Array[] {
  return rounds.map(({ samples }) => {
    const sorted = Float64Array.from(samples).sort();
    if (sorted.length <= RESAMPLED) return sorted;
    return Float64Array.from(
      { length: RESAMPLED },
      (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / RESAMPLED)]!,
    );
  });
}

function pick(random: () => number, length: number): number {
  return Math.floor(random() * length);
}

/** The median of as many draws with replacement from sorted samples: counted, not sorted. */
function drawMedian(sorted: Float64Array, random: () => number): number {
  const { length } = sorted;
  const counts = new Uint8Array(length); // at most RESAMPLED draws
  for (let i = 0; i < length; i++) counts[pick(random, length)]!++;
  const upper = length >> 1;
  const lower = length % 2 === 1 ? upper : upper - 1;
  let at = 0;
  let drawn = counts[0]!;
  while (drawn <= lower) drawn += counts[++at]!;
  const low = sorted[at]!;
  while (drawn <= upper) drawn += counts[++at]!;
  return (low + sorted[at]!) / 2;
}

function resample(estimate: number, seed: number, statistic: (random: () => number) => number): Interval {
  const random = seedrandom.alea(String(seed));
  return intervalOf(
    estimate,
    Array.from({ length: REPLICATES }, () => statistic(random)),
  );
}

/** The middle 95 % of the replicates, widened where the estimate is not in it. */
function intervalOf(estimate: number, replicates: readonly number[]): Interval {
  const values = Float64Array.from(replicates).sort();
  const at = (p: number) => values[Math.min(REPLICATES - 1, Math.max(0, Math.round(p * (REPLICATES - 1))))]!;
  return { estimate, low: Math.min(at(0.025), estimate), high: Math.max(at(0.975), estimate) };
}
