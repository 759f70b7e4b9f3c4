/** A measuring process: does one plan, given as JSON in its only argument, and prints a ProcessResult. */
import type { ProcessPlan } from "./plan.js";
import type { ProcessResult, Scratch } from "./processes.js";
import { measureDatapath } from "./subjects/datapath.js";
import { measureReference } from "./subjects/reference.js";
import { measureAgain, measureWalks } from "./subjects/walk.js";

async function run(plan: ProcessPlan, scratch: Scratch): Promise<ProcessResult> {
  switch (plan.kind) {
    case "walk":
      return measureWalks(plan);
    case "benchmark.js":
      return measureAgain(plan);
    case "datapath":
      return measureDatapath(plan);
    case "reference":
      return measureReference(plan, scratch);
  }
}

const { plan, scratch } = JSON.parse(process.argv[2]!) as { plan: ProcessPlan; scratch: Scratch };
const result = await run(plan, scratch);
process.stdout.write(JSON.stringify(result));
