import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lengthsOf } from "../../bench/workload/lengths.js";
import { drawOrder } from "../../bench/workload/mixed.js";

const NAMES = ["geometric", "heavy-tailed"] as const;
const GRID = 20_000;

/** The mean of a function over equally spaced numbers in [0, 1). */
function meanOver(f: (uniform: number) => number): number {
  let sum = 0;
  for (let i = 0; i < GRID; i++) sum += f((i + 0.5) / GRID);
  return sum / GRID;
}

describe.each(NAMES)("%s lengths of connections", (name) => {
  it.each([1, 2, 5, 30, 300])("have the mean asked for: %d", (mean) => {
    const lengths = lengthsOf(name, mean);
    expect(lengths.mean / mean).toBeCloseTo(1, 3);
    // A heavy tail hides some of its mean beyond the last point of the grid.
    expect(meanOver((u) => lengths.draw(u)) / mean).toBeGreaterThan(name === "geometric" ? 0.99 : 0.8);
    expect(meanOver((u) => lengths.draw(u)) / mean).toBeLessThan(1.05);
  });

  it("are whole numbers of at least 1, and longer for larger draws; what is left of one is at least 0", () => {
    const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const lengths = lengthsOf(name, 10);
    fc.assert(
      fc.property(uniform, uniform, (a, b) => {
        const [short, long] = [lengths.draw(Math.min(a, b)), lengths.draw(Math.max(a, b))];
        expect(short).toBeGreaterThanOrEqual(1);
        expect(Number.isInteger(short)).toBe(true);
        expect(short).toBeLessThanOrEqual(long);
        expect(lengths.drawLeft(a)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("leave as much as the equilibrium of renewals says: nothing with probability 1 / mean", () => {
    for (const mean of [2, 10, 50]) {
      const lengths = lengthsOf(name, mean);
      const none = meanOver((u) => (lengths.drawLeft(u) === 0 ? 1 : 0));
      expect(none).toBeCloseTo(1 / mean, 3);
    }
  });
});

it("a geometric connection has no memory: what is left is as long as what is left of a new one", () => {
  const lengths = lengthsOf("geometric", 7);
  for (let i = 0; i < 100; i++) {
    const u = (i + 0.5) / 100;
    expect(lengths.drawLeft(u)).toBe(lengths.draw(u) - 1);
  }
});

it.each([0.5, 0, NaN, 1e9])("refuses a mean of %d packets", (mean) => {
  expect(() => lengthsOf("geometric", mean)).toThrow(RangeError);
});

describe("the order in which packets come", () => {
  const LIVE = 64;
  const PACKETS = 20_000;

  it.each([1, 2, 10, 100])("holds one first packet in %d, at the beginning as at the end", (mean) => {
    const { turn } = drawOrder(lengthsOf("geometric", mean), LIVE, PACKETS, 3);
    const half = PACKETS / 2;
    for (const part of [turn.subarray(0, half), turn.subarray(half)]) {
      const firsts = part.filter((place) => place === 0).length;
      expect(Math.abs(firsts - half / mean)).toBeLessThanOrEqual(5 * Math.sqrt(half / mean));
    }
  });

  it("gives every new connection's packets in order, from the first on, and counts them", () => {
    const { flow, turn, firsts } = drawOrder(lengthsOf("heavy-tailed", 5), LIVE, PACKETS, 4);
    const next = new Map<number, number>();
    let begun = 0;
    flow.forEach((one, i) => {
      const expected = next.get(one) ?? (one < LIVE ? 1 : 0);
      expect(turn[i]).toBe(expected);
      if (turn[i] === 0) begun++;
      next.set(one, expected + 1);
    });
    expect(begun).toBe(firsts);
  });
});
