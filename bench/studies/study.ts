import type { Document, Measurement } from "../../src/index.js";
import type { BenchOptions } from "../arguments.js";
import type { MeasuringPlan } from "../plan.js";

/** What the machine has besides Node. */
export interface Equipment {
  readonly compiler: boolean;
  readonly benchmarkJs: boolean;
}

/** A named study: which processes make one round of it, and what its record says. One study, one file. */
export interface Study {
  readonly name: string;
  readonly summary: string;
  /** `notes` say what is left out, and why. */
  plan(options: BenchOptions, equipment: Equipment): { plans: MeasuringPlan[]; notes: string[] };
  document(record: Measurement): Document;
}
