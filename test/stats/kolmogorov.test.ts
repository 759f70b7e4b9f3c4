import { describe, expect, it } from "vitest";
import { kolmogorovTail, uniformityTest } from "../../src/stats/kolmogorov.js";

describe("the Kolmogorov-Smirnov test", () => {
  // n, statistic, tail: the formula of Marsaglia, Tsang and Wang in mpmath at 60 digits; up to 100 also scipy's kstwo.sf.
  it.each([
    [1, 0.7, 0.6],
    [5, 0.3, 0.664],
    [10, 0.274, 0.371520384543],
    [20, 0.2, 0.352720173623],
    [20, 0.6, 2.04830116497e-7],
    [50, 0.19, 0.0469893282021],
    [100, 0.1, 0.252692757006],
    [100, 0.2, 0.000555192732803],
    [200, 0.05, 0.68026272544],
    [300, 0.13, 7.01556462255e-5],
    [500, 0.03, 0.747316622181],
  ])("%d values, statistic %d", (n, d, tail) => {
    expect(Math.abs(kolmogorovTail(n, d) / tail - 1)).toBeLessThan(2e-9);
  });

  // scipy's approximation, which has some six digits.
  it.each([
    [2000, 0.02, 0.395313362689, 1e-6],
    [2000, 0.05, 8.7430957959e-5, 1e-6],
    [10_000, 0.01, 0.268219127703, 1e-2],
    [10_000, 0.005, 0.96287780252, 1e-2],
  ])("many: %d values, statistic %d", (n, d, tail, error) => {
    expect(Math.abs(kolmogorovTail(n, d) / tail - 1)).toBeLessThan(error);
  });

  it("the statistic of a small sample, by hand", () => {
    expect(uniformityTest([0.7])).toMatchObject({
      statistic: 0.7,
      pValue: expect.closeTo(0.6, 12) as number,
      count: 1,
    });
    expect(uniformityTest([0.1, 0.9, 0.5]).statistic).toBeCloseTo(1 / 3 - 0.1, 12);
    expect(() => uniformityTest([])).toThrow(RangeError);
    expect(() => uniformityTest([1.5])).toThrow(RangeError);
  });
});
