import { describe, expect, it } from "vitest";
import { findCases, formatMeasurement, type Measurement, parseMeasurement } from "../../src/report/measurement.js";
import { makeRecord } from "./record.js";

describe("a record", () => {
  const record = makeRecord([100, 1000]);

  it("is what it was after writing and reading, one line a case", () => {
    const text = formatMeasurement(record);
    expect(parseMeasurement(text)).toEqual(record);
    expect(text.split("\n")).toHaveLength(record.cases.length + 3);
  });

  it.each<[string, (draft: Measurement) => object, string]>([
    ["another version", (draft) => ({ ...draft, schema: "chainwalk-measurement/1" }), "schema"],
    ["an unknown field", (draft) => ({ ...draft, surprise: 1 }), "surprise"],
    ["a time of zero", (draft) => withSample(draft, 0), "cases[0].rounds[0].samples[0]"],
    ["a time that is no number", (draft) => withSample(draft, "fast"), "cases[0].rounds[0].samples[0]"],
    ["no case at all", (draft) => ({ ...draft, cases: [] }), "cases"],
  ])("refuses %s and says where", (_, spoil, where) => {
    expect(() => parseMeasurement(JSON.stringify(spoil(record)))).toThrow(where);
  });

  it("finds cases by any of their fields", () => {
    expect(findCases(record, { engine: "C" })).toHaveLength(5);
    expect(findCases(record, { engine: "linear", services: 100, destination: "last" })).toHaveLength(1);
    expect(findCases(record, { services: 7 })).toEqual([]);
  });
});

function withSample(record: Measurement, sample: unknown): object {
  const [first, ...rest] = record.cases;
  return {
    ...record,
    cases: [{ ...first, rounds: [{ process: 0, samples: [sample], collections: 0, cpuShare: 1 }] }, ...rest],
  };
}
