/**
 * The regularised incomplete gamma functions, good to about 13 digits and down to the smallest doubles:
 * the series of P below x = a + 1, Legendre's continued fraction of Q above (NIST DLMF 8.11.4 and 8.9.2), with the
 * common factor x^a e^-x / Gamma(a) computed so that nothing cancels for large a (DLMF 8.12.7, Temme).
 */

const HALF_LOG_TWO_PI = 0.9189385332046727;

/** Coefficients B(2k) / (2k (2k - 1)) of Stirling's series for log Gamma (DLMF 5.11.1). */
const STIRLING = [
  1 / 12,
  -1 / 360,
  1 / 1260,
  -1 / 1680,
  1 / 1188,
  -691 / 360360,
  1 / 156,
  -3617 / 122400,
  43867 / 244188,
] as const;

/** From here on Stirling's series with these terms is exact to a double. */
const STIRLING_FROM = 12;

/** log Gamma(x) - ((x - 1/2) log x - x + log sqrt(2 pi)) for x >= 12. */
function stirlingSeries(x: number): number {
  const inverseSquare = 1 / (x * x);
  let sum = 0;
  for (let k = STIRLING.length - 1; k >= 0; k--) sum = sum * inverseSquare + STIRLING[k]!;
  return sum / x;
}

/** What Stirling's formula lacks: log Gamma(x) - ((x - 1/2) log x - x + log sqrt(2 pi)), for x > 0. */
export function stirlingRest(x: number): number {
  if (x >= STIRLING_FROM) return stirlingSeries(x);
  return logGamma(x) - ((x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI);
}

/** log Gamma(x) for x > 0, right to about 5e-15 of max(1, its size). */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma needs x > 0, not ${x}`);
  let shift = 1;
  let at = x;
  while (at < STIRLING_FROM) shift *= at++;
  return (at - 0.5) * Math.log(at) - at + HALF_LOG_TWO_PI + stirlingSeries(at) - Math.log(shift);
}

/** log(1 + d) - d without cancellation, for d > -1. */
export function log1pMinus(d: number): number {
  if (Math.abs(d) > 0.4) return Math.log1p(d) - d;
  // log1p(d) = 2 artanh(r) with r = d / (2 + d); then 2 r - d = -r d.
  const r = d / (2 + d);
  const square = r * r;
  let sum = 0;
  let term = square;
  for (let k = 3; term > 1e-20; k += 2) {
    sum += term / k;
    term *= square;
  }
  return r * (2 * sum - d);
}

/** x^a e^-x / Gamma(a + 1): for a whole a the probability that a Poisson variable of mean x is a. */
export function poissonFactor(a: number, x: number): number {
  if (x === 0) return a === 0 ? 1 : 0;
  if (a < STIRLING_FROM) return Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  return Math.exp(a * log1pMinus((x - a) / a) - stirlingRest(a)) / Math.sqrt(2 * Math.PI * a);
}

const EPSILON = 1e-17;
const TINY = 1e-300;

/** P by its power series; converges fast for x <= a + 1. */
function lowerSeries(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * poissonFactor(a, x);
}

/** Q by its continued fraction (modified Lentz); converges for x > a + 1. */
function upperFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let product = d;
  for (let n = 1; ; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = numerator * d + b;
    if (Math.abs(d) < TINY) d = TINY;
    c = b + numerator / c;
    if (Math.abs(c) < TINY) c = TINY;
    d = 1 / d;
    const step = d * c;
    product *= step;
    if (Math.abs(step - 1) < 1e-16) return product * poissonFactor(a, x) * a;
  }
}

function checkArguments(a: number, x: number): void {
  if (!(a > 0) || !Number.isFinite(a)) throw new RangeError(`the shape a must be positive and finite, not ${a}`);
  if (!(x >= 0)) throw new RangeError(`x must be at least 0, not ${x}`);
}

/** Q(a, x) = Gamma(a, x) / Gamma(a): the upper tail, from 1 at x = 0 to 0. */
export function upperGamma(a: number, x: number): number {
  checkArguments(a, x);
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  return x <= a + 1 ? 1 - lowerSeries(a, x) : upperFraction(a, x);
}

/** P(a, x) = 1 - Q(a, x): the lower tail. */
export function lowerGamma(a: number, x: number): number {
  checkArguments(a, x);
  if (x === 0) return 0;
  if (x === Infinity) return 1;
  return x <= a + 1 ? lowerSeries(a, x) : 1 - upperFraction(a, x);
}
