import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { bootstrapInterval, ratioInterval } from "../../src/stats/bootstrap.js";
import { fitLine, logLogSlope, median, quantile, summarize } from "../../src/stats/summary.js";

describe("summary", () => {
  it("of a known sample", () => {
    expect(summarize([9, 1, 2, 2, 4, 6, 5])).toMatchObject({ count: 7, minimum: 1, median: 4, mad: 2, maximum: 9 });
    expect(median([3, 1, 2, 4])).toBe(2.5);
    expect(() => summarize([])).toThrow(RangeError);
  });

  it("quantiles grow with p and stay inside the sample, whatever its order", () => {
    const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(
        values,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (v, p, q) => {
          const [low, high] = [quantile(v, Math.min(p, q)), quantile(v.toReversed(), Math.max(p, q))];
          expect(low).toBeLessThanOrEqual(high);
          expect(low).toBeGreaterThanOrEqual(Math.min(...v));
          expect(high).toBeLessThanOrEqual(Math.max(...v));
        },
      ),
    );
  });
});

describe("a straight line", () => {
  const number = fc.double({ min: -100, max: 100, noNaN: true });

  it("is found again", () => {
    fc.assert(
      fc.property(number, number, (slope, intercept) => {
        const x = [17, 167, 316, 3016];
        const line = fitLine(
          x,
          x.map((value) => intercept + slope * value),
        );
        expect(line.slope).toBeCloseTo(slope, 8);
        expect(line.intercept).toBeCloseTo(intercept, 6);
        if (Math.abs(slope) > 1e-3) expect(line.rSquared).toBeGreaterThan(0.999999);
      }),
    );
  });

  it("explains nothing of what does not follow x, and half of what does by half", () => {
    expect(fitLine([0, 1, 2, 3], [1, -1, -1, 1])).toEqual({ slope: 0, intercept: 0, rSquared: 0 });
    // Anscombe's quartet, the first set: y = 3 + x / 2, R squared 0.67.
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const { slope, intercept, rSquared } = fitLine(
      x,
      [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68],
    );
    expect([slope, intercept, rSquared]).toEqual([
      expect.closeTo(0.5001, 4),
      expect.closeTo(3.0001, 4),
      expect.closeTo(0.6665, 4),
    ]);
    expect(() => fitLine([1, 1], [1, 2])).toThrow(RangeError);
  });
});

describe("log-log slope", () => {
  it("finds a power law again", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (slope, factor) => {
          const x = [100, 300, 1000, 3000, 10000];
          const law = logLogSlope(
            x,
            x.map((n) => factor * n ** slope),
          );
          expect(law.slope).toBeCloseTo(slope, 9);
          expect(law.factor / factor).toBeCloseTo(1, 8);
          if (Math.abs(slope) > 1e-3) expect(law.rSquared).toBeGreaterThan(0.999);
        },
      ),
    );
  });

  it("refuses what has no logarithm or no slope", () => {
    expect(() => logLogSlope([1, 2], [0, 1])).toThrow(RangeError);
    expect(() => logLogSlope([2, 2], [1, 3])).toThrow(RangeError);
    expect(() => logLogSlope([1, 2], [1])).toThrow(RangeError);
  });
});

/** A standard normal draw (Box and Muller). */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

describe("bootstrap", () => {
  it("is the same again with the same seed, and holds its estimate", () => {
    const a = [10, 11, 12, 9, 10.5, 11.5];
    const b = [5, 5.5, 4.5, 5.2];
    const run = (seed: string): unknown => ratioInterval(a, b, { random: seedrandom.alea(seed) });
    expect(run("1")).toEqual(run("1"));
    const interval = ratioInterval(a, b, { random: seedrandom.alea("2") });
    expect(interval.estimate).toBeCloseTo(10.75 / 5.1, 12);
    expect(interval.low).toBeLessThan(interval.estimate);
    expect(interval.high).toBeGreaterThan(interval.estimate);
    expect(() => ratioInterval([], b, { random: seedrandom.alea("2") })).toThrow(RangeError);
  });

  it("holds the true ratio about as often as it says", () => {
    const random = seedrandom.alea("coverage");
    let held = 0;
    const runs = 120;
    for (let i = 0; i < runs; i++) {
      const a = Array.from({ length: 40 }, () => 30 + 3 * gaussian(random));
      const b = Array.from({ length: 40 }, () => 10 + gaussian(random));
      const { low, high } = ratioInterval(a, b, { random, resamples: 300, confidence: 0.9 });
      if (low <= 3 && 3 <= high) held++;
    }
    // 0.9 of 120 is 108, its standard deviation 3.3; the percentile interval of a median is a little wide.
    expect(held).toBeGreaterThan(96);
    expect(held).toBeLessThan(120);
  });

  it("narrows as the sample grows", () => {
    const random = seedrandom.alea("width");
    const width = (n: number): number => {
      const { low, high } = bootstrapInterval(
        Array.from({ length: n }, () => gaussian(random)),
        { random, resamples: 400 },
      );
      return high - low;
    };
    expect(width(900)).toBeLessThan(width(30));
  });
});
