import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { chiSquareTest } from "../../src/stats/goodness-of-fit.js";
import {
  fixedPopularity,
  type Popularity,
  uniformPopularity,
  weightedPopularity,
  zipfPopularity,
} from "../../src/traffic/popularity.js";

function probabilities(popularity: Popularity): number[] {
  return Array.from({ length: popularity.size }, (_, i) => popularity.probability(i));
}

function counts(popularity: Popularity, n: number, seed: string): number[] {
  const random = seedrandom.alea(seed);
  const out = Array.from({ length: popularity.size }, () => 0);
  for (let i = 0; i < n; i++) out[popularity.pick(random)]!++;
  return out;
}

describe("popularity", () => {
  const weights = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 1, maxLength: 60 });

  it("law: probabilities sum to 1, and only what has a probability is picked", () => {
    fc.assert(
      fc.property(
        weights.filter((w) => w.some((x) => x > 1e-6)),
        fc.integer(),
        (w, seed) => {
          const popularity = weightedPopularity(w);
          expect(probabilities(popularity).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
          counts(popularity, 300, String(seed)).forEach((n, i) => {
            if (n > 0) expect(popularity.probability(i)).toBeGreaterThan(0);
          });
        },
      ),
    );
  });

  it.each([
    ["uniform", uniformPopularity(37)],
    ["Zipf 1", zipfPopularity(200, 1)],
    ["Zipf 0.8, shuffled", zipfPopularity(150, 0.8, seedrandom.alea("ranks"))],
    ["Zipf 2", zipfPopularity(30, 2)],
    ["weights with zeros", weightedPopularity([0, 3, 0, 1, 7, 0.5])],
  ])("draws of %s follow their probabilities", (name, popularity) => {
    const test = chiSquareTest(counts(popularity, 60_000, name), probabilities(popularity), { minimumExpected: 5 });
    expect(test.pValue).toBeGreaterThan(1e-4);
  });

  it("Zipf: rank k is called 1 / k^s as often as rank 1, and shuffling only changes who has which rank", () => {
    const plain = probabilities(zipfPopularity(50, 1.2));
    plain.forEach((p, i) => expect(p / plain[0]!).toBeCloseTo((i + 1) ** -1.2, 12));
    const shuffled = probabilities(zipfPopularity(50, 1.2, seedrandom.alea("s")));
    expect(shuffled).not.toEqual(plain);
    expect(shuffled.toSorted((a, b) => b - a)).toEqual(plain);
  });

  it("an exponent of 0 is uniform; a fixed one is always itself", () => {
    expect(probabilities(zipfPopularity(8, 0))).toEqual(probabilities(uniformPopularity(8)));
    expect(counts(fixedPopularity(5, 3), 20, "x")).toEqual([0, 0, 0, 20, 0]);
  });

  it("refuses nonsense", () => {
    expect(() => uniformPopularity(0)).toThrow(RangeError);
    expect(() => fixedPopularity(5, 5)).toThrow(RangeError);
    expect(() => zipfPopularity(5, -1)).toThrow(RangeError);
    expect(() => weightedPopularity([0, 0])).toThrow(RangeError);
    expect(() => weightedPopularity([1, NaN])).toThrow(RangeError);
  });
});
