import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logGamma, lowerGamma, upperGamma } from "../../src/stats/gamma.js";
import { chiSquareTail } from "../../src/stats/chi-square.js";

/** Degrees of freedom, statistic, upper tail: computed with mpmath at 60 digits, rounded to 15. */
const TAILS: readonly (readonly [number, number, number])[] = [
  [1, 3.84145882069412, 0.0500000000000001],
  [9, 3.748, 0.927202110072141],
  [4, 9.48772903678115, 0.0500000000000001],
  [10, 18.3070380532751, 0.05],
  [1, 100, 1.52397060483211e-23],
  [1, 1370, 6.94293736464327e-300],
  [2, 1380, 2.17173828138983e-300],
  [3, 0.001, 0.999991592080942],
  [9, 1400, 7.73099424399916e-296],
  [49, 700, 5.15563147982615e-116],
  [99, 1500, 6.46698436722843e-249],
  [9999, 10000, 0.495298394538684],
  [9999, 10500, 0.000241530114222553],
  [9999, 14000, 1.33847588355432e-140],
  [999999, 1000000, 0.499529841988113],
  [999999, 1010000, 9.02264764789e-13],
  [100, 50, 0.999993046694752],
  [1, 0.0001, 0.992021287370737],
  [5, 5, 0.415880186995508],
  [29999, 29000, 0.999981212955197],
  [199, 199, 0.486667825972319],
  [21, 24, 0.293058531258575],
  [23, 25, 0.350285337924554],
  [24, 24, 0.461597333063618],
];

/** Critical values of the published tables (NIST/SEMATECH e-Handbook 1.3.6.7.4), to their three decimals. */
const CRITICAL: readonly (readonly [number, readonly [number, number][]])[] = [
  [
    1,
    [
      [0.1, 2.706],
      [0.05, 3.841],
      [0.01, 6.635],
      [0.001, 10.828],
    ],
  ],
  [
    5,
    [
      [0.1, 9.236],
      [0.05, 11.07],
      [0.01, 15.086],
      [0.001, 20.515],
    ],
  ],
  [
    10,
    [
      [0.1, 15.987],
      [0.05, 18.307],
      [0.01, 23.209],
      [0.001, 29.588],
    ],
  ],
  [
    30,
    [
      [0.1, 40.256],
      [0.05, 43.773],
      [0.01, 50.892],
      [0.001, 59.703],
    ],
  ],
  [
    100,
    [
      [0.1, 118.498],
      [0.05, 124.342],
      [0.01, 135.807],
      [0.001, 149.449],
    ],
  ],
];

describe("the incomplete gamma function", () => {
  it.each(TAILS)("chi-square tail, %d degrees of freedom at %d", (df, x, tail) => {
    expect(Math.abs(chiSquareTail(x, df) / tail - 1)).toBeLessThan(1e-11);
  });

  it.each(CRITICAL)("published critical values for %d degrees of freedom", (df, values) => {
    for (const [p, x] of values) {
      expect(chiSquareTail(x - 0.0005, df)).toBeGreaterThan(p);
      expect(chiSquareTail(x + 0.0005, df)).toBeLessThan(p);
    }
  });

  it.each([
    [0.5, 0.5723649429247],
    [1, 0],
    [1.5, -0.120782237635245],
    [2, 0],
    [3.7, 1.42807232666539],
    [10, 12.8018274800815],
    [11.999, 17.4998652276461],
    [12, 17.5023078458739],
    [100.25, 360.284559637764],
    [12345.5, 103958.242965123],
    [1e6, 12815504.5691476],
  ])("log Gamma of %d", (x, value) => {
    expect(Math.abs(logGamma(x) - value)).toBeLessThan(5e-15 * Math.max(1, Math.abs(value)));
  });

  const shape = fc.double({ min: 0.5, max: 5000, noNaN: true });
  const ratio = fc.double({ min: 0, max: 3, noNaN: true });

  it("P and Q sum to 1, and Q falls", () => {
    fc.assert(
      fc.property(shape, ratio, (a, times) => {
        const x = a * times;
        expect(lowerGamma(a, x) + upperGamma(a, x)).toBeCloseTo(1, 13);
        expect(upperGamma(a, x * 1.01 + 1e-3)).toBeLessThanOrEqual(upperGamma(a, x) + 1e-15);
      }),
    );
  });

  it("recurrence: Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1)", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 400, noNaN: true }),
        fc.double({ min: 0.05, max: 3, noNaN: true }),
        (a, times) => {
          const x = a * times;
          const step = Math.exp(a * Math.log(x) - x - logGamma(a + 1));
          expect(upperGamma(a + 1, x)).toBeCloseTo(upperGamma(a, x) + step, 11);
        },
      ),
    );
  });

  it("the series and the fraction meet where one takes over from the other", () => {
    for (const a of [0.5, 3, 11.5, 12, 50, 1000.5, 1e5]) {
      const below = upperGamma(a, (a + 1) * (1 - 1e-13));
      const above = upperGamma(a, (a + 1) * (1 + 1e-13));
      expect(Math.abs(below - above)).toBeLessThan(1e-10);
    }
  });

  it("ends of the range, and arguments outside it", () => {
    expect(upperGamma(3, 0)).toBe(1);
    expect(upperGamma(3, Infinity)).toBe(0);
    expect(lowerGamma(3, Infinity)).toBe(1);
    expect(() => upperGamma(0, 1)).toThrow(RangeError);
    expect(() => upperGamma(1, -1)).toThrow(RangeError);
    expect(() => upperGamma(1, NaN)).toThrow(RangeError);
    expect(() => logGamma(0)).toThrow(RangeError);
  });
});
