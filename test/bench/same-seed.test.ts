import { describe, expect, it } from "vitest";
import { parseArguments } from "../../bench/arguments.js";
import { Collection } from "../../bench/collect.js";
import { datasetsOf, type MeasuringPlan, orderRound } from "../../bench/plan.js";
import { studies } from "../../bench/studies/index.js";
import { carryOut } from "../../bench/subjects/index.js";
import {
  exactPart,
  formatMeasurement,
  type Measurement,
  MEASUREMENT_SCHEMA,
  parseMeasurement,
} from "../../src/index.js";
import { makeRecord } from "../report/record.js";

const MOST_FLOWS = 20_000;

/** A small run of a study in this process; `turn` changes the order of its processes, as rounds do. */
async function run(name: string, seed: number, turn: number): Promise<Measurement> {
  const study = studies.get(name)!;
  const words = ["--study", name, "--quick", "--services", "30", "--seed", String(seed), "--endpoints", "3"];
  const { plans, notes } = study.plan(parseArguments(words, studies), { compiler: false, benchmarkJs: false });
  const small = plans
    .filter((plan) => plan.kind !== "engine" || plan.flows <= MOST_FLOWS)
    .map((plan): MeasuringPlan => ({ ...plan, milliseconds: 1 }));
  const collection = new Collection();
  for (const plan of [...datasetsOf(small), ...orderRound(small, turn)])
    collection.add(await carryOut(plan, { directory: "" }), turn);
  const { runs } = makeRecord();
  return { schema: MEASUREMENT_SCHEMA, study: name, seed, quick: true, runs, ...collection.list(), notes };
}

/** All counters, picks, columns and checksums are the same in two runs; times are not compared. */
describe.each([...studies.keys()])("the study %s", (name) => {
  it("gives the same bytes for the same seed, whatever order its processes run in, and others for another seed", async () => {
    const [first, second, other] = [await run(name, 5, 0), await run(name, 5, 1), await run(name, 6, 0)];
    const bytes = (record: Measurement) => JSON.stringify(exactPart(record));
    expect(bytes(second)).toBe(bytes(first));
    expect(bytes(other)).not.toBe(bytes(first));
    expect(parseMeasurement(formatMeasurement(first))).toEqual(first);
  }, 120_000);
});
