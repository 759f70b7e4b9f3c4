import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { formatMeasurement, MEASUREMENT_SCHEMA, type Measurement } from "../src/index.js";
import { ArgumentError, type BenchOptions, parseArguments } from "./arguments.js";
import { Collection } from "./collect.js";
import { findCompiler, installedVersion, readEnvironment } from "./environment.js";
import { describePlan, orderRound, roundFits } from "./plan.js";
import { runProcess, stopProcesses } from "./processes.js";
import { showProgress } from "./progress.js";
import { COMPILER_FLAGS, compileReferences } from "./reference/compile.js";
import { studies } from "./studies/index.js";
import type { Study } from "./studies/study.js";
import { writeResults } from "./write-results.js";

const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** Time kept for drawing and writing the results. */
const DRAWING_SECONDS = 3;

async function main(words: string[]): Promise<void> {
  const options = parseArguments(words, [...studies.keys()]);
  const study = studies.get(options.study)!;
  const progress = showProgress(process.stderr);
  const record = await measure(study, options, words, progress.show);
  progress.clear();
  process.stdout.write(options.json ? formatMeasurement(record) : study.drawText(record));
  const files = await writeResults(options.out, record, await study.drawPlots(record));
  (options.json ? process.stderr : process.stdout).write(`Written: ${files.join(", ")}\n`);
}

/** Runs rounds of processes until the time is up, and puts the record together. */
async function measure(
  study: Study,
  options: BenchOptions,
  words: string[],
  show: (line: string) => void,
): Promise<Measurement> {
  const started = new Date();
  const elapsed = () => (Date.now() - started.getTime()) / 1000;
  const directory = await mkdtemp(join(os.tmpdir(), "chainwalk-bench-"));
  const interrupt = (signal: NodeJS.Signals): void => {
    stopProcesses();
    rmSync(directory, { recursive: true, force: true });
    process.exit(128 + os.constants.signals[signal]);
  };
  for (const signal of INTERRUPTS) process.once(signal, interrupt);
  try {
    const compiler = findCompiler();
    const failure = compiler === null ? undefined : compileReferences(directory);
    const equipment = {
      compiler: compiler !== null && failure === undefined,
      benchmarkJs: installedVersion("benchmark") !== null,
    };
    const { plans, notes } = study.plan(options, equipment);
    if (failure !== undefined) notes.push(`The C programs did not compile: ${failure}`);
    const collection = new Collection();
    const rounds: number[] = [];
    do {
      const from = elapsed();
      const order = orderRound(plans, rounds.length);
      for (const [at, plan] of order.entries()) {
        if (elapsed() > options.duration) {
          notes.push(`Left out for lack of time: ${order.slice(at).map(describePlan).join("; ")}.`);
          break;
        }
        show(
          `round ${rounds.length + 1}, ${at + 1} of ${order.length}: ${describePlan(plan)} (${Math.round(elapsed())} s)`,
        );
        collection.add(await runProcess(plan, { directory }));
      }
      rounds.push(elapsed() - from);
    } while (!options.quick && roundFits(elapsed() + DRAWING_SECONDS, rounds, options.duration));
    return {
      schema: MEASUREMENT_SCHEMA,
      study: study.name,
      command: ["npm", "run", "bench", ...(words.length > 0 ? ["--", ...words] : [])],
      seed: options.seed,
      quick: options.quick,
      started: started.toISOString(),
      seconds: elapsed(),
      rounds: rounds.length,
      environment: readEnvironment(equipment.compiler ? `${compiler} ${COMPILER_FLAGS.join(" ")}` : null),
      ...collection.list(),
      notes,
    };
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    await rm(directory, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof ArgumentError) {
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
