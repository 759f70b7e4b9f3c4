import type { BenchOptions, StudyFacts } from "../arguments.js";
import type { MeasuringPlan } from "../plan.js";

/** What the machine has besides Node. */
export interface Equipment {
  readonly compiler: boolean;
  readonly benchmarkJs: boolean;
}

/** A named study: which processes make one round of it. How its record is drawn is src/report/studies. One study, one file. */
export interface Study extends StudyFacts {
  readonly name: string;
  /** `notes` say what is left out, and why. */
  plan(options: BenchOptions, equipment: Equipment): { plans: MeasuringPlan[]; notes: string[] };
}

/** Rounds of what takes long beside what is quick: more would leave no time for the rest. */
export const SECONDARY_ROUNDS = 2;

export const NO_COMPILER = "No C compiler (cc) was found: the comparison with C is left out.";
