/** How many observations a chi-square test needs to see a deviation (Cohen 1988, chapter 7). */
import { chiSquareQuantile, noncentralityFor, noncentralTail } from "./chi-square.js";

export interface PowerOptions {
  /** The level of the test: how often it rejects what is true. Default 0.05. */
  readonly alpha?: number;
  /** How often it shall find the deviation. Default 0.8. */
  readonly power?: number;
}

const DEFAULT_ALPHA = 0.05;
const DEFAULT_POWER = 0.8;

/**
 * w squared: sum of (p - q)^2 / q over the cells, with p the true and q the expected probabilities. N observations give a noncentrality of
 * N w^2. Throws RangeError where a cell may happen that is not expected at all: one observation shows it.
 */
export function effectSize(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length)
    throw new RangeError(`${actual.length} true probabilities, but ${expected.length} expected ones`);
  let sum = 0;
  for (let i = 0; i < actual.length; i++) {
    const [p, q] = [actual[i]!, expected[i]!];
    if (q === 0 && p > 0) throw new RangeError(`cell ${i} is not expected, but has probability ${p}`);
    if (q > 0) sum += (p - q) ** 2 / q;
  }
  return sum;
}

/** Observations needed to find an effect with the given power: Infinity where there is none. Not rounded. */
export function observationsNeeded(effect: number, cells: number, options: PowerOptions = {}): number {
  const { alpha = DEFAULT_ALPHA, power = DEFAULT_POWER } = options;
  if (cells < 2) return Infinity;
  return noncentralityFor(cells - 1, alpha, power) / effect;
}

/** How often a test with this many observations finds the effect. */
export function powerOf(effect: number, cells: number, observations: number, alpha = DEFAULT_ALPHA): number {
  if (cells < 2) return 0;
  return noncentralTail(chiSquareQuantile(alpha, cells - 1), cells - 1, observations * effect);
}

/** The smallest effect (w squared) that this many observations find with the given power. */
export function smallestEffect(observations: number, cells: number, options: PowerOptions = {}): number {
  const { alpha = DEFAULT_ALPHA, power = DEFAULT_POWER } = options;
  return noncentralityFor(cells - 1, alpha, power) / observations;
}
