import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { doubtOf, pickBounds } from "../../src/engine/compile/pick.js";
import { readRuns } from "../../src/engine/verify/read-services.js";
import { ServiceMap, slotsFor } from "../../src/engine/compile/service-map.js";
import {
  guessBackend,
  hashPorts,
  hashService,
  isGuessCertain,
  pickBackend,
  SERVICE_WORDS,
  type ServiceRecord,
  type ServiceTables,
  SIGN,
} from "../../src/engine/compile/services.js";

const LAST = 2 ** 31;
/** Thresholds of rules that all have some chance, the last one certain. */
const thresholds = fc.array(fc.integer({ min: 1, max: LAST - 1 }), { maxLength: 60 }).map((all) => [...all, LAST]);

/** Bounds of any choice, backends without a draw among them, as the tables hold them after those of another choice. */
const choices = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xfffffffe)), {
    maxLength: 20,
  })
  .chain((some) => fc.shuffledSubarray([...some, ...some], { minLength: some.length }))
  .map((some) => [...some.sort((a, b) => a - b), 0xffffffff]);
/** A choice in the tables, after another one of two. */
const tableOf = (bounds: readonly number[]): Pick<ServiceTables, "bounds" | "doubts"> => ({
  bounds: Int32Array.from([7, 0, ...bounds], (bound) => bound ^ SIGN),
  doubts: Int32Array.from([1, 0, doubtOf(bounds)]),
});

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
        const want = bounds.findIndex((bound) => draw <= bound);
        expect(pickBackend(tableOf(bounds), 2, all.length, draw | 0)).toBe(want);
      }),
    );
  });

  it("takes no guess for certain that is wrong, whatever the bounds", () => {
    fc.assert(
      fc.property(choices, fc.integer({ min: 0, max: 0xffffffff }), (bounds, any) => {
        const table = tableOf(bounds);
        const count = bounds.length;
        const even = bounds.map((_, k) => Math.floor(((k + 1) * 2 ** 32) / count));
        const edges = [...bounds, ...even].flatMap((edge) => [edge - 1, edge, edge + 1]);
        for (const draw of [any, 0, 0xffffffff, ...edges].map((edge) => edge >>> 0)) {
          const want = bounds.findIndex((bound) => draw <= bound);
          const guess = guessBackend(count, draw | 0);
          expect(guess).toBe(Math.floor((draw * count) / 2 ** 32));
          if (isGuessCertain(table.doubts[2]!, count, draw | 0)) expect(guess, `draw ${draw}`).toBe(want);
          expect(pickBackend(table, 2, count, draw | 0)).toBe(want);
        }
      }),
    );
  });

  it("is read by the proof as it is made, whatever the bounds and the doubt", () => {
    const doubt = fc.oneof(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 0, max: 1e6 }),
      fc.constant(2 ** 31),
    );
    fc.assert(
      fc.property(choices, doubt, fc.integer({ min: 0, max: 0xffffffff }), (bounds, doubt, any) => {
        const table = tableOf(bounds);
        table.doubts[2] = doubt;
        const runs = readRuns(bounds, doubt);
        expect(runs.at(-1)!.last).toBe(0xffffffff);
        const edges = runs.flatMap(({ last }) => [last - 1, last, last + 1]);
        for (const draw of [any, 0, ...edges].map((edge) => edge >>> 0))
          expect(pickBackend(table, 2, bounds.length, draw | 0), `draw ${draw}`).toBe(
            runs.find(({ last }) => draw <= last)!.backend,
          );
      }),
    );
  });

  it.each([2, 3, 5, 10, 100, 1000])("is certain of nearly all draws for %i backends of kube-proxy", (count) => {
    const probabilities = Array.from({ length: count - 1 }, (_, k) => (1 / (count - k)).toFixed(10));
    const bounds = pickBounds([...probabilities.map((p) => Math.round(Number(p) * LAST)), LAST]);
    // Of each of the count edges twice the doubt over the count.
    expect((2 * doubtOf(bounds)) / 2 ** 32).toBeLessThan(count < 100 ? 1e-6 : 1e-3);
  });

  it("finds both edges of every bound", () => {
    const bounds = pickBounds([429496730, 536870912, 715827883, 1073741824, LAST]); // kube-proxy's five endpoints
    const table = tableOf(bounds);
    bounds.forEach((bound, k) => {
      expect(pickBackend(table, 2, 5, bound | 0)).toBe(k);
      if (k < 4) expect(pickBackend(table, 2, 5, (bound + 1) | 0)).toBe(k + 1);
    });
  });
});

