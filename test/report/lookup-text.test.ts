import { describe, expect, it } from "vitest";
import { formatText, wrap } from "../../src/report/formats/text.js";
import { documentLookup } from "../../src/report/studies/lookup/document.js";
import type { Measurement } from "../../src/report/measurement.js";
import { TABLE_WIDTH } from "../../src/report/table.js";
import { makeRecord, scaleTimes } from "./record.js";

const drawLookup = (record: Measurement): string => formatText(documentLookup(record));
const full = makeRecord();
const quick = {
  ...makeRecord([10_000], 1),
  quick: true,
  notes: ["A quick run leaves out the smaller rule sets and the data path of the rivals."],
};

describe("the report of the lookup study", () => {
  it("is as it was, for a full run", async () => {
    await expect(drawLookup(full)).toMatchFileSnapshot("../golden/report/lookup-full.txt");
  });

  it("is as it was, for a quick run", async () => {
    await expect(drawLookup(quick)).toMatchFileSnapshot("../golden/report/lookup-quick.txt");
  });

  it("fits a terminal of 100 columns, with long times too", () => {
    for (const record of [full, quick, scaleTimes(full, 7, () => true)]) {
      for (const line of drawLookup(record).split("\n")) expect(line.length, line).toBeLessThanOrEqual(TABLE_WIDTH);
    }
  });

  it("says when there is no second harness, and no C", () => {
    const alone = { ...full, cases: full.cases.filter(({ factors }) => factors.harness === "tinybench") };
    const text = drawLookup(alone);
    expect(text).toContain("Benchmark.js did not run");
    expect(text).toContain("no C program to compare with");
    expect(text).not.toContain("Beside C");
  });

  it("says when the harnesses disagree, and when picks are wrong", () => {
    const apart = scaleTimes(
      full,
      2,
      ({ factors }) => factors.harness === "benchmark.js" && factors.engine === "linear",
    );
    expect(drawLookup(apart)).toContain("Harnesses DISAGREE");
    const skewed = { ...full, picks: [{ ...full.picks.at(-1)!, observed: [1200, 950, 950, 950, 950] }] };
    expect(drawLookup(skewed)).toContain("NOT as the rules say");
  });

  it("shows it where C came to other outcomes", () => {
    const cases = full.cases.map((one) =>
      one.factors.engine === "C" ? { ...one, exact: { ...one.exact, checksum: 99 } } : one,
    );
    const text = drawLookup({ ...full, cases });
    expect(text).toContain("DIFFERENT");
    expect(text).toMatch(/^MISS .*C did the same work/m);
  });
});

it("wrap breaks between words and loses none", () => {
  const text = Array.from({ length: 80 }, (_, i) => `word${i}`).join(" ");
  const lines = wrap(text, "    ");
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.map((line) => line.trim()).join(" ")).toBe(text);
  for (const line of lines.slice(1)) expect(line).toMatch(/^ {4}\S/);
});
