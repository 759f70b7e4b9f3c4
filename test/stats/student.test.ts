import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { benjaminiHochberg } from "../../src/stats/false-discovery.js";
import { holm } from "../../src/stats/holm.js";
import { incompleteBeta, studentQuantile, studentTail } from "../../src/stats/student.js";

describe("Student's t", () => {
  it.each([
    // Published tables: upper tail, degrees of freedom, t.
    [0.05, 1, 6.313751515],
    [0.025, 2, 4.302652729],
    [0.025, 4, 2.776445105],
    [0.005, 10, 3.169272672],
    [0.025, 30, 2.042272456],
    [0.0005, 120, 3.373453741],
  ])("has a tail of %d beyond its quantile with %d degrees of freedom, %d", (tail, df, t) => {
    expect(studentQuantile(tail, df)).toBeCloseTo(t, 7);
    expect(studentTail(t, df)).toBeCloseTo(tail, 9);
  });

  it("with one degree of freedom is Cauchy's, whose tail is an arctangent", () => {
    for (const t of [0, 0.3, 1, 7, 1000]) expect(studentTail(t, 1)).toBeCloseTo(0.5 - Math.atan(t) / Math.PI, 13);
  });

  it("is symmetric, and falls", () => {
    const t = fc.double({ min: -50, max: 50, noNaN: true });
    fc.assert(
      fc.property(t, t, fc.integer({ min: 1, max: 500 }), (a, b, df) => {
        expect(studentTail(a, df) + studentTail(-a, df)).toBeCloseTo(1, 12);
        if (a < b) expect(studentTail(a, df)).toBeGreaterThanOrEqual(studentTail(b, df));
      }),
    );
  });

  it("the beta function it stands on has the polynomial values of whole arguments", () => {
    for (const x of [0, 0.1, 0.5, 0.9, 1]) {
      expect(incompleteBeta(1, 1, x)).toBeCloseTo(x, 14);
      expect(incompleteBeta(2, 1, x)).toBeCloseTo(x * x, 14);
      expect(incompleteBeta(2, 2, x)).toBeCloseTo(3 * x ** 2 - 2 * x ** 3, 14);
    }
  });
});

describe("Benjamini and Hochberg", () => {
  it("is as in their paper's example: four of fifteen are found", () => {
    const p = [
      0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
    ];
    expect(benjaminiHochberg(p).filter((adjusted) => adjusted <= 0.05)).toHaveLength(4);
  });

  it("keeps the order of p-values, lowers none, and is never stricter than Holm", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }), (p) => {
        const adjusted = benjaminiHochberg(p);
        const strict = holm(p);
        p.forEach((value, i) => {
          expect(adjusted[i]!).toBeGreaterThanOrEqual(value);
          expect(adjusted[i]!).toBeLessThanOrEqual(strict[i]! + 1e-15);
          p.forEach((other, j) => {
            if (value <= other) expect(adjusted[i]!).toBeLessThanOrEqual(adjusted[j]!);
          });
        });
      }),
    );
  });
});
