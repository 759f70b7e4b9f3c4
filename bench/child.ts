/** A measuring process: does one plan, given as JSON in its only argument, and prints a ProcessOutput. */
import { MEASUREMENT_SCHEMA } from "../src/index.js";
import { readSink } from "./task.js";
import type { ProcessPlan } from "./plan.js";
import type { ProcessOutput, ProcessResult, Scratch } from "./processes.js";
import { describeDataset } from "./subjects/dataset.js";
import { measureAgain, measureEngine } from "./subjects/engine.js";
import { measureMemory } from "./subjects/memory.js";
import { measureMix } from "./subjects/mix.js";
import { measureReference } from "./subjects/reference.js";
import { measureStages } from "./subjects/stages.js";

async function run(plan: ProcessPlan, scratch: Scratch): Promise<ProcessResult> {
  switch (plan.kind) {
    case "dataset":
      return describeDataset(plan);
    case "engine":
      return measureEngine(plan);
    case "benchmark.js":
      return measureAgain(plan);
    case "mix":
      return measureMix(plan);
    case "stages":
      return measureStages(plan);
    case "memory":
      return measureMemory(plan);
    case "reference":
      return measureReference(plan, scratch);
    default:
      throw new Error(`this build knows no process of the kind ${(plan satisfies never as ProcessPlan).kind}`);
  }
}

const { plan, scratch } = JSON.parse(process.argv[2]!) as { plan: ProcessPlan; scratch: Scratch };
const result = await run(plan, scratch);
const output: ProcessOutput = { schema: MEASUREMENT_SCHEMA, ...result, sink: readSink() };
process.stdout.write(JSON.stringify(output));
