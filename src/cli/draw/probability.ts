/** Probabilities as text. */
import { EVEN } from "../../engine/compile/services.js";
import type { EndpointChoice } from "../../kube/read-endpoints.js";
import { dyadic, type Fraction, formatFraction, multiply, ONE, ratio, unit } from "../../engine/fraction.js";

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

/** The exact share of each endpoint: rule k takes threshold / 2^31 of what the earlier ones left; of one draw, each its part of the numbers. */
export function sharesOfChoice({ endpoints, mod }: EndpointChoice): Fraction[] {
  if (mod === undefined) return sharesOf(endpoints.map(({ threshold }) => threshold));
  return endpoints.map(({ numbers: [first, last] = [0, -1] }) => ratio(last - first + 1, mod));
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
