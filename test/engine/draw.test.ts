import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawKey, drawWith, namedDraw } from "../../src/engine/draw.js";

/** Chi-square of observed counts against equal ones, as its distance from the mean in standard deviations. */
function deviation(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i]! - expected) ** 2 / expected;
  const freedom = counts.length - 1;
  return (sum - freedom) / Math.sqrt(2 * freedom);
}

const BINS = 256;
const TOTAL = 1 << 17;

/** Uniformity of the high and of the low bits of a stream: fractions are compared with 31 low bits, slots are taken from high ones. */
function expectUniform(stream: (i: number) => number): void {
  const high = new Uint32Array(BINS);
  const low = new Uint32Array(BINS);
  for (let i = 0; i < TOTAL; i++) {
    const draw = stream(i);
    high[draw >>> 24]!++;
    low[draw & 255]!++;
  }
  // Five standard deviations: by chance once in about a million streams; these streams are fixed.
  expect(Math.abs(deviation(high, TOTAL))).toBeLessThan(5);
  expect(Math.abs(deviation(low, TOTAL))).toBeLessThan(5);
}

describe("draws by name", () => {
  test("equal names give equal uint32, whichever way they are asked for", () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.nat(),
        fc.nat({ max: 5 }),
        fc.nat(0xffffffff),
        (seed, rule, visit, packet) => {
          const draw = namedDraw(seed)(packet, rule, visit);
          expect(draw).toBe(drawWith(drawKey(seed, rule, visit), packet));
          expect(Number.isInteger(draw) && draw >= 0 && draw <= 0xffffffff).toBe(true);
        },
      ),
    );
  });

  test("no two rules share a key", () => {
    const keys = new Set<number>();
    for (let rule = 0; rule < 200_000; rule++) keys.add(drawKey(7, rule, 0));
    expect(keys.size).toBe(200_000);
  });

  test.each([0, 1, 2, 0xffffffff, 2 ** 40 + 1, -1])(
    "seed %d: uniform over packets, rules, visits and seeds",
    (seed) => {
      const draw = namedDraw(seed);
      expectUniform((i) => draw(i, 3, 0));
      expectUniform((i) => draw(5, i, 0));
      expectUniform((i) => draw(5, 3, i));
      expectUniform((i) => draw(i * 4096, 3, 0));
      expectUniform((i) => namedDraw(seed + i)(5, 3, 0));
      expectUniform((i) => draw(i >>> 3, i & 7, 0));
    },
  );

  const pairs: [string, (i: number) => number, (i: number) => number][] = [
    ["neighbouring packets", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(1)(i + 1, 3, 0)],
    ["neighbouring rules of one packet", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(1)(i, 4, 0)],
    ["two visits of one rule", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(1)(i, 3, 1)],
    ["two seeds", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(2)(i, 3, 0)],
    ["packets that differ in a high bit", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(1)(i ^ 0x80000000, 3, 0)],
    ["rule and packet exchanged", (i) => namedDraw(1)(i, 3, 0), (i) => namedDraw(1)(3, i, 0)],
  ];
  test.each(pairs)("%s are independent", (_, a, b) => {
    const cells = new Uint32Array(32 * 32);
    let sum = 0;
    for (let i = 0; i < TOTAL; i++) {
      const x = a(i);
      const y = b(i);
      cells[(x >>> 27) * 32 + (y >>> 27)]!++;
      sum += (x / 2 ** 32 - 0.5) * (y / 2 ** 32 - 0.5);
    }
    expect(Math.abs(deviation(cells, TOTAL))).toBeLessThan(5);
    // The correlation coefficient of independent uniforms has standard deviation 1/sqrt(n).
    expect(Math.abs((12 * sum) / TOTAL) * Math.sqrt(TOTAL)).toBeLessThan(5);
  });

  test("one bit of the packet, or of the rule, changes every bit of the draw half of the time", () => {
    const draw = namedDraw(1);
    for (const [name, flip] of [
      ["packet", (i: number, bit: number) => draw(i ^ (1 << bit), 9, 0) ^ draw(i, 9, 0)],
      ["rule", (i: number, bit: number) => draw(9, i ^ (1 << bit), 0) ^ draw(9, i, 0)],
    ] as const) {
      for (let bit = 0; bit < 20; bit++) {
        const flips = new Uint32Array(32);
        for (let i = 0; i < 4096; i++) {
          const changed = flip(i * 37, bit);
          for (let out = 0; out < 32; out++) flips[out]! += (changed >>> out) & 1;
        }
        // 2048 expected, standard deviation 32; 1280 cells, the worst of which lies about 3.3 out by chance.
        for (let out = 0; out < 32; out++)
          expect(Math.abs(flips[out]! - 2048), `${name} bit ${bit}, draw bit ${out}`).toBeLessThan(6 * 32);
      }
    }
  });
});
