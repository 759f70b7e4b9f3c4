import type { DatasetPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import { writeRules } from "../workload/cluster.js";
import { datasetOf } from "../workload/dataset.js";

/** What rule set others measure on. */
export function describeDataset({ services, endpoints, seed }: DatasetPlan): ProcessResult {
  const { ruleset, node } = writeRules(services, endpoints, seed);
  return { cases: [], datasets: [datasetOf(ruleset, node, { services, endpoints, seed })] };
}
