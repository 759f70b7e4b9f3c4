/** Student's t distribution, by the regularised incomplete beta function (DLMF 8.17). */
import { logGamma } from "./gamma.js";

const TINY = 1e-300;
const EPSILON = 1e-15;

/** I_x(a, b) for a, b > 0 and 0 <= x <= 1, by its continued fraction (DLMF 8.17.22, modified Lentz). */
export function incompleteBeta(a: number, b: number, x: number): number {
  if (!(a > 0 && b > 0)) throw new RangeError(`incompleteBeta needs a, b > 0, not ${a}, ${b}`);
  if (!(x >= 0 && x <= 1)) throw new RangeError(`x must be from 0 to 1, not ${x}`);
  if (x === 0 || x === 1) return x;
  // The fraction converges fast below the mean; beyond it the other tail is computed.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const logFactor = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let product = d;
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    product *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    product *= d * c;
    if (Math.abs(d * c - 1) < EPSILON) break;
  }
  return (Math.exp(logFactor) * product) / a;
}

function nonZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}

/** The probability of a value of at least t, where t may be infinite. */
export function studentTail(t: number, degreesOfFreedom: number): number {
  if (!(degreesOfFreedom > 0)) throw new RangeError(`${degreesOfFreedom} degrees of freedom`);
  if (t < 0) return 1 - studentTail(-t, degreesOfFreedom);
  if (t === Infinity) return 0;
  return incompleteBeta(degreesOfFreedom / 2, 0.5, degreesOfFreedom / (degreesOfFreedom + t * t)) / 2;
}

/** The t whose upper tail is `tail`, 0 < tail <= 1/2. */
export function studentQuantile(tail: number, degreesOfFreedom: number): number {
  if (!(tail > 0 && tail <= 0.5)) throw new RangeError(`a tail of ${tail}: not above 0 and at most 1/2`);
  let [low, high] = [0, 1];
  while (studentTail(high, degreesOfFreedom) > tail) [low, high] = [high, 2 * high];
  for (let i = 0; i < 100 && low < high; i++) {
    const middle = low + (high - low) / 2;
    if (studentTail(middle, degreesOfFreedom) > tail) low = middle;
    else high = middle;
  }
  return high;
}
