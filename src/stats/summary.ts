import { linearRegression, medianAbsoluteDeviation, quantileSorted } from "simple-statistics";

/** A sample at a glance, in the unit of its values. */
export interface Summary {
  readonly count: number;
  readonly minimum: number;
  readonly median: number;
  /** Median absolute deviation from the median, not scaled. */
  readonly mad: number;
  readonly p90: number;
  readonly p99: number;
  readonly maximum: number;
}

/** The sample's p-quantile, 0 <= p <= 1: of the sorted values, halfway between two where p falls between them. */
export function quantile(values: readonly number[], p: number): number {
  return quantileSorted(sorted(values), p);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Throws RangeError on an empty sample. */
export function summarize(values: readonly number[]): Summary {
  const ordered = sorted(values);
  return {
    count: ordered.length,
    minimum: ordered[0]!,
    median: quantileSorted(ordered, 0.5),
    mad: medianAbsoluteDeviation(ordered),
    p90: quantileSorted(ordered, 0.9),
    p99: quantileSorted(ordered, 0.99),
    maximum: ordered[ordered.length - 1]!,
  };
}

function sorted(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("an empty sample");
  return values.toSorted((a, b) => a - b);
}

/** A straight line, and how well it fits: the share of the spread of y that it explains. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
  readonly rSquared: number;
}

/** Least squares: y = intercept + slope * x. Needs two different x. */
export function fitLine(x: readonly number[], y: readonly number[]): Line {
  if (x.length !== y.length) throw new RangeError(`${x.length} x, but ${y.length} y`);
  if (new Set(x).size < 2) throw new RangeError("a slope needs two different x");
  const { m, b } = linearRegression(x.map((value, i) => [value, y[i]!]));
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const total = y.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const rest = y.reduce((sum, value, i) => sum + (value - (m * x[i]! + b)) ** 2, 0);
  return { slope: m, intercept: b, rSquared: total === 0 ? 1 : 1 - rest / total };
}

/** A straight line through the logarithms: y = factor * x^slope, and how well it fits (R squared of the logarithms). */
export interface PowerLaw {
  readonly slope: number;
  readonly factor: number;
  readonly rSquared: number;
}

/** Least squares on the logarithms of both axes; needs two different x, all values above 0. */
export function logLogSlope(x: readonly number[], y: readonly number[]): PowerLaw {
  if ([...x, ...y].some((value) => !(value > 0))) throw new RangeError("a logarithm needs values above 0");
  const { slope, intercept, rSquared } = fitLine(x.map(Math.log), y.map(Math.log));
  return { slope, factor: Math.exp(intercept), rSquared };
}
