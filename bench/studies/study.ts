import type { Measurement } from "../../src/index.js";
import type { BenchOptions } from "../arguments.js";
import type { ProcessPlan } from "../plan.js";

/** What the machine has besides Node. */
export interface Equipment {
  readonly compiler: boolean;
  readonly benchmarkJs: boolean;
}

/** A named study: which processes make one round of it, and how its record is drawn. One study, one file. */
export interface Study {
  readonly name: string;
  /** `notes` say what is left out, and why. */
  plan(options: BenchOptions, equipment: Equipment): { plans: ProcessPlan[]; notes: string[] };
  drawText(record: Measurement): string;
  /** Pictures by file name, without its ending. */
  drawPlots(record: Measurement): Promise<{ name: string; svg: string }[]>;
}
