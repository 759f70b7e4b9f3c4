import { describe, expect, it } from "vitest";
import { Collection } from "../../bench/collect.js";
import type { CaseResult } from "../../bench/processes.js";

const one: CaseResult = {
  engine: "indexed",
  harness: "tinybench",
  packet: "first",
  destination: "uniform",
  services: 100,
  endpoints: 5,
  ruleSets: 1,
  flows: 0,
  packetsPerSample: 1024,
  work: { rulesVisited: 0, chainsEntered: 0, draws: 1, mapLookups: 2 },
  leastRulesVisited: 0,
  checksum: 7,
  samples: [14, 15],
  collections: 1,
  cpuShare: 1,
};
const picks = { engine: "indexed", services: 100, observed: [1, 2], expected: [0.5, 0.5] };

describe("Collection", () => {
  it("makes a round of each process, and one case of equal variants", () => {
    const collection = new Collection();
    collection.add({ cases: [one, { ...one, destination: "last" }], picks: [picks], sink: 1 });
    collection.add({ cases: [{ ...one, samples: [16], collections: 0 }], picks: [picks], sink: 2 });
    const { cases, picks: collected } = collection.list();
    expect(cases).toHaveLength(2);
    expect(cases.find(({ destination }) => destination === "uniform")!.rounds).toEqual([
      { process: 0, samples: [14, 15], collections: 1, cpuShare: 1 },
      { process: 1, samples: [16], collections: 0, cpuShare: 1 },
    ]);
    expect(collected).toEqual([picks]);
  });

  it("orders cases by what they are, not by when they came", () => {
    const sizes = [10_000, 100, 3000];
    const inOrder = (order: readonly number[]) => {
      const collection = new Collection();
      for (const services of order) collection.add({ cases: [{ ...one, services }], picks: [], sink: 0 });
      return collection.list().cases.map(({ services }) => services);
    };
    expect(inOrder(sizes)).toEqual([100, 3000, 10_000]);
    expect(inOrder(sizes.toReversed())).toEqual([100, 3000, 10_000]);
  });

  it.each<[string, Partial<CaseResult>]>([
    ["checksum", { checksum: 8 }],
    ["work", { work: { ...one.work!, draws: 2 } }],
    ["least rules visited", { leastRulesVisited: 1 }],
  ])("refuses two processes that differ in what is exact: %s", (_, difference) => {
    const collection = new Collection();
    collection.add({ cases: [one], picks: [], sink: 0 });
    expect(() => collection.add({ cases: [{ ...one, ...difference }], picks: [], sink: 0 })).toThrow(
      "counted differently",
    );
  });
});
