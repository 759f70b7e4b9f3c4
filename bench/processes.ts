import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BenchCase, Picks } from "../src/index.js";
import { MEASURING_FLAGS } from "./environment.js";
import type { ProcessPlan } from "./plan.js";

/** A case as one process measured it. */
export interface CaseResult extends Omit<BenchCase, "rounds"> {
  readonly samples: readonly number[];
  readonly collections: number;
  readonly cpuShare: number;
}

/** What a measuring process prints as JSON on standard output. */
export interface ProcessResult {
  readonly cases: readonly CaseResult[];
  readonly picks: readonly Picks[];
  /** What all outcomes were folded into; printed so that no work can be left out. */
  readonly sink: number;
}

/** Where processes of a run find what earlier ones left: compiled C programs and their input. Removed at the end. */
export interface Scratch {
  readonly directory: string;
}

const running = new Set<ChildProcess>();

/** Ends the processes under way: for a run that is interrupted. */
export function stopProcesses(): void {
  for (const child of running) child.kill();
}

/** Runs one plan in a process of its own. Rejects with what the process wrote on standard error where it fails. */
export function runProcess(plan: ProcessPlan, scratch: Scratch): Promise<ProcessResult> {
  const program = fileURLToPath(new URL("./child.js", import.meta.url));
  const child = spawn(process.execPath, [...MEASURING_FLAGS, program, JSON.stringify({ plan, scratch })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
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
      if (code === 0) resolve(JSON.parse(Buffer.concat(output).toString()) as ProcessResult);
      else reject(new Error(`a measuring process ended with ${signal ?? `exit code ${code}`}: ${text.trim()}`));
    });
  });
}