describe("the service map", () => {
  const key = fc.tuple(fc.integer(), fc.integer({ min: 1, max: 0xffffff }));
  const record = (address: number): ServiceRecord => ({
    address,
    port: 0,
    protocol: 0,
    picks: [],
    verdict: "accept",
    routed: true,
  });

  it("finds every key it holds and none that differs in one bit", () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { selector: String, minLength: 1, maxLength: 64 }), (keys) => {
        const map = new ServiceMap();
        keys.forEach(([address, ports], i) => {
          // A source test beside the key must not count.
          expect(map.put([address, ports | ((i & 0xff) << 24), i, 0], record(address))).toBe(true);
        });
        const held = new Set(keys.map(String));
        keys.forEach(([address, ports], i) => {
          expect(map.map[map.find(address, ports) + 2]).toBe(i);
          for (let bit = 0; bit < 32; bit++) {
            const near: [number, number][] = [[address ^ (1 << bit), ports]];
            if (bit < 24 && (ports ^ (1 << bit)) !== 0) near.push([address, ports ^ (1 << bit)]);
            for (const [a, p] of near) if (!held.has(String([a, p]))) expect(map.find(a, p)).toBe(-1);
          }
        });
      }),
    );
  });

  it("holds what was put in and not taken out again, in as many slots as a fresh one", () => {
    // Keys that crowd: few addresses, few ports.
    const near = fc.tuple(fc.integer({ min: -4, max: 4 }), fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(near, fc.boolean()), { maxLength: 400 }), (steps) => {
        const map = new ServiceMap();
        const model = new Map<string, [number, number, number]>();
        steps.forEach(([[address, ports], comes], i) => {
          const held = model.get(String([address, ports]));
          expect(map.find(address, ports) >= 0).toBe(held !== undefined);
          if (comes && held === undefined) {
            expect(map.put([address, ports, i, 0], record(i))).toBe(true);
            model.set(String([address, ports]), [address, ports, i]);
          } else if (!comes && held !== undefined) {
            map.remove(map.find(address, ports));
            map.shrink();
            model.delete(String([address, ports]));
          }
        });
        for (const [address, ports, i] of model.values()) {
          const row = map.find(address, ports);
          expect([map.map[row + 2], map.cold[row / SERVICE_WORDS]?.address]).toEqual([i, i]);
        }
        expect(map.size).toBe(model.size);
        expect(map.map.length).toBe(slotsFor(model.size) * SERVICE_WORDS);
        expect(map.cold.filter((one) => one !== undefined).length).toBe(model.size);
      }),
    );
  });

  it("takes at most 64 bytes a service", () => {
    for (let services = 10; services < 3000; services++) {
      // Slots and seeds.
      expect(slotsFor(services) * 18, `${services} services`).toBeLessThanOrEqual(64 * services);
    }
  });

  it("sets apart keys whose hashes are equal", () => {
    // Two keys collide where their addresses differ by what their ports' hashes do.
    const collide = (address: number, ports: number, other: number): number =>
      address ^ hashPorts(ports) ^ hashPorts(other);
    const map = new ServiceMap();
    const keys: [number, number][] = [0, 1, 2, 3, 4].map((k) => [collide(0x0a000001, 80, 80 + k), 80 + k]);
    expect(new Set(keys.map(([address, ports]) => hashService(address, hashPorts(ports)))).size).toBe(1);
    for (const [address, ports] of keys) expect(map.put([address, ports, ports, 0], record(address))).toBe(true);
    for (const [address, ports] of keys) expect(map.map[map.find(address, ports) + 2]).toBe(ports);
  });
});
