import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { chiSquareTest, gTest, poolCells } from "../../src/stats/goodness-of-fit.js";

const uniform = (n: number): number[] => Array.from({ length: n }, () => 1 / n);

/** Counts of `n` draws from the probabilities. */
function sample(probabilities: readonly number[], n: number, random: () => number): number[] {
  const counts = probabilities.map(() => 0);
  for (let i = 0; i < n; i++) {
    let rest = random();
    let cell = 0;
    while (cell < probabilities.length - 1 && rest >= probabilities[cell]!) rest -= probabilities[cell++]!;
    counts[cell]!++;
  }
  return counts;
}

describe("chi-square test", () => {
  it("a worked example: 60 throws of a die", () => {
    const test = chiSquareTest([5, 8, 9, 8, 10, 20], uniform(6));
    expect(test.statistic).toBeCloseTo(13.4, 12);
    expect(test.degreesOfFreedom).toBe(5);
    // mpmath: gammainc(2.5, 6.7, regularized=True)
    expect(test.pValue).toBeCloseTo(0.0199052203347744, 12);
    expect(test.total).toBe(60);
  });

  it("Mendel's peas: 315, 101, 108, 32 against 9:3:3:1", () => {
    const test = chiSquareTest([315, 101, 108, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16]);
    expect(test.statistic).toBeCloseTo(0.470024, 6);
    expect(test.pValue).toBeCloseTo(0.9254, 4);
    expect(gTest([315, 101, 108, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16]).statistic).toBeCloseTo(0.4754, 3);
  });

  it("cells that cannot happen", () => {
    expect(chiSquareTest([5, 5, 0], [0.5, 0.5, 0])).toMatchObject({ statistic: 0, degreesOfFreedom: 1, pValue: 1 });
    expect(chiSquareTest([5, 5, 1], [0.5, 0.5, 0])).toMatchObject({ statistic: Infinity, pValue: 0 });
    expect(chiSquareTest([7], [1])).toMatchObject({ statistic: 0, degreesOfFreedom: 0, pValue: 1 });
  });

  it.each([
    [[1, 2], [1]],
    [[], []],
    [
      [1, 2],
      [0.5, 0.6],
    ],
    [
      [1.5, 2],
      [0.5, 0.5],
    ],
    [
      [-1, 2],
      [0.5, 0.5],
    ],
    [
      [1, 2],
      [-0.5, 1.5],
    ],
    [
      [1, 2],
      [NaN, 0.5],
    ],
  ])("refuses %j against %j", (observed, probabilities) => {
    expect(() => chiSquareTest(observed, probabilities)).toThrow(RangeError);
  });

  it("p-values of true samples are uniform: few are small, few are large", () => {
    const random = seedrandom.alea("p-values");
    const probabilities = [0.2, 0.3, 0.1, 0.15, 0.25];
    for (const test of [chiSquareTest, gTest]) {
      const runs = 600;
      const pValues = Array.from(
        { length: runs },
        () => test(sample(probabilities, 500, random), probabilities).pValue,
      );
      const deciles = Array.from({ length: 10 }, () => 0);
      for (const p of pValues) deciles[Math.min(9, Math.floor(p * 10))]!++;
      expect(chiSquareTest(deciles, uniform(10)).pValue).toBeGreaterThan(1e-4);
    }
  });

  it("a biased sample is found", () => {
    const random = seedrandom.alea("biased");
    const counts = sample([0.26, 0.24, 0.25, 0.25], 40_000, random);
    expect(chiSquareTest(counts, uniform(4)).pValue).toBeLessThan(1e-3);
    expect(gTest(counts, uniform(4)).pValue).toBeLessThan(1e-3);
  });

  it("the order of the cells does not matter, and both tests agree on large samples", () => {
    const random = seedrandom.alea("order");
    const probabilities = [0.1, 0.2, 0.3, 0.4];
    const counts = sample(probabilities, 100_000, random);
    const forward = chiSquareTest(counts, probabilities);
    const backward = chiSquareTest(counts.toReversed(), probabilities.toReversed());
    expect(backward.statistic).toBeCloseTo(forward.statistic, 10);
    expect(gTest(counts, probabilities).statistic / forward.statistic).toBeCloseTo(1, 1);
  });
});

describe("pooling", () => {
  const weights = fc
    .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 })
    .filter((w) => w.some(Boolean));

  it("keeps every cell exactly once, and every pool is large enough unless there is only one", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 5000 }), (w, total) => {
        const sum = w.reduce((a, b) => a + b);
        const probabilities = w.map((x) => x / sum);
        const cells = poolCells(probabilities, total, 5);
        expect(cells.flat().sort((a, b) => a - b)).toEqual(w.map((_, i) => i));
        const possible = cells.filter((cell) => cell.some((i) => probabilities[i]! > 0));
        for (const cell of possible) {
          const expected = cell.reduce((s, i) => s + probabilities[i]! * total, 0);
          if (possible.length > 1) expect(expected).toBeGreaterThanOrEqual(5 - 1e-9);
          if (cell.length > 1) expect(cell.every((i) => probabilities[i]! > 0)).toBe(true);
        }
      }),
    );
  });

  it("is told in the result", () => {
    const test = chiSquareTest([90, 6, 2, 1, 1], [0.9, 0.06, 0.02, 0.01, 0.01], { minimumExpected: 4 });
    expect(test.cells).toEqual([[0], [1], [2, 3, 4]]);
    expect(test.degreesOfFreedom).toBe(2);
    expect(test.statistic).toBeCloseTo(0, 10);
  });
});
