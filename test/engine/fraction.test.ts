import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, dyadic, equals, formatFraction, multiply, ONE, toNumber, unit, ZERO } from "../../src/engine/fraction.js";

const fraction = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 62n }), fc.nat(90), fc.integer({ min: 1, max: 60 }))
  .map(([n, e, odd]) => multiply(dyadic(n, e), unit(odd)));

describe("fractions", () => {
  it("add and multiply as rationals do", () => {
    fc.assert(
      fc.property(fraction, fraction, fraction, (a, b, c) => {
        expect(equals(add(a, b), add(b, a))).toBe(true);
        expect(equals(multiply(a, add(b, c)), add(multiply(a, b), multiply(a, c)))).toBe(true);
        expect(equals(add(a, ZERO), a)).toBe(true);
        expect(equals(multiply(a, ONE), a)).toBe(true);
      }),
    );
  });

  it("print reduced by shift", () => {
    expect(formatFraction(dyadic(2n ** 30n, 31))).toBe("1/2");
    expect(formatFraction(unit(6))).toBe("1/6");
    expect(formatFraction(ZERO)).toBe("0/1");
    expect(formatFraction(add(unit(3), unit(3)))).toBe("2/3");
  });

  it("become numbers also far beyond a double's range", () => {
    expect(toNumber(unit(3))).toBeCloseTo(1 / 3, 15);
    expect(toNumber(dyadic(3n ** 2000n, 4000))).toBeCloseTo(Math.exp(2000 * Math.log(3) - 4000 * Math.log(2)), 12);
    expect(toNumber(ZERO)).toBe(0);
  });

  it("sum to one over a chain of statistic rules", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { maxLength: 40 }), (thresholds) => {
        let left = ONE;
        let sum = ZERO;
        for (const t of [...thresholds, 2 ** 31]) {
          sum = add(sum, multiply(left, dyadic(BigInt(t), 31)));
          left = multiply(left, dyadic(2n ** 31n - BigInt(t), 31));
        }
        expect(equals(sum, ONE)).toBe(true);
      }),
    );
  });
});
