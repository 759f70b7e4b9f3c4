import type { BenchOptions, StudyFacts } from "../arguments.js";
import type { MeasuringPlan, ReferenceProgram } from "../plan.js";

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

/** Milliseconds for each variant beside a C program: their ratio has to outlast the neighbours of the machine, which come and go within tens of them. */
const MILLISECONDS_BESIDE = 320;

/** What a process takes besides to measure a C program in turn with its engine; nothing where none can be compiled. */
export function besideProgram(
  beside: ReferenceProgram,
  { compiler }: Equipment,
): { beside?: ReferenceProgram; milliseconds?: number } {
  return compiler ? { beside, milliseconds: MILLISECONDS_BESIDE } : {};
}

export const NO_COMPILER = "No C compiler (cc) was found: the comparison with C is left out.";
