import { describe, expect, it } from "vitest";
import type { Measurement } from "../../src/report/measurement.js";
import { MergeError, mergeRecords, type NamedRecord } from "../../src/report/merge.js";
import { findStrangers } from "../../src/report/noise.js";
import { documentOf } from "../../src/report/studies/index.js";
import { makeRecord } from "./record.js";
import { makeShards } from "./shards.js";

const whole = makeRecord([100, 1000]);
type Run = Measurement["runs"][number];

function changeRun(record: Measurement, change: (run: Run) => Run): Measurement {
  return { ...record, runs: record.runs.map(change) };
}

/** The second of three shards as something else. */
function withSecond(change: (record: Measurement) => Measurement): NamedRecord[] {
  return makeShards(whole, 3).map((one, i) => (i === 1 ? { ...one, record: change(one.record) } : one));
}

const inEnvironment = (change: Partial<Run["environment"]>) => (record: Measurement) =>
  changeRun(record, (run) => ({ ...run, environment: { ...run.environment, ...change } }));

describe("shards", () => {
  it("merge into what was split, their processes numbered on", () => {
    const [merged] = mergeRecords(makeShards(whole, 3));
    expect(merged!.cases.map(({ factors }) => factors)).toEqual(
      mergeRecords(makeShards(whole, 2))[0]!.cases.map(({ factors }) => factors),
    );
    expect(merged!.cases).toHaveLength(whole.cases.length);
    expect(merged!.picks).toHaveLength(whole.picks.length);
    expect(merged!.datasets).toEqual(whole.datasets);
    expect(merged!.runs.map(({ shard }) => shard!.index)).toEqual([1, 2, 3]);
    for (const { rounds } of merged!.cases) {
      const runs = new Set(rounds.map(({ process }) => merged!.processes[process]!.run));
      expect(runs.size).toBe(1);
    }
    expect(documentOf(merged!).sections.length).toBe(documentOf(whole).sections.length);
  });

  it("make the merged record that lies beside them again, and leave other studies as they are", () => {
    const shards = makeShards(whole, 2);
    const [merged] = mergeRecords(shards);
    const other = { name: "other.json", record: { ...whole, study: "other" } };
    expect(mergeRecords([{ name: "lookup.json", record: merged! }, other, ...shards])).toEqual([merged, other.record]);
    expect(mergeRecords([{ name: "lookup.json", record: merged! }])).toEqual([merged]);
  });

  it("of machines of different kinds are said to be", () => {
    const [merged] = mergeRecords(withSecond(inEnvironment({ cpu: "another CPU" })));
    expect(findStrangers(merged!)).toContain("another CPU");
    expect(findStrangers(mergeRecords(makeShards(whole, 3))[0]!)).toBeUndefined();
  });

  it.each<[string, readonly NamedRecord[], string, string | RegExp]>([
    [
      "one missing",
      makeShards(whole, 3).slice(0, 2),
      "shard-1.json",
      "not all shards of the study lookup are here: 3/3 missing",
    ],
    ["two missing", makeShards(whole, 3).slice(1, 2), "shard-2.json", "1/3, 3/3 missing"],
    [
      "one there twice",
      [...makeShards(whole, 2), { ...makeShards(whole, 2)[1]!, name: "again.json" }],
      "again.json",
      "shard 2/2 is there twice: shard-2.json",
    ],
    [
      "another seed",
      withSecond((record) => ({ ...record, seed: 2 })),
      "shard-2.json",
      "of another seed than shard-1.json: 2, not 1",
    ],
    [
      "another commit",
      withSecond(inEnvironment({ git: "f".repeat(40) })),
      "shard-2.json",
      "of another commit than shard-1.json: ffff",
    ],
    [
      "another version",
      withSecond(inEnvironment({ chainwalk: "9.9.9" })),
      "shard-2.json",
      "of another version than shard-1.json: 9.9.9",
    ],
    [
      "another number of shards",
      [makeShards(whole, 3)[0]!, makeShards(whole, 2)[1]!],
      "shard-2.json",
      "of another number of shards than shard-1.json: 2, not 3",
    ],
    [
      "other arguments",
      withSecond((record) =>
        changeRun(record, (run) => ({
          ...run,
          command: ["npm", "run", "other"],
          shard: { ...run.shard!, plan: "1".repeat(64) },
        })),
      ),
      "shard-2.json",
      /of other arguments than shard-1.json.*npm run other, not npm run bench/,
    ],
    [
      "other counts of one case",
      withSecond((record) => ({
        ...record,
        cases: [{ ...makeShards(whole, 3)[0]!.record.cases[0]!, exact: { rulesVisited: 1 } }],
      })),
      "shard-2.json",
      "counted differently",
    ],
    [
      "another rule set by the same command",
      withSecond((record) => ({ ...record, datasets: record.datasets.map((one) => ({ ...one, rules: 1 })) })),
      "shard-2.json",
      "found something else than another shard: chainwalk generate",
    ],
    [
      "the whole study beside a shard",
      [...makeShards(whole, 2), { name: "lookup.json", record: whole }],
      "shard-1.json",
      "of which lookup.json holds all",
    ],
    [
      "a study twice",
      [
        { name: "a.json", record: whole },
        { name: "b.json", record: whole },
      ],
      "b.json",
      "is there twice: a.json",
    ],
  ])("are refused with %s, and the file is named", (_, records, file, says) => {
    let thrown: unknown;
    try {
      mergeRecords(records);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(MergeError);
    expect((thrown as MergeError).file).toBe(file);
    expect((thrown as MergeError).message).toMatch(says);
  });
});
