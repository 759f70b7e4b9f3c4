import { quantileSorted, sampleWithReplacement } from "simple-statistics";
import { median } from "./summary.js";

/** An estimate with the interval it lies in at the given confidence. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}

export interface BootstrapOptions {
  /** Uniform in [0, 1): hand in a seeded generator, and the interval is the same again. */
  readonly random: () => number;
  /** Default 0.95. */
  readonly confidence?: number;
  /** Default 2000. */
  readonly resamples?: number;
  /** What is compared; default the median. */
  readonly statistic?: (values: readonly number[]) => number;
}

const DEFAULT_CONFIDENCE = 0.95;
const DEFAULT_RESAMPLES = 2000;

/** Percentile bootstrap (Efron 1979) of one sample's statistic. */
export function bootstrapInterval(values: readonly number[], options: BootstrapOptions): Interval {
  return interval([values], (samples, statistic) => statistic(samples[0]!), options);
}

/** Percentile bootstrap of statistic(numerators) / statistic(denominators): two independent samples, each resampled by itself. */
export function ratioInterval(
  numerators: readonly number[],
  denominators: readonly number[],
  options: BootstrapOptions,
): Interval {
  return interval(
    [numerators, denominators],
    (samples, statistic) => statistic(samples[0]!) / statistic(samples[1]!),
    options,
  );
}

function interval(
  samples: readonly (readonly number[])[],
  estimate: (samples: readonly (readonly number[])[], statistic: (values: readonly number[]) => number) => number,
  options: BootstrapOptions,
): Interval {
  if (samples.some((sample) => sample.length === 0)) throw new RangeError("an empty sample");
  const { random, confidence = DEFAULT_CONFIDENCE, resamples = DEFAULT_RESAMPLES, statistic = median } = options;
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence ${confidence} is not between 0 and 1`);
  const estimates: number[] = [];
  for (let i = 0; i < resamples; i++) {
    const drawn = samples.map((sample) => sampleWithReplacement([...sample], sample.length, random));
    estimates.push(estimate(drawn, statistic));
  }
  estimates.sort((a, b) => a - b);
  const tail = (1 - confidence) / 2;
  return {
    estimate: estimate(samples, statistic),
    low: quantileSorted(estimates, tail),
    high: quantileSorted(estimates, 1 - tail),
    confidence,
  };
}
