import type { BenchRound } from "../src/index.js";

/** A batch has to last this long: two hundred readings of the clock. */
export const LEAST_NANOSECONDS = 10_000;

/** One variant: a call does one batch of operations. */
export interface BatchTask {
  readonly name: string;
  /** Operations of a batch. tinybench reads the clock at every call: a batch must take longer than LEAST_NANOSECONDS, or it would measure the clock. */
  readonly operations: number;
  /** Does the next batch and gives what depends on its outcomes, so that no work can be left out. */
  readonly run: () => number;
  /** What must happen between batches and is not timed. */
  readonly prepare?: () => void;
  /** Most batches to run, where each takes long or leaves something behind. They are not warmed up: making them ready is. */
  readonly limit?: number;
  /** Does one operation alone: for the histogram of operations long enough for the clock. */
  readonly single?: () => number;
}

/** A variant that is a program of its own: it warms up, takes its samples, and uses its outcomes by itself. */
export interface ProgramTask {
  readonly name: string;
  readonly operations: number;
  /** Has it measure for so long. Samples are in nanoseconds per operation. Rejects where it has ended. */
  readonly measure: (milliseconds: number) => Promise<Pick<BenchRound, "samples" | "cpuShare">>;
  /** Ends it. */
  readonly stop: () => void;
}

/** Every result depends on it; read by `readSink` so that it counts as used. */
let sink = 0;

export function readSink(): number {
  return sink >>> 0;
}

/** Does a batch, and uses its outcomes. */
export function consume(run: () => number): void {
  sink = (sink + run()) | 0;
}
