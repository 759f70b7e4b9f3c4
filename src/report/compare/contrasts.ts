/** What is compared: logarithms of times, each process's own in units of its yardstick, so that a slower machine is not taken for a slower program. */
import { median } from "../../stats/summary.js";
import { type BenchCase, describeFactors, type Factors, type Measurement } from "../measurement.js";

/** One case in two runs, or in two builds of one run. */
export interface Contrast {
  readonly factors: Factors;
  readonly unit: BenchCase["unit"];
  readonly per: string;
  /** Medians in the unit of the case, before and after. */
  readonly medians: readonly [before: number, after: number];
  /** log(after / before), in units of the yardsticks. */
  readonly difference: number;
  /** Variance of a process (of a pair of them, where they are paired), and its degrees of freedom; 0 where there are too few to know. */
  readonly variance: number;
  readonly degreesOfFreedom: number;
  /** Variance of the difference as a multiple of that of a process. */
  readonly scale: number;
  /** Whether the exact columns are the same: otherwise other work was done. */
  readonly sameWork: boolean;
}

/** Cases that two runs have in common. */
export function contrastRuns(before: Measurement, after: Measurement): Contrast[] {
  const known = new Map(before.cases.map((one) => [describeFactors(one.factors), one]));
  return after.cases.flatMap((one) => {
    const old = known.get(describeFactors(one.factors));
    if (old === undefined || old.unit !== one.unit) return [];
    const [was, is] = [relativeTimes(before, old), relativeTimes(after, one)].map((times) => [...times.values()]);
    if (was!.length === 0 || is!.length === 0) return [];
    const [a, b] = [trim(was!), trim(is!)];
    const degreesOfFreedom = a.kept + b.kept - 2;
    return [
      {
        ...describe(old, one),
        difference: b.mean - a.mean,
        variance: degreesOfFreedom === 0 ? 0 : (a.squares + b.squares) / degreesOfFreedom,
        degreesOfFreedom,
        scale: 1 / a.kept + 1 / b.kept,
      },
    ];
  });
}

/** Cases of the other build (before) and of this one (after), in pairs of processes that ran one after the other. */
export function contrastBuilds(record: Measurement): Contrast[] {
  const others = new Map(
    record.cases
      .filter(({ factors }) => factors.build === "other")
      .map((one) => [describeFactors({ ...one.factors, build: undefined }), one]),
  );
  return record.cases.flatMap((one) => {
    const { build, ...factors } = one.factors;
    const other = build === "this" ? others.get(describeFactors(factors)) : undefined;
    if (other === undefined) return [];
    const [was, is] = [relativeTimes(record, other), relativeTimes(record, one)];
    const pairs = [...is].flatMap(([round, time]) => (was.has(round) ? [time - was.get(round)!] : []));
    if (pairs.length === 0) return [];
    const { mean, squares, kept } = trim(pairs);
    const degreesOfFreedom = kept - 1;
    return [
      {
        ...describe(other, one),
        factors,
        difference: mean,
        variance: degreesOfFreedom === 0 ? 0 : squares / degreesOfFreedom,
        degreesOfFreedom,
        scale: 1 / kept,
      },
    ];
  });
}

function describe(before: BenchCase, after: BenchCase) {
  const medians = [before, after].map(({ rounds }) => median(rounds.map(({ samples }) => median(samples))));
  return {
    factors: after.factors,
    unit: after.unit,
    per: after.per,
    medians: [medians[0]!, medians[1]!] as const,
    sameWork: JSON.stringify(before.exact) === JSON.stringify(after.exact),
  };
}

/**
 * By run and round: the logarithm of the median time of a case's process in units of its yardstick; of those of its round where it has none of its own.
 * Without any, and for what is no time, the logarithm alone.
 */
function relativeTimes(record: Measurement, { rounds, unit }: BenchCase): Map<string, number> {
  const times = new Map<string, number>();
  for (const { process, samples } of rounds) {
    const { run, round, yardstick } = record.processes[process]!;
    const own = yardstick.length > 0 ? yardstick : yardsticksOf(record, run, round);
    const reference = unit === "ns" && own.length > 0 ? median(own) : 1;
    times.set(`${run} ${round}`, Math.log(median(samples) / reference));
  }
  return times;
}

function yardsticksOf({ processes }: Measurement, run: number, round: number): number[] {
  return processes
    .filter((one) => one.run === run && one.round === round && one.yardstick.length > 0)
    .map(({ yardstick }) => median(yardstick));
}

/** Share of the processes that is left out of a mean at either end. */
const TRIMMED = 0.2;

interface Trimmed {
  readonly mean: number;
  /** Of the winsorized values, around their mean: over the degrees of freedom (`kept` less one) the variance of a process. */
  readonly squares: number;
  readonly kept: number;
}

/**
 * The trimmed mean, and what its error is taken from: a process that something else kept waiting moves neither. Yuen, "The two-sample
 * trimmed t for unequal population variances" (Biometrika 1974). Of fewer than five values all are kept: the usual mean and squares.
 */
function trim(values: readonly number[]): Trimmed {
  const sorted = values.toSorted((a, b) => a - b);
  const cut = Math.floor(TRIMMED * sorted.length);
  const [low, high] = [sorted[cut]!, sorted.at(-1 - cut)!];
  const winsorized = sorted.map((value) => Math.min(high, Math.max(low, value)));
  const middle = mean(winsorized);
  return {
    mean: mean(sorted.slice(cut, sorted.length - cut)),
    squares: winsorized.reduce((sum, value) => sum + (value - middle) ** 2, 0),
    kept: sorted.length - 2 * cut,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
