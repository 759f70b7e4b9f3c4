import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchCase, type Dataset, MEASUREMENT_SCHEMA, type Picks } from "../src/index.js";
import { MEASURING_FLAGS } from "./environment.js";
import type { TaskSamples } from "./measure.js";
import type { ProcessPlan } from "./plan.js";

/** A case as one process measured it. */
export type CaseResult = Omit<BenchCase, "rounds"> & TaskSamples;

/** What a measuring process found. */
export interface ProcessResult {
  readonly cases: readonly CaseResult[];
  readonly picks?: readonly Picks[];
  readonly datasets?: readonly Dataset[];
  /** Nanoseconds per turn of the yardstick; none where the process measured no variant that comes round again. */
  readonly yardstick?: readonly number[];
}

/** What it prints as JSON on standard output. */
export interface ProcessOutput extends ProcessResult {
  /** MEASUREMENT_SCHEMA of the build it belongs to. */
  readonly schema: string;
  /** What all outcomes were folded into; printed so that no work can be left out. */
  readonly sink: number;
}

/** Where processes of a run find what earlier ones left: compiled C programs and their input. Removed at the end. */
export interface Scratch {
  readonly directory: string;
}

/** The folder of this build: where child.js and ../src lie. */
export const THIS_BUILD = fileURLToPath(new URL(".", import.meta.url));

const running = new Set<ChildProcess>();

/** Ends the processes under way: for a run that is interrupted. */
export function stopProcesses(): void {
  for (const child of running) child.kill();
}

/** Runs one plan in a process of its own, of the build in a folder. Rejects with what the process wrote on standard error where it fails. */
export function runProcess(plan: ProcessPlan, scratch: Scratch, build = THIS_BUILD): Promise<ProcessOutput> {
  const words = [...MEASURING_FLAGS, join(build, "child.js"), JSON.stringify({ plan, scratch })];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      const text = Buffer.concat(errors).toString();
      if (code !== 0) {
        reject(new Error(`a measuring process ended with ${signal ?? `exit code ${code}`}: ${text.trim()}`));
        return;
      }
      const result = JSON.parse(Buffer.concat(output).toString()) as ProcessOutput;
      if (result.schema === MEASUREMENT_SCHEMA) resolve(result);
      else reject(new Error(`the build in ${build} measures as ${result.schema}, this one as ${MEASUREMENT_SCHEMA}`));
    });
  });
}
