/** The Kolmogorov-Smirnov test of a sample against the uniform distribution on [0, 1]. */
import { logGamma } from "./gamma.js";

export interface UniformityTest {
  /** The largest distance between the sample's distribution function and the diagonal. */
  readonly statistic: number;
  /** Probability of a statistic at least this large for uniform values. */
  readonly pValue: number;
  readonly count: number;
}

/** Samples larger than this are judged by the limiting distribution: the exact one costs the cube of n d. */
const EXACT_TO = 2000;

/** Throws RangeError on an empty sample and on values outside [0, 1]. */
export function uniformityTest(values: readonly number[]): UniformityTest {
  const n = values.length;
  if (n === 0) throw new RangeError("an empty sample");
  const sorted = values.toSorted((a, b) => a - b);
  if (!(sorted[0]! >= 0 && sorted[n - 1]! <= 1)) throw new RangeError("a value outside 0 and 1");
  let statistic = 0;
  sorted.forEach((value, i) => (statistic = Math.max(statistic, value - i / n, (i + 1) / n - value)));
  return { statistic, pValue: kolmogorovTail(n, statistic), count: n };
}

/** From here on n d^2 both sides cannot be passed at once, but with probability below 1e-10 of the tail. */
const FAR = 3.76;

/**
 * The probability that the statistic of n uniform values is at least d. Right to nine digits up to 2000 values and in the far tail of any
 * number; to two or three digits else.
 */
export function kolmogorovTail(n: number, d: number): number {
  if (d <= 0.5 / n) return 1;
  if (d >= 1) return 0;
  if (n * d * d > FAR) return 2 * smirnovTail(n, d);
  if (n <= EXACT_TO) return 1 - marsaglia(n, d);
  // Stephens 1970: the limiting distribution, of a statistic corrected for n.
  return limitTail(d * (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)));
}

/** The one-sided tail, exactly: d sum over j of C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j) (Birnbaum and Tingey 1951). */
function smirnovTail(n: number, d: number): number {
  let sum = 0;
  for (let j = 0; j <= Math.floor(n * (1 - d)); j++) {
    const rest = 1 - d - j / n;
    if (rest <= 0) continue;
    const choose = logGamma(n + 1) - logGamma(j + 1) - logGamma(n - j + 1);
    sum += Math.exp(choose + (j - 1) * Math.log(d + j / n) + (n - j) * Math.log(rest));
  }
  return d * sum;
}

/** P(D < d), by the n-th power of a matrix (Marsaglia, Tsang and Wang, J. Stat. Software 8(18), 2003). */
function marsaglia(n: number, d: number): number {
  const k = Math.floor(n * d) + 1;
  const m = 2 * k - 1;
  const h = k - n * d;
  const base = new Float64Array(m * m);
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) base[i * m + j] = i - j + 1 < 0 ? 0 : 1;
  for (let i = 0; i < m; i++) {
    base[i * m]! -= h ** (i + 1);
    base[(m - 1) * m + i]! -= h ** (m - i);
  }
  base[(m - 1) * m]! += 2 * h - 1 > 0 ? (2 * h - 1) ** m : 0;
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) for (let g = 1; g <= i - j + 1; g++) base[i * m + j]! /= g;
  const { matrix, exponent } = matrixPower({ matrix: base, exponent: 0 }, m, n);
  let value = matrix[(k - 1) * m + k - 1]!;
  let tens = exponent;
  for (let i = 1; i <= n; i++) {
    value = (value * i) / n;
    if (value < 1e-140) {
      value *= 1e140;
      tens -= 140;
    }
  }
  return value * 10 ** tens;
}

/** A matrix times a power of ten, so that its entries stay within a double. */
interface Scaled {
  readonly matrix: Float64Array;
  readonly exponent: number;
}

function matrixPower(base: Scaled, m: number, n: number): Scaled {
  if (n === 1) return base;
  const half = matrixPower(base, m, n >> 1);
  let matrix = multiply(half.matrix, half.matrix, m);
  let exponent = 2 * half.exponent;
  if (n % 2 === 1) {
    matrix = multiply(base.matrix, matrix, m);
    exponent += base.exponent;
  }
  const middle = m >> 1;
  if (matrix[middle * m + middle]! > 1e140) {
    matrix = matrix.map((entry) => entry * 1e-140);
    exponent += 140;
  }
  return { matrix, exponent };
}

function multiply(a: Float64Array, b: Float64Array, m: number): Float64Array {
  const product = new Float64Array(m * m);
  for (let i = 0; i < m; i++)
    for (let k = 0; k < m; k++) {
      const factor = a[i * m + k]!;
      for (let j = 0; j < m; j++) product[i * m + j]! += factor * b[k * m + j]!;
    }
  return product;
}

/** Kolmogorov's limit: 2 sum (-1)^(j-1) exp(-2 j^2 x^2); below 1 the other series, which converges there. */
function limitTail(x: number): number {
  if (x < 1) {
    let sum = 0;
    for (let j = 1; j <= 9; j += 2) sum += Math.exp((-j * j * Math.PI * Math.PI) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  let sum = 0;
  for (let j = 1; j <= 6; j++) sum += (j % 2 === 1 ? 1 : -1) * Math.exp(-2 * j * j * x * x);
  return 2 * sum;
}
