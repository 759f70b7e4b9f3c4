import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PickMechanism, pickMechanisms, pickShares } from "../../src/kube/pick-shares.js";
import { effectSize, observationsNeeded, powerOf, smallestEffect } from "../../src/stats/power.js";

const even = (n: number): number[] => Array.from({ length: n }, () => 1 / n);
const needed = (mechanism: PickMechanism, n: number): number =>
  observationsNeeded(effectSize(pickShares(mechanism, n), even(n)), n);

describe("packets needed to see a bias", () => {
  // alpha 0.05, power 0.8: the published figures are 2.0e8, 4.1e7, 3.7e6, 1.3e6 and about 2e16.
  it.each([
    [320, 2.0e8],
    [1000, 4.1e7],
    [5000, 3.7e6],
    [10_000, 1.3e6],
  ])("five decimals, %d endpoints: %d", (n, packets) => {
    expect(Number(needed("statistic-5", n).toPrecision(2))).toBe(packets);
  });

  it("ten decimals, 1000 endpoints: about 2e16", () => {
    expect(Number(needed("statistic-10", 1000).toPrecision(1))).toBe(2e16);
  });

  it("numgen and modulo: w^2 is r (n - r) / 2^64 with r = 2^32 mod n", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20_000 }), (n) => {
        const r = 2 ** 32 % n;
        const exact = (r * (n - r)) / 2 ** 64;
        for (const mechanism of ["numgen", "modulo"] as const) {
          const effect = effectSize(pickShares(mechanism, n), even(n));
          if (exact === 0) expect(effect).toBeLessThan(1e-28);
          else expect(Math.abs(effect / exact - 1)).toBeLessThan(1e-3);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("shares of every mechanism sum to one", () => {
    for (const mechanism of pickMechanisms)
      for (const n of [1, 2, 3, 7, 320, 1000, 65_536])
        expect(pickShares(mechanism, n).reduce((a, b) => a + b)).toBeCloseTo(1, 11);
    expect(() => pickShares("numgen", 0)).toThrow(RangeError);
  });

  it("numgen's shares are those of counting", () => {
    // The same formula with 16 bits instead of 32, where all draws can be counted.
    const counts = (n: number): number[] => {
      const found = Array.from({ length: n }, () => 0);
      for (let u = 0; u < 65_536; u++) found[Math.floor((u * n) / 65_536)]!++;
      return found;
    };
    for (const n of [3, 10, 1000]) {
      const first = (v: number): number => Math.ceil((v * 65_536) / n);
      expect(counts(n)).toEqual(Array.from({ length: n }, (_, v) => first(v + 1) - first(v)));
    }
  });

  it("power, packets and effect are three views of one relation", () => {
    const observations = needed("statistic-5", 1000);
    const effect = effectSize(pickShares("statistic-5", 1000), even(1000));
    expect(powerOf(effect, 1000, observations)).toBeCloseTo(0.8, 10);
    expect(smallestEffect(observations, 1000) / effect).toBeCloseTo(1, 10);
    expect(powerOf(effect, 1000, observations / 10)).toBeLessThan(0.15);
    expect(powerOf(0, 10, 1e9)).toBeCloseTo(0.05, 10);
  });

  it("nothing to see, and what one observation shows", () => {
    expect(observationsNeeded(0, 10)).toBe(Infinity);
    expect(observationsNeeded(0.1, 1)).toBe(Infinity);
    expect(powerOf(0.1, 1, 100)).toBe(0);
    expect(() => effectSize([0.5, 0.5], [1, 0])).toThrow(RangeError);
    expect(() => effectSize([1], [0.5, 0.5])).toThrow(RangeError);
  });
});
