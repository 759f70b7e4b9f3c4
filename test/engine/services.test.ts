import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pickBounds } from "../../src/engine/compile/pick.js";
import { findService, pickBackend, SERVICE_WORDS, SIGN } from "../../src/engine/compile/services.js";

const LAST = 2 ** 31;
/** Thresholds of rules that all have some chance, the last one certain. */
const thresholds = fc.array(fc.integer({ min: 1, max: LAST - 1 }), { maxLength: 60 }).map((all) => [...all, LAST]);

describe("the weighted pick", () => {
  it("has integer weights that sum to 2^32, each within 1 of p * 2^32", () => {
    fc.assert(
      fc.property(thresholds, (all) => {
        const bounds = pickBounds(all);
        expect(bounds.at(-1)).toBe(0xffffffff);
        let left = 1n; // times 2^(31 k)
        all.forEach((threshold, k) => {
          const weight = BigInt(bounds[k]! - (k === 0 ? -1 : bounds[k - 1]!));
          const scale = 31n * BigInt(k + 1);
          const exact = (left * BigInt(threshold)) << 32n; // p * 2^32 * 2^scale
          const error = (weight << scale) - exact;
          expect(error <= 1n << scale && error >= -(1n << scale), `weight ${k} of ${all}`).toBe(true);
          left *= BigInt(LAST - threshold);
        });
      }),
    );
  });

  it("takes the backend whose bounds hold the draw", () => {
    fc.assert(
      fc.property(thresholds, fc.integer({ min: 0, max: 0xffffffff }), (all, draw) => {
        const bounds = pickBounds(all);
        const table = Int32Array.from([0, 0, ...bounds.map((bound) => bound ^ SIGN)]);
        const want = bounds.findIndex((bound) => draw <= bound);
        expect(pickBackend(table, 2, all.length, draw | 0)).toBe(want);
      }),
    );
  });

  it("finds both edges of every bound", () => {
    const bounds = pickBounds([429496730, 536870912, 715827883, 1073741824, LAST]); // kube-proxy's five endpoints
    const table = Int32Array.from(bounds, (bound) => bound ^ SIGN);
    bounds.forEach((bound, k) => {
      expect(pickBackend(table, 0, 5, bound | 0)).toBe(k);
      if (k < 4) expect(pickBackend(table, 0, 5, (bound + 1) | 0)).toBe(k + 1);
    });
  });
});

describe("the service map", () => {
  it("finds every key it holds and none that differs in one bit", () => {
    const key = fc.tuple(fc.integer(), fc.integer({ min: 1, max: 0xffffff }));
    fc.assert(
      fc.property(fc.uniqueArray(key, { selector: String, minLength: 1, maxLength: 64 }), (keys) => {
        const slots = 128;
        const map = new Int32Array(slots * SERVICE_WORDS);
        keys.forEach(([address, ports], i) => {
          const row = findService(map, slots - 1, address, ports);
          // A source test beside the key must not count.
          map.set([address, ports | ((i & 0xff) << 24), i], row);
        });
        const held = new Set(keys.map(String));
        keys.forEach(([address, ports], i) => {
          expect(map[findService(map, slots - 1, address, ports) + 2]).toBe(i);
          for (let bit = 0; bit < 32; bit++) {
            const near: [number, number][] = [[address ^ (1 << bit), ports]];
            if (bit < 24 && (ports ^ (1 << bit)) !== 0) near.push([address, ports ^ (1 << bit)]);
            for (const [a, p] of near) {
              if (!held.has(String([a, p]))) expect(map[findService(map, slots - 1, a, p) + 1]).toBe(0);
            }
          }
        });
      }),
    );
  });
});
