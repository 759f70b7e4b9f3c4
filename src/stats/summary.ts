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

/** A straight line through the logarithms: y = factor * x^slope, and how well it fits (R squared of the logarithms). */
export interface PowerLaw {
  readonly slope: number;
  readonly factor: number;
  readonly rSquared: number;
}

/** Least squares on the logarithms of both axes; needs two different x, all values above 0. */
export function logLogSlope(x: readonly number[], y: readonly number[]): PowerLaw {
  if (x.length !== y.length) throw new RangeError(`${x.length} x, but ${y.length} y`);
  if ([...x, ...y].some((value) => !(value > 0))) throw new RangeError("a logarithm needs values above 0");
  if (new Set(x).size < 2) throw new RangeError("a slope needs two different x");
  const points = x.map((value, i) => [Math.log(value), Math.log(y[i]!)]);
  const { m, b } = linearRegression(points);
  const mean = points.reduce((sum, point) => sum + point[1]!, 0) / points.length;
  const total = points.reduce((sum, point) => sum + (point[1]! - mean) ** 2, 0);
  const rest = points.reduce((sum, point) => sum + (point[1]! - (m * point[0]! + b)) ** 2, 0);
  return { slope: m, factor: Math.exp(b), rSquared: total === 0 ? 1 : 1 - rest / total };
}
