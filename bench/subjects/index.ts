import type { ProcessPlan } from "../plan.js";
import type { ProcessResult, Scratch } from "../processes.js";
import { describeDataset } from "./dataset.js";
import { measureAgain, measureEngine } from "./engine.js";
import { measureMaps } from "./maps.js";
import { measureMemory } from "./memory.js";
import { measureMix } from "./mix.js";
import { measureStages } from "./stages.js";

/** Does one plan in this process. Throws on a plan of a kind it does not know: another build may have made it. */
export async function carryOut(plan: ProcessPlan, scratch: Scratch): Promise<ProcessResult> {
  switch (plan.kind) {
    case "dataset":
      return describeDataset(plan);
    case "engine":
      return measureEngine(plan, scratch);
    case "benchmark.js":
      return measureAgain(plan);
    case "mix":
      return measureMix(plan);
    case "stages":
      return measureStages(plan);
    case "maps":
      return measureMaps(plan);
    case "memory":
      return measureMemory(plan);
    default:
      throw new Error(`this build knows no process of the kind ${(plan satisfies never as ProcessPlan).kind}`);
  }
}
