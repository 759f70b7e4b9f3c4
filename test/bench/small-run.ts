import { parseArguments, type Shard } from "../../bench/arguments.js";
import { Collection } from "../../bench/collect.js";
import { datasetsOf, type MeasuringPlan, orderRound, partOf, type ProcessPlan } from "../../bench/plan.js";
import type { ProcessResult } from "../../bench/processes.js";
import { studies } from "../../bench/studies/index.js";
import { carryOut } from "../../bench/subjects/index.js";
import { type Measurement, MEASUREMENT_SCHEMA } from "../../src/index.js";
import { makeRecord } from "../report/record.js";

const MOST_FLOWS = 20_000;

/** The processes of a small study, which take a moment each. They run in every round, also those that a study runs in few. */
export function planSmall(name: string, seed: number): { plans: MeasuringPlan[]; notes: string[] } {
  const words = ["--study", name, "--quick", "--services", "30", "--seed", String(seed), "--endpoints", "3"];
  const { plans, notes } = studies.get(name)!.plan(parseArguments(words, studies), {
    compiler: false,
    benchmarkJs: false,
  });
  const small = plans
    .filter((plan) => plan.kind !== "engine" || plan.flows <= MOST_FLOWS)
    .map((plan): MeasuringPlan => ({ ...plan, milliseconds: 1, most: Infinity }));
  return { plans: small, notes };
}

interface SmallRun {
  readonly seed: number;
  /** Changes the order of the processes, as rounds do. */
  readonly turn?: number;
  readonly shard?: Shard;
  /** Does a plan; in this process where it is not given. */
  readonly work?: (plan: ProcessPlan) => Promise<ProcessResult>;
}

/** A small run of a study, or of a shard of it. */
export async function runSmall(name: string, { seed, turn = 0, shard, work = doNow }: SmallRun): Promise<Measurement> {
  const { plans: whole, notes } = planSmall(name, seed);
  const plans = shard === undefined ? whole : partOf(whole, shard);
  const collection = new Collection();
  for (const plan of [...datasetsOf(plans), ...orderRound(plans, turn)]) collection.add(await work(plan), turn);
  const run = makeRecord().runs[0]!;
  const runs = [shard === undefined ? run : { ...run, shard: { ...shard, plan: "0".repeat(64) } }];
  return { schema: MEASUREMENT_SCHEMA, study: name, seed, quick: true, runs, ...collection.list(), notes };
}

function doNow(plan: ProcessPlan): Promise<ProcessResult> {
  return carryOut(plan, { directory: "" });
}
