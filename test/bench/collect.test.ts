import { describe, expect, it } from "vitest";
import { Collection } from "../../bench/collect.js";
import type { CaseResult } from "../../bench/processes.js";
import type { Exact, Factors } from "../../src/index.js";

const one: CaseResult = {
  factors: { engine: "indexed", harness: "tinybench", packet: "first", destination: "uniform", services: 100 },
  unit: "ns",
  per: "packet",
  batch: 1024,
  exact: { rulesVisited: 0, draws: 1, mapLookups: 2, leastRulesVisited: 0, checksum: 7 },
  samples: [14, 15],
  collections: 1,
  cpuShare: 1,
};
const picks = { factors: one.factors, observed: [1, 2], expected: [0.5, 0.5] };
const vary = (factors: Partial<Factors>): CaseResult => ({ ...one, factors: { ...one.factors, ...factors } });

describe("Collection", () => {
  it("makes a round of each process, and one case of equal variants", () => {
    const collection = new Collection();
    collection.add({ cases: [one, vary({ destination: "last" })], picks: [picks], yardstick: [5, 6] }, 0);
    collection.add({ cases: [{ ...one, samples: [16], collections: 0 }], picks: [picks] }, 1);
    const { cases, picks: collected, processes } = collection.list();
    expect(cases).toHaveLength(2);
    expect(cases.find(({ factors }) => factors.destination === "uniform")!.rounds).toEqual([
      { process: 0, samples: [14, 15], collections: 1, cpuShare: 1 },
      { process: 1, samples: [16], collections: 0, cpuShare: 1 },
    ]);
    expect(collected).toEqual([picks]);
    expect(processes).toEqual([
      { run: 0, round: 0, yardstick: [5, 6] },
      { run: 0, round: 1, yardstick: [] },
    ]);
  });

  it("orders cases by what they are, not by when they came", () => {
    const sizes = [10_000, 100, 3000];
    const inOrder = (order: readonly number[]) => {
      const collection = new Collection();
      for (const services of order) collection.add({ cases: [vary({ services })] }, 0);
      return collection.list().cases.map(({ factors }) => factors.services);
    };
    expect(inOrder(sizes)).toEqual([100, 3000, 10_000]);
    expect(inOrder(sizes.toReversed())).toEqual([100, 3000, 10_000]);
  });

  it("keeps two builds apart, which may count differently", () => {
    const collection = new Collection();
    collection.add({ cases: [one], picks: [picks] }, 0, "this");
    collection.add({ cases: [{ ...one, exact: { ...one.exact, draws: 3 } }], picks: [picks] }, 0, "other");
    const { cases, picks: collected } = collection.list();
    expect(cases.map(({ factors, exact }) => [factors.build, exact.draws])).toEqual([
      ["other", 3],
      ["this", 1],
    ]);
    expect(collected.map(({ factors }) => factors.build)).toEqual(["other", "this"]);
  });

  it.each<[string, Exact]>([
    ["checksum", { checksum: 8 }],
    ["work", { draws: 2 }],
    ["least rules visited", { leastRulesVisited: 1 }],
  ])("refuses two processes that differ in what is exact: %s", (_, difference) => {
    const collection = new Collection();
    collection.add({ cases: [one] }, 0);
    const other = { ...one, exact: { ...one.exact, ...difference } };
    expect(() => collection.add({ cases: [other] }, 1)).toThrow("counted differently");
  });
});
