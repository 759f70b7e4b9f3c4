import type { Exact, Factors } from "../../src/index.js";
import { measureInterleaved, type TaskSamples } from "../measure.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import type { BatchTask } from "../task.js";
import { makeYardstick } from "../yardstick.js";

/** A variant that is ready to be measured, with all that is exact about it. */
export interface Prepared {
  readonly factors: Omit<Factors, "harness">;
  /** What one operation of the task is. */
  readonly per: string;
  readonly task: BatchTask;
  readonly exact: Exact;
}

/** Measures variants interleaved, the yardstick among them. */
export async function measureCases(prepared: readonly Prepared[], milliseconds: number): Promise<ProcessResult> {
  const tasks = [...prepared.map(({ task }) => task), makeYardstick()];
  const measured = await measureInterleaved(tasks, milliseconds);
  const cases = prepared.map((one, i) => caseOf(one, "tinybench", measured[i]!));
  return { cases, yardstick: measured[prepared.length]!.samples };
}

export function caseOf(
  { factors, per, task, exact }: Prepared,
  harness: Factors["harness"],
  samples: TaskSamples,
): CaseResult {
  return { factors: { ...factors, harness }, unit: "ns", per, batch: task.operations, exact, ...samples };
}
