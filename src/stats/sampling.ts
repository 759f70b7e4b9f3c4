/** Counts drawn at once: what many single draws would give, at a cost that does not grow with their number. */
import { log1pMinus, stirlingRest } from "./gamma.js";

/** Uniform in [0, 1). Hand in a seeded generator of 53 bits, and the counts are the same again. */
export type Random = () => number;

/** Means below this are drawn by inversion. */
const REJECTION_FROM = 10;

/** How many of `trials` succeed, each with probability p: a draw from the binomial distribution, exact as far as doubles go. */
export function drawBinomial(trials: number, p: number, random: Random): number {
  if (!Number.isSafeInteger(trials) || trials < 0) throw new RangeError(`${trials} trials`);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`probability ${p}`);
  if (p > 0.5) return trials - drawBinomial(trials, 1 - p, random);
  if (trials === 0 || p === 0) return 0;
  return trials * p < REJECTION_FROM ? invert(trials, p, random) : reject(trials, p, random);
}

/**
 * How often each cell is drawn in `trials` draws: a draw from the multinomial distribution, cell by cell, each binomial among what the
 * earlier ones left. The probabilities must sum to 1.
 */
export function drawMultinomial(trials: number, probabilities: ArrayLike<number>, random: Random): number[] {
  const counts: number[] = [];
  const rest = new Float64Array(probabilities.length + 1);
  // Summed from the end, so that what is left after a cell is right to the last digit also where it is small.
  for (let i = probabilities.length - 1; i >= 0; i--) rest[i] = rest[i + 1]! + probabilities[i]!;
  let left = trials;
  for (let i = 0; i < probabilities.length; i++) {
    const count = drawBinomial(left, rest[i] === 0 ? 0 : Math.min(1, probabilities[i]! / rest[i]!), random);
    counts.push(count);
    left -= count;
  }
  if (left > 0) throw new RangeError("the probabilities sum to 0");
  return counts;
}

/** By the number of failures between successes, each geometric: as many logarithms as successes. */
function invert(trials: number, p: number, random: Random): number {
  const logFailure = Math.log1p(-p);
  let count = 0;
  let used = 0;
  for (;;) {
    used += Math.floor(Math.log1p(-random()) / logFailure) + 1;
    if (used > trials) return count;
    count++;
  }
}

/** Transformed rejection with squeeze (Hoermann 1993, algorithm BTRS), for p <= 1/2 and a mean of 10 and more. */
function reject(trials: number, p: number, random: Random): number {
  const deviation = Math.sqrt(trials * p * (1 - p));
  const b = 1.15 + 2.53 * deviation;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = trials * p + 0.5;
  const alpha = (2.83 + 5.1 / b) * deviation;
  const squeeze = 0.92 - 4.2 / b;
  const mode = Math.floor((trials + 1) * p);
  const logAtMode = logProbability(mode, trials, p);
  for (;;) {
    const u = random() - 0.5;
    const v = random();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || k > trials) continue;
    if (Math.log((v * alpha) / (a / (us * us) + b)) <= logProbability(k, trials, p) - logAtMode) return k;
  }
}

/** log of the probability of k successes, without cancellation for large counts (Loader 2000, as R's dbinom). */
function logProbability(k: number, trials: number, p: number): number {
  if (k === 0) return trials * Math.log1p(-p);
  if (k === trials) return trials * Math.log(p);
  const failures = trials - k;
  return (
    stirlingRest(trials) -
    stirlingRest(k) -
    stirlingRest(failures) -
    deviance(k, trials * p) -
    deviance(failures, trials * (1 - p)) +
    0.5 * Math.log(trials / (2 * Math.PI * k * failures))
  );
}

/** x log(x / mean) + mean - x. */
function deviance(x: number, mean: number): number {
  return -x * log1pMinus((mean - x) / x);
}
