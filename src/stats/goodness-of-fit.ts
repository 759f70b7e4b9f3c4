import { chiSquareTail } from "./chi-square.js";

/** What a goodness-of-fit test says. */
export interface FitTest {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  /** Probability of a statistic at least this large if the expectation holds. */
  readonly pValue: number;
  /** How many observations there were. */
  readonly total: number;
  /** The cells that were tested, as indexes of the given ones: more than one index where small cells were pooled. */
  readonly cells: readonly (readonly number[])[];
}

export interface FitOptions {
  /** Cells whose expected count is below this are pooled with others; 0 (the default) pools none. The usual choice is 5. */
  readonly minimumExpected?: number;
}

/**
 * Pearson's chi-square test of observed counts against expected probabilities (which must sum to 1).
 * Cells of probability 0 give no degree of freedom; something observed in one makes the p-value 0.
 * Throws RangeError on counts that are no whole numbers of at least 0 and on bad probabilities.
 */
export function chiSquareTest(
  observed: ArrayLike<number>,
  expectedProbabilities: ArrayLike<number>,
  options: FitOptions = {},
): FitTest {
  return fitTest(observed, expectedProbabilities, options, (o, e) => ((o - e) * (o - e)) / e);
}

/** The likelihood-ratio test (G-test): 2 sum O log(O / E), compared with the same distribution. */
export function gTest(
  observed: ArrayLike<number>,
  expectedProbabilities: ArrayLike<number>,
  options: FitOptions = {},
): FitTest {
  // 2 (O log(O/E) - O + E): the same sum, and no term of it is negative.
  return fitTest(observed, expectedProbabilities, options, (o, e) =>
    o === 0 ? 2 * e : Math.max(0, 2 * (o * Math.log(o / e) - (o - e))),
  );
}

function fitTest(
  observed: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  options: FitOptions,
  term: (observed: number, expected: number) => number,
): FitTest {
  const total = checkCounts(observed, probabilities);
  const cells = poolCells(probabilities, total, options.minimumExpected ?? 0);
  let statistic = 0;
  let possible = 0;
  let compensation = 0;
  for (const cell of cells) {
    const expected = total * sumOf(cell, probabilities);
    const count = sumOf(cell, observed);
    if (expected > 0) possible++;
    if (expected === 0 && count === 0) continue;
    const value = (expected === 0 ? Infinity : term(count, expected)) - compensation;
    const next = statistic + value;
    compensation = next === Infinity ? 0 : next - statistic - value;
    statistic = next;
  }
  const degreesOfFreedom = Math.max(0, possible - 1);
  const pValue = statistic === Infinity ? 0 : degreesOfFreedom === 0 ? 1 : chiSquareTail(statistic, degreesOfFreedom);
  return { statistic, degreesOfFreedom, pValue, total, cells };
}

/** Sums of probabilities may differ from 1 by rounding, no more. */
const PROBABILITY_SLACK = 1e-9;

function checkCounts(observed: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  if (observed.length !== probabilities.length)
    throw new RangeError(`${observed.length} observed counts, but ${probabilities.length} probabilities`);
  let total = 0;
  let sum = 0;
  for (let i = 0; i < observed.length; i++) {
    const [count, p] = [observed[i]!, probabilities[i]!];
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`observed count ${count} of cell ${i}`);
    if (!(p >= 0 && p <= 1)) throw new RangeError(`probability ${p} of cell ${i}`);
    total += count;
    sum += p;
  }
  if (observed.length === 0) throw new RangeError("no cells");
  if (Math.abs(sum - 1) > PROBABILITY_SLACK) throw new RangeError(`the probabilities sum to ${sum}, not 1`);
  return total;
}

function sumOf(indexes: readonly number[], values: ArrayLike<number>): number {
  let sum = 0;
  for (const i of indexes) sum += values[i]!;
  return sum;
}

/**
 * Joins cells until each expects at least `minimum` observations: the rarest are put together first, and what stays too
 * small joins the smallest of the others. Cells of probability 0 are never joined. Which cells were joined depends on the
 * expectation alone, never on the observations.
 */
export function poolCells(probabilities: ArrayLike<number>, total: number, minimum: number): number[][] {
  const all = Array.from(probabilities, (p, index) => ({ p, index }));
  const impossible = all.filter((cell) => cell.p === 0).map((cell) => [cell.index]);
  const byRarity = all.filter((cell) => cell.p > 0).sort((a, b) => a.p - b.p || a.index - b.index);
  const cells: number[][] = [];
  let open: number[] = [];
  let expected = 0;
  for (const { p, index } of byRarity) {
    open.push(index);
    expected += p * total;
    if (expected >= minimum) {
      cells.push(open);
      open = [];
      expected = 0;
    }
  }
  if (open.length > 0) {
    const last = cells.pop();
    cells.push(last === undefined ? open : [...last, ...open]);
  }
  return [...cells, ...impossible].map((cell) => cell.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);
}

/** The cell (or pool of cells) that is farthest from its expectation. */
export interface Deviation {
  /** Indexes of the given cells. */
  readonly cells: readonly number[];
  readonly observed: number;
  readonly expected: number;
  /** (observed - expected) / expected. */
  readonly relative: number;
  /** In standard deviations of a binomial count. */
  readonly standardDeviations: number;
}

/** The largest deviation, in standard deviations, among the cells a test looked at; undefined where there is only one, or nothing was observed. */
export function largestDeviation(
  observed: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  { cells, total }: Pick<FitTest, "cells" | "total">,
): Deviation | undefined {
  if (cells.length < 2 || total === 0) return undefined;
  let largest: Deviation | undefined;
  for (const cell of cells) {
    const probability = Math.min(1, sumOf(cell, probabilities));
    const expected = total * probability;
    const count = sumOf(cell, observed);
    if (expected === 0 && count === 0) continue;
    const standardDeviations = (count - expected) / Math.sqrt(expected * (1 - probability));
    if (largest === undefined || Math.abs(standardDeviations) > Math.abs(largest.standardDeviations))
      largest = { cells: cell, observed: count, expected, relative: (count - expected) / expected, standardDeviations };
  }
  return largest;
}

/**
 * The test of counts that come in clusters, all of a cluster in one cell, as the packets of a connection do: the statistic divided by the
 * design effect (Rao and Scott 1981). `designEffect`: sum of the squared cluster sizes by their sum, at least 1. Cells are pooled by what
 * they expect of independent observations.
 */
export function clusteredTest(
  observed: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  designEffect: number,
  options: FitOptions = {},
): FitTest {
  const minimumExpected = (options.minimumExpected ?? 0) * designEffect;
  const plain = chiSquareTest(observed, probabilities, { minimumExpected });
  const statistic = plain.statistic / designEffect;
  const { degreesOfFreedom } = plain;
  const pValue = degreesOfFreedom === 0 ? plain.pValue : chiSquareTail(statistic, degreesOfFreedom);
  return { ...plain, statistic, pValue };
}
