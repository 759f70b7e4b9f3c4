/** A measuring process: does one plan, given as JSON in its only argument, and prints a ProcessResult. */
import type { ProcessPlan } from "./plan.js";
import type { ProcessResult, Scratch } from "./processes.js";
import { measureAgain, measureEngine } from "./subjects/engine.js";
import { measureReference } from "./subjects/reference.js";

async function run(plan: ProcessPlan, scratch: Scratch): Promise<ProcessResult> {
  switch (plan.kind) {
    case "engine":
      return measureEngine(plan);
    case "benchmark.js":
      return measureAgain(plan);
    case "reference":
      return measureReference(plan, scratch);
  }
}

const { plan, scratch } = JSON.parse(process.argv[2]!) as { plan: ProcessPlan; scratch: Scratch };
const result = await run(plan, scratch);
process.stdout.write(JSON.stringify(result));
