import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ALL,
  type DiagramNode,
  Diagrams,
  NOTHING,
  terminalOf,
  TooManyNodes,
} from "../../../src/engine/verify/diagrams.js";

const BITS = 5;
const all = Array.from({ length: 2 ** BITS }, (_, i) => i);
const bitsOf = (member: number): Map<number, 0 | 1> =>
  new Map(Array.from({ length: BITS }, (_, level) => [level, ((member >>> level) & 1) as 0 | 1]));

/** The diagram of a function given as a table. */
function build(diagrams: Diagrams, table: readonly DiagramNode[], level = 0, from = 0): DiagramNode {
  if (level === BITS) return table[from]!;
  const half = (bit: number): DiagramNode => build(diagrams, table, level + 1, from | (bit << level));
  return diagrams.node(level, half(0), half(1));
}

const set = fc.array(fc.constantFrom(NOTHING, ALL), { minLength: all.length, maxLength: all.length });
const results = fc.array(fc.constantFrom(NOTHING, terminalOf(0), terminalOf(1), terminalOf(7)), {
  minLength: all.length,
  maxLength: all.length,
});

describe("decision diagrams", () => {
  it("are what tables say, each function once", () => {
    fc.assert(
      fc.property(set, results, results, (where, first, second) => {
        const diagrams = new Diagrams();
        const [s, a, b] = [build(diagrams, where), build(diagrams, first), build(diagrams, second)];
        const chosen = diagrams.choose(s, a, b);
        expect(all.map((i) => diagrams.follow(chosen, bitsOf(i)))).toEqual(
          all.map((i) => (where[i] === ALL ? first[i] : second[i])),
        );
        expect(
          build(
            diagrams,
            all.map((i) => (where[i] === ALL ? first[i]! : second[i]!)),
          ),
        ).toBe(chosen);
        const joined = diagrams.join(a, b);
        expect(all.map((i) => diagrams.follow(joined, bitsOf(i)))).toEqual(
          all.map((i) => (first[i] === NOTHING ? second[i] : first[i])),
        );
        const differing = diagrams.differing(a, b);
        expect(all.map((i) => diagrams.follow(differing, bitsOf(i)) === ALL)).toEqual(
          all.map((i) => first[i] !== second[i]),
        );
        expect(diagrams.differing(a, b) === NOTHING).toBe(a === b);
      }),
    );
  });

  it("keep what a sweep is told to keep, and use the room of the rest again", () => {
    fc.assert(
      fc.property(results, results, (kept, dropped) => {
        const diagrams = new Diagrams();
        const [a] = [build(diagrams, kept), build(diagrams, dropped)];
        const before = diagrams.size;
        diagrams.sweep([a]);
        expect(diagrams.size).toBeLessThanOrEqual(before);
        expect(all.map((i) => diagrams.follow(a, bitsOf(i)))).toEqual(kept);
        const again = build(diagrams, dropped);
        expect(all.map((i) => diagrams.follow(again, bitsOf(i)))).toEqual(dropped);
        expect(build(diagrams, kept)).toBe(a);
      }),
    );
  });

  it("take off what the members of a set have in common, and settle other sets by it", () => {
    fc.assert(
      fc.property(set, set, (where, other) => {
        const diagrams = new Diagrams();
        const [s, t] = [build(diagrams, where), build(diagrams, other)];
        const { levels, cube, rest } = diagrams.peel(s);
        expect(diagrams.and(cube, rest)).toBe(s);
        const known = new Uint8Array(BITS).fill(2);
        const deepest = levels.at(-1) ?? -1;
        for (const level of levels) {
          const one = diagrams.and(cube, diagrams.node(level, NOTHING, ALL)) === cube;
          known[level] = one ? 1 : 0;
        }
        expect(diagrams.and(cube, diagrams.settle(t, known, deepest))).toBe(diagrams.and(cube, t));
      }),
    );
  });

  it("give members that have a result, each by its own path", () => {
    fc.assert(
      fc.property(results, (table) => {
        const diagrams = new Diagrams();
        const a = build(diagrams, table);
        const some = diagrams.someOf(a, 10);
        for (const bits of some) expect(diagrams.follow(a, bits)).not.toBe(NOTHING);
        expect(new Set(some.map((bits) => JSON.stringify([...bits]))).size).toBe(some.length);
        if (a !== NOTHING) expect(some.length).toBeGreaterThan(0);
      }),
    );
  });

  it("stop where they may hold no more", () => {
    const diagrams = new Diagrams(3);
    expect(() =>
      build(
        diagrams,
        all.map((i) => terminalOf(i)),
      ),
    ).toThrow(TooManyNodes);
  });
});
