import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chiSquareQuantile, chiSquareTail, noncentralityFor, noncentralTail } from "../../src/stats/chi-square.js";
import { TAILS } from "./chi-square-tails.js";

const relative = (got: number, want: number): number => Math.abs(got / want - 1);

describe("the chi-square distribution", () => {
  it("tails to 10 digits and more, from 1 to 100,000 degrees of freedom and down to 1e-300", () => {
    expect(TAILS.length).toBeGreaterThan(150);
    for (const [df, x, tail] of TAILS)
      expect(relative(chiSquareTail(x, df), tail), `${df} degrees of freedom at ${x}`).toBeLessThan(1e-10);
  });

  it("quantiles are where the tail is", () => {
    for (const [df, x, tail] of TAILS)
      expect(relative(chiSquareQuantile(tail, df), x), `${df} degrees of freedom, ${tail}`).toBeLessThan(1e-9);
  });

  // Abramowitz and Stegun, table 26.8: percentage points, six digits.
  it.each([
    [1, 0.995, 3.92704e-5],
    [2, 0.99, 0.0201007],
    [5, 0.95, 1.14548],
    [7, 0.5, 6.34581],
    [10, 0.05, 18.307],
    [20, 0.01, 37.5662],
    [30, 0.005, 53.672],
    [40, 0.001, 73.402],
    [100, 0.0001, 161.319],
  ])("published percentage points: %d degrees of freedom, %d", (df, tail, x) => {
    expect(relative(chiSquareQuantile(tail, df), x)).toBeLessThan(4e-6);
  });

  it("refuses what is no distribution", () => {
    expect(() => chiSquareQuantile(0, 1)).toThrow(RangeError);
    expect(() => chiSquareQuantile(1, 1)).toThrow(RangeError);
    expect(() => chiSquareQuantile(0.5, 0)).toThrow(RangeError);
    expect(() => noncentralTail(1, 1, -1)).toThrow(RangeError);
    expect(() => noncentralityFor(1, 0.5, 0.4)).toThrow(RangeError);
  });
});

describe("the noncentral chi-square distribution", () => {
  // x, degrees of freedom, noncentrality, upper tail: mpmath at 40 digits.
  it.each([
    [3.841458820694124, 1, 7.848860979, 0.800000023466907],
    [18.30703805, 10, 16.24, 0.799966515021758],
    [5, 3, 0.5, 0.232646143873971],
    [100, 50, 30, 0.0947329524461403],
    [30, 10, 0, 0.0008566412107753],
    [9, 1, 100, 0.99999999999872],
    [400, 319, 44.9, 0.105809321555284],
    [1073.643, 999, 125, 0.843296575524711],
    [1.5, 2, 10, 0.985957375874691],
  ])("tail at %d, %d degrees of freedom, noncentrality %d", (x, df, lambda, tail) => {
    expect(relative(noncentralTail(x, df, lambda), tail)).toBeLessThan(1e-11);
  });

  // Noncentrality for alpha 0.05 and power 0.8; Cohen (1988) and Haynam et al. (1970) have 7.849, 9.635, 10.903, 11.935, 12.828, 16.241, 20.961.
  it.each([
    [1, 7.848860509326],
    [2, 9.63468886797],
    [3, 10.90256329013],
    [4, 11.9352858377],
    [5, 12.82760657231],
    [10, 16.24111028494],
    [20, 20.9607918337],
    [100, 40.55639864821],
    [319, 68.25418426912],
    [999, 116.6227420704],
  ])("noncentrality for power 0.8 at 0.05: %d degrees of freedom", (df, lambda) => {
    expect(relative(noncentralityFor(df, 0.05, 0.8), lambda)).toBeLessThan(1e-10);
  });

  it("rises with the noncentrality, is the central one at 0, and gives the power back that was asked for", () => {
    const df = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(
        df,
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 200, noNaN: true }),
        (k, times, lambda) => {
          expect(noncentralTail(k * times, k, 0)).toBeCloseTo(chiSquareTail(k * times, k), 12);
          expect(noncentralTail(k * times, k, lambda + 1)).toBeGreaterThanOrEqual(
            noncentralTail(k * times, k, lambda) - 1e-13,
          );
        },
      ),
    );
    fc.assert(
      fc.property(
        df,
        fc.double({ min: 1e-6, max: 0.2, noNaN: true }),
        fc.double({ min: 0.25, max: 0.999, noNaN: true }),
        (k, alpha, power) => {
          const lambda = noncentralityFor(k, alpha, power);
          expect(noncentralTail(chiSquareQuantile(alpha, k), k, lambda)).toBeCloseTo(power, 9);
        },
      ),
      { numRuns: 50 },
    );
  });
});
