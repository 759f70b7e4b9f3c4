import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { chiSquareTest } from "../../src/stats/goodness-of-fit.js";
import { drawBinomial, drawMultinomial } from "../../src/stats/sampling.js";

/** A sound sampler fails once in a million runs. */
const ALPHA = 1e-6;

/** Probabilities of 0..n successes, by recurrence from the middle. */
function binomial(n: number, p: number): number[] {
  const log = [0];
  for (let k = 1; k <= n; k++) log.push(log[k - 1]! + Math.log(((n - k + 1) / k) * (p / (1 - p))));
  const weights = log.map((value) => Math.exp(value + n * Math.log1p(-p)));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

describe("counts drawn at once", () => {
  it.each([
    [1, 0.3],
    [20, 0.1],
    [50, 0.19],
    [50, 0.21],
    [400, 0.5],
    [400, 0.97],
    [3000, 0.01],
    [1000, 0.25],
  ])("%d trials of %d: every count as often as the binomial distribution says", (n, p) => {
    const random = seedrandom.alea(`binomial ${n} ${p}`).double;
    const counts = Array.from({ length: n + 1 }, () => 0);
    for (let i = 0; i < 200_000; i++) counts[drawBinomial(n, p, random)]!++;
    expect(chiSquareTest(counts, binomial(n, p), { minimumExpected: 10 }).pValue).toBeGreaterThan(ALPHA);
  });

  it("billions of trials: mean and variance", () => {
    const random = seedrandom.alea("large").double;
    const [n, p, runs] = [4e12, 1e-3, 4000];
    const deviation = Math.sqrt(n * p * (1 - p));
    const z = Array.from({ length: runs }, () => (drawBinomial(n, p, random) - n * p) / deviation);
    const mean = z.reduce((a, b) => a + b) / runs;
    const variance = z.reduce((a, b) => a + b * b, 0) / runs;
    // Five standard errors: 1 / sqrt(runs) and sqrt(2 / runs).
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(runs));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / runs));
  });

  it("multinomial counts sum to the trials, are the same again with the same seed, and follow the probabilities", () => {
    const weights = fc
      .array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 30 })
      .filter((w) => w.some(Boolean));
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 1e9 }), fc.nat(), (w, trials, seed) => {
        const sum = w.reduce((a, b) => a + b);
        const probabilities = w.map((x) => x / sum);
        const draw = (): number[] => drawMultinomial(trials, probabilities, seedrandom.alea(String(seed)).double);
        const counts = draw();
        expect(counts.reduce((a, b) => a + b)).toBe(trials);
        counts.forEach((count, i) => w[i] === 0 && expect(count).toBe(0));
        expect(draw()).toEqual(counts);
        expect(chiSquareTest(counts, probabilities, { minimumExpected: 5 }).pValue).toBeGreaterThan(ALPHA / 100);
      }),
    );
  });

  it("refuses what is no probability", () => {
    const random = seedrandom.alea("x").double;
    expect(() => drawBinomial(-1, 0.5, random)).toThrow(RangeError);
    expect(() => drawBinomial(1, 1.5, random)).toThrow(RangeError);
    expect(() => drawMultinomial(1, [0, 0], random)).toThrow(RangeError);
  });
});
