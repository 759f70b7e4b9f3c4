import { describe, expect, it } from "vitest";
import { formatMeasurement, parseMeasurement } from "../../src/report/measurement.js";
import { makeRecord, scaleTimes } from "../report/record.js";
import { makeShards } from "../report/shards.js";
import { chainwalk, words } from "./command-line.js";

const record = makeRecord([100, 1000]);
const text = formatMeasurement(record);
const slower = formatMeasurement(
  scaleTimes(record, 1.5, ({ factors }) => factors.engine === "linear" && factors.packet === "first"),
);

/** What `--overlay --json` says of one record. */
async function overlay(lookup: string) {
  const ran = await chainwalk(words("report --overlay r --json"), { "r/lookup.json": lookup });
  const { claims } = JSON.parse(ran.stdout) as { claims: { id: string; outcome: string; detail: string }[] };
  return { claims, exitCode: ran.exitCode };
}

describe("chainwalk report", () => {
  it("draws all files of a directory again, the same bytes each time", async () => {
    const files = { "results/lookup.json": text };
    const [first, again] = await Promise.all([0, 1].map(() => chainwalk(words("report results --out paper"), files)));
    expect(first!.exitCode).toBe(0);
    expect([...first!.written.keys()].toSorted()).toEqual(
      ["lookup-costs.svg", "lookup.csv", "lookup.md", "lookup.svg", "lookup.tex", "report.html"].map(
        (name) => `paper/${name}`,
      ),
    );
    expect(again!.written).toEqual(first!.written);
    expect(first!.written.get("paper/report.html")).toContain("npm run bench");
  });

  it("--overlay draws over published curves and tests the shapes that are claimed", async () => {
    const quiet = formatMeasurement(makeRecord());
    const ran = await chainwalk(words("report --overlay r --out paper"), { "r/lookup.json": quiet });
    expect(ran.exitCode).toBe(0);
    const names = ["published-kep-3866.svg", "published-tke.svg", "published-cilium-1.6.svg"];
    expect([...ran.written.keys()].toSorted()).toEqual(
      [...names, "published.html", "published.md"].map((name) => `paper/${name}`).toSorted(),
    );
    const { claims } = await overlay(quiet);
    expect(claims.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      // To uniform destinations, and to the last service.
      "iptables-linear pass",
      "iptables-linear pass",
      "maps-flat not tested",
      "ebpf-flat pass",
      "ebpf-flat pass",
      // Three ways to pass on established packets over all sizes; a million connections were held at one size only.
      "established-flat pass",
      "established-flat pass",
      "established-flat pass",
      "established-flat not tested",
      "crossover not tested",
    ]);
  });

  it("--overlay says no where a shape is another, and tells no noise from a shape", async () => {
    const grows = scaleTimes(makeRecord([100, 1000, 10_000]), 3, ({ factors }) => {
      return factors.engine === "indexed" && factors.services === 10_000;
    });
    const { claims, exitCode } = await overlay(formatMeasurement(grows));
    expect(claims.find(({ id }) => id === "ebpf-flat")!.outcome).toBe("fail");
    expect(exitCode).toBe(1);
    const cases = grows.cases.map((one) => ({ ...one, rounds: one.rounds.map((r) => ({ ...r, cpuShare: 0.5 })) }));
    const busy = await overlay(formatMeasurement({ ...grows, cases }));
    expect(busy.claims.find(({ id }) => id === "ebpf-flat")).toMatchObject({
      outcome: "too noisy",
      detail: expect.stringContaining("50 % of a CPU"),
    });
    expect(busy.exitCode).toBe(0);
  });

  it("merges shards of one directory or of several, and writes the record they make", async () => {
    const [first, second] = makeShards(record, 2).map((shard) => formatMeasurement(shard.record));
    const together = await chainwalk(words("report r --out o"), { "r/1.json": first!, "r/2.json": second! });
    const apart = await chainwalk(words("report a b --out o"), { "a/1.json": first!, "b/2.json": second! });
    expect(together.exitCode).toBe(0);
    expect(apart.written).toEqual(together.written);
    const merged = together.written.get("o/lookup.json")!;
    expect(parseMeasurement(merged).cases).toHaveLength(record.cases.length);
    const again = await chainwalk(words("report r --out o"), {
      "r/1.json": first!,
      "r/2.json": second!,
      "r/x.json": merged,
    });
    expect(again.written).toEqual(together.written);
  });

  it.each([
    ["nothing changed", text, 0, "0 slower, 0 faster"],
    ["half as much again", slower, 1, "slower"],
  ])("--compare, %s", async (_, after, exitCode, says) => {
    const ran = await chainwalk(words("report --compare a b.json"), { "a/lookup.json": text, "b.json": after });
    expect(ran.exitCode).toBe(exitCode);
    expect(ran.stdout).toContain(says);
    const json = await chainwalk(words("report --compare a b.json --json"), { "a/lookup.json": text, "b.json": after });
    const [{ study, cases }] = JSON.parse(json.stdout) as [{ study: string; cases: { outcome: string }[] }];
    expect(study).toBe("lookup");
    expect(cases.some(({ outcome }) => outcome === "slower")).toBe(exitCode === 1);
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ["no directory", "report nowhere", {}, /^nowhere:1:1: cannot read it: there is no such file/],
    ["no record in it", "report r", { "r/x.txt": "" }, /^r:1:1: no record lies here/],
    [
      "a record that is cut off",
      "report r",
      { "r/lookup.json": text.slice(0, 300) },
      /^r\/lookup.json:1:301: this is no JSON/,
    ],
    [
      "another version",
      "report r",
      { "r/a.json": text.replace("measurement/2", "measurement/9") },
      /^r\/a.json:1:11: .*schema/,
    ],
    [
      "a round of no process",
      "report r",
      { "r/a.json": text.replace('"rounds":[{"process":0', '"rounds":[{"process":99') },
      /^r\/a.json:2:\d+: .*there is no process 99/,
    ],
    ["an overlay of several and no place for the files", "report --overlay a b", {}, /--out must say where/],
    ["an overlay that compares", "report --overlay --compare a b", {}, /cannot be used with/],
    [
      "a shard without the others",
      "report r",
      { "r/1.json": formatMeasurement(makeShards(record, 3)[0]!.record) },
      /^r\/1.json:1:1: not all shards of the study lookup are here: 2\/3, 3\/3 missing/,
    ],
    [
      "a shard beyond the last",
      "report r",
      { "r/1.json": text.replace('"shard":null', `"shard":{"index":4,"count":3,"plan":"${"0".repeat(64)}"}`) },
      /^r\/1.json:1:\d+: .*there are not so many shards/,
    ],
    ["several directories and no place for the files", "report a b", {}, /--out must say where/],
    ["one path to compare", "report --compare r", {}, /--compare takes two paths/],
    [
      "nothing in common",
      "report --compare a.json b.json",
      { "a.json": text, "b.json": text.replace('"lookup"', '"scale"') },
      /no study in common/,
    ],
    ["a threshold that is none", "report --compare a b --threshold x", {}, /percent/],
  ])("refuses %s and says where", async (_, line, files, says) => {
    const ran = await chainwalk(words(line), files);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toMatch(says);
    expect(ran.stderr).not.toContain("    at ");
  });
});
