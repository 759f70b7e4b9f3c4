/**
 * Exact probabilities. Those of iptables are dyadic (thresholds over 2^31), so a fraction is numerator / (odd * 2^exponent), reduced
 * by shift; `odd` holds what `numgen mod n` brings in, and only where it is not 1 a greatest common divisor is looked for.
 */
export interface Fraction {
  readonly numerator: bigint;
  readonly odd: bigint;
  readonly exponent: number;
}

export const ONE: Fraction = { numerator: 1n, odd: 1n, exponent: 0 };
export const ZERO: Fraction = { numerator: 0n, odd: 1n, exponent: 0 };

/** numerator / 2^exponent, reduced. */
export function dyadic(numerator: bigint, exponent: number): Fraction {
  return reduce(numerator, 1n, exponent);
}

/** 1 / n. */
export function unit(n: number): Fraction {
  let odd = n;
  let exponent = 0;
  while (odd % 2 === 0) {
    odd /= 2;
    exponent++;
  }
  return { numerator: 1n, odd: BigInt(odd), exponent };
}

/** numerator / denominator, where the denominator is a positive safe integer. */
export function ratio(numerator: number, denominator: number): Fraction {
  const { odd, exponent } = unit(denominator);
  return reduce(BigInt(numerator), odd, exponent);
}

function reduce(numerator: bigint, odd: bigint, exponent: number): Fraction {
  if (numerator === 0n) return ZERO;
  if (odd !== 1n) {
    const common = greatestCommonDivisor(odd, numerator);
    numerator /= common;
    odd /= common;
  }
  const zeros = Math.min(trailingZeros(numerator), exponent);
  return zeros === 0
    ? { numerator, odd, exponent }
    : { numerator: numerator >> BigInt(zeros), odd, exponent: exponent - zeros };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function trailingZeros(n: bigint): number {
  let zeros = 0;
  while (BigInt.asUintN(64, n) === 0n) {
    n >>= 64n;
    zeros += 64;
  }
  let low = BigInt.asUintN(64, n);
  while ((low & 1n) === 0n) {
    low >>= 1n;
    zeros++;
  }
  return zeros;
}

export function multiply(a: Fraction, b: Fraction): Fraction {
  return reduce(a.numerator * b.numerator, a.odd * b.odd, a.exponent + b.exponent);
}

export function add(a: Fraction, b: Fraction): Fraction {
  const exponent = Math.max(a.exponent, b.exponent);
  const x = a.numerator << BigInt(exponent - a.exponent);
  const y = b.numerator << BigInt(exponent - b.exponent);
  if (a.odd === b.odd) return reduce(x + y, a.odd, exponent);
  return reduce(x * b.odd + y * a.odd, a.odd * b.odd, exponent);
}

/** Equality as numbers, whatever the form. */
export function equals(a: Fraction, b: Fraction): boolean {
  const exponent = Math.max(a.exponent, b.exponent);
  return (
    (a.numerator * b.odd) << BigInt(exponent - a.exponent) === (b.numerator * a.odd) << BigInt(exponent - b.exponent)
  );
}

/** `numerator/denominator`. */
export function formatFraction(a: Fraction): string {
  return `${a.numerator}/${a.odd << BigInt(a.exponent)}`;
}

/** The nearest double, right to about 15 digits also where the parts are far beyond a double's range. */
export function toNumber(a: Fraction): number {
  const denominator = a.odd << BigInt(a.exponent);
  const shift = a.numerator.toString(2).length - denominator.toString(2).length - 64;
  const scaled =
    shift < 0 ? (a.numerator << BigInt(-shift)) / denominator : a.numerator / (denominator << BigInt(shift));
  return a.numerator === 0n ? 0 : Number(scaled) * 2 ** shift;
}
