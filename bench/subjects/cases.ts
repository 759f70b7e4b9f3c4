import type { Exact, Factors } from "../../src/index.js";
import { measureInterleaved, type TaskSamples } from "../measure.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import type { BatchTask, ProgramTask } from "../task.js";
import { makeYardstick } from "../yardstick.js";

/** A variant that is ready to be measured, with all that is exact about it. */
export interface Prepared {
  readonly factors: Omit<Factors, "harness">;
  /** What one operation of the task is. */
  readonly per: string;
  readonly task: BatchTask;
  readonly exact: Exact;
}

/** The same of a program of its own. */
export type PreparedProgram = Omit<Prepared, "task"> & { readonly task: ProgramTask };

/** Measures variants interleaved, the yardstick among them. */
export async function measureCases(
  prepared: readonly (Prepared | PreparedProgram)[],
  milliseconds: number,
): Promise<ProcessResult> {
  const tasks = [...prepared.map(({ task }) => task), makeYardstick()];
  const measured = await measureInterleaved(tasks, milliseconds);
  const cases = prepared.map((one, i) => caseOf(one, "measure" in one.task ? "c" : "tinybench", measured[i]!));
  return { cases, yardstick: measured[prepared.length]!.samples };
}

export function caseOf(
  { factors, per, task, exact }: Prepared | PreparedProgram,
  harness: Factors["harness"],
  samples: TaskSamples,
): CaseResult {
  return { factors: { ...factors, harness }, unit: "ns", per, batch: task.operations, exact, ...samples };
}
