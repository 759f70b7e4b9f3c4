/** The chi-square distribution, central and noncentral (Johnson, Kotz and Balakrishnan, chapters 18 and 29). */
import { poissonFactor, upperGamma } from "./gamma.js";
import { solveRising } from "./solve.js";

/** Upper tail of the chi-square distribution: the probability of a value of at least x. */
export function chiSquareTail(x: number, degreesOfFreedom: number): number {
  if (degreesOfFreedom === 0) return x > 0 ? 0 : 1;
  return upperGamma(degreesOfFreedom / 2, x / 2);
}

/** The value that is exceeded with probability `tail`, 0 < tail < 1: the critical value of a test at level `tail`. */
export function chiSquareQuantile(tail: number, degreesOfFreedom: number): number {
  checkShare(tail, "the tail");
  checkDegrees(degreesOfFreedom);
  return solveRising((x) => tail - chiSquareTail(x, degreesOfFreedom), degreesOfFreedom);
}

/** Poisson weights farther from the mean than this many standard deviations (and this many counts) are below 1e-20. */
const FAR = 10;

/**
 * Upper tail of the noncentral chi-square distribution: sum over j of Poisson(j; noncentrality / 2) Q(df / 2 + j, x / 2). The terms of Q
 * rise by additions alone, so nothing cancels. Right to about 12 digits where the tail is above 1e-18.
 */
export function noncentralTail(x: number, degreesOfFreedom: number, noncentrality: number): number {
  checkDegrees(degreesOfFreedom);
  if (!(noncentrality >= 0) || !Number.isFinite(noncentrality))
    throw new RangeError(`the noncentrality must be at least 0 and finite, not ${noncentrality}`);
  const mean = noncentrality / 2;
  const reach = FAR * Math.sqrt(mean) + 4 * FAR;
  const first = Math.max(0, Math.floor(mean - reach));
  const last = Math.ceil(mean + reach);
  const half = x / 2;
  let q = upperGamma(degreesOfFreedom / 2 + first, half);
  let sum = 0;
  for (let j = first; j <= last; j++) {
    sum += poissonFactor(j, mean) * q;
    q += poissonFactor(degreesOfFreedom / 2 + j, half);
  }
  return Math.min(1, sum);
}

/** The noncentrality at which a chi-square test at level alpha rejects with probability `power`; power must be above alpha. */
export function noncentralityFor(degreesOfFreedom: number, alpha: number, power: number): number {
  checkShare(alpha, "alpha");
  checkShare(power, "the power");
  if (power <= alpha) throw new RangeError(`a power of ${power} is not above alpha ${alpha}: it needs no observations`);
  const critical = chiSquareQuantile(alpha, degreesOfFreedom);
  const scale = Math.sqrt(degreesOfFreedom) + 1;
  return solveRising((noncentrality) => noncentralTail(critical, degreesOfFreedom, noncentrality) - power, scale);
}

function checkShare(value: number, what: string): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${what} must be between 0 and 1, not ${value}`);
}

function checkDegrees(degreesOfFreedom: number): void {
  if (!(degreesOfFreedom > 0) || !Number.isFinite(degreesOfFreedom))
    throw new RangeError(`degrees of freedom must be above 0, not ${degreesOfFreedom}`);
}
