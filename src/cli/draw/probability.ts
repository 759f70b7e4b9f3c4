/** Probabilities as text. */
import { EVEN } from "../../engine/compile/services.js";
import type { EndpointChoice } from "../../kube/read-endpoints.js";
import { dyadic, type Fraction, formatFraction, multiply, ONE, unit } from "../../engine/fraction.js";

/** A longer fraction is left out where people read. */
const LONGEST = 24;

/** The fraction, or nothing where it is too long to be read. */
export function fractionText(fraction: Fraction): string {
  const text = formatFraction(fraction);
  return text === "1/1" ? "1" : text.length > LONGEST ? "" : text;
}

/** `50 %`, `33.33333335 %`: at most ten digits. */
export function percentText(probability: number): string {
  return `${Number((probability * 100).toPrecision(10))} %`;
}

/** The exact share of each rule of a choice: rule k takes threshold / 2^31 of what the earlier ones left; all the same of an even choice. */
export function sharesOfChoice({ endpoints, even }: EndpointChoice): Fraction[] {
  return even === true
    ? endpoints.map(() => unit(endpoints.length))
    : sharesOf(endpoints.map(({ threshold }) => threshold));
}

/** The same by thresholds alone. */
export function sharesOf(thresholds: readonly number[]): Fraction[] {
  if (thresholds[0] === EVEN) return thresholds.map(() => unit(thresholds.length));
  let left = ONE;
  return thresholds.map((threshold) => {
    const share = multiply(left, dyadic(BigInt(threshold), 31));
    left = multiply(left, dyadic(BigInt(2 ** 31 - threshold), 31));
    return share;
  });
}
