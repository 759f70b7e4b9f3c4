import type { DatasetPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import { writeRules } from "../workload/cluster.js";
import { datasetOf } from "../workload/dataset.js";

/** What rule set others measure on. */
export function describeDataset({ mode, services, endpoints, seed }: DatasetPlan): ProcessResult {
  const { ruleset, node } = writeRules(services, endpoints, seed, mode);
  return { cases: [], datasets: [datasetOf(ruleset, node, { mode, services, endpoints, seed })] };
}
