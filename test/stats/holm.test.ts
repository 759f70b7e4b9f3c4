import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holm } from "../../src/stats/holm.js";

describe("Holm's correction", () => {
  it("a worked example", () => {
    expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toPrecision(12)))).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it("is between the p-value and Bonferroni, keeps the order, and rejects as stepping down does", () => {
    const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(pValues, fc.double({ min: 0.001, max: 0.2, noNaN: true }), (ps, alpha) => {
        const adjusted = holm(ps);
        ps.forEach((p, i) => {
          expect(adjusted[i]).toBeGreaterThanOrEqual(p);
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * ps.length));
          ps.forEach((q, j) => p < q && expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]!));
        });
        const sorted = [...ps].sort((a, b) => a - b);
        const stop = sorted.findIndex((p, i) => p * (ps.length - i) > alpha);
        expect(adjusted.filter((p) => p <= alpha)).toHaveLength(stop < 0 ? ps.length : stop);
      }),
    );
  });
});
