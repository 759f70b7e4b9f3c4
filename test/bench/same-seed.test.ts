import { describe, expect, it } from "vitest";
import { studies } from "../../bench/studies/index.js";
import { exactPart, formatMeasurement, type Measurement, parseMeasurement } from "../../src/index.js";
import { runSmall } from "./small-run.js";

/** All counters, picks, columns and checksums are the same in two runs; times are not compared. */
describe.each([...studies.keys()])("the study %s", (name) => {
  it("gives the same bytes for the same seed, whatever order its processes run in, and others for another seed", async () => {
    const first = await runSmall(name, { seed: 5 });
    const second = await runSmall(name, { seed: 5, turn: 1 });
    const other = await runSmall(name, { seed: 6 });
    const bytes = (record: Measurement) => JSON.stringify(exactPart(record));
    expect(bytes(second)).toBe(bytes(first));
    expect(bytes(other)).not.toBe(bytes(first));
    expect(parseMeasurement(formatMeasurement(first))).toEqual(first);
  }, 120_000);
});
