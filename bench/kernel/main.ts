/** `npm run bench:kernel`: the same rule sets in the real kernel, and how well the emulator's rules visited foretell its time. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { basename, join } from "node:path";
import { documentOf, formatMeasurement, formatText, type Measurement, MEASUREMENT_SCHEMA } from "../../src/index.js";
import { ArgumentError } from "../arguments.js";
import { Collection } from "../collect.js";
import { findCompiler, readEnvironment } from "../environment.js";
import { orderRound } from "../plan.js";
import { showProgress } from "../progress.js";
import { writeResults } from "../write-results.js";
import { type KernelOptions, parseKernelArguments } from "./arguments.js";
import { prepare } from "./material.js";
import { KernelBench } from "./measure.js";
import { planKernel } from "./plan.js";
import { stopPrograms } from "./programs.js";
import { compilePrograms, describeTools, findObstacles, findVariants } from "./tools.js";

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Another round is begun where one that takes this much longer than the last would still fit. */
const MARGIN = 1.1;

async function main(words: string[]): Promise<void> {
  const options = parseKernelArguments(words);
  const obstacles = findObstacles();
  if (obstacles.length > 0) {
    process.stderr.write(
      `bench:kernel cannot measure the kernel here:\n${obstacles.map((one) => `  ${one}\n`).join("")}`,
    );
    process.exitCode = 2;
    return;
  }
  const progress = showProgress(process.stderr);
  const record = await measure(options, words, progress.show);
  progress.clear();
  process.stdout.write(options.json ? formatMeasurement(record) : formatText(documentOf(record)));
  const files = await writeResults(options.out, record);
  const list = `Written to ${options.out}: ${files.map((file) => basename(file)).join(", ")}\n`;
  (options.json ? process.stderr : process.stdout).write(list);
}

/** Measures rounds until the time is up, in a scratch directory that goes with everything else, also when interrupted. */
async function measure(options: KernelOptions, words: string[], show: (line: string) => void): Promise<Measurement> {
  const directory = mkdtempSync(join(os.tmpdir(), "chainwalk-kernel-bench-"));
  const cleanUp = (): void => {
    stopPrograms();
    rmSync(directory, { recursive: true, force: true });
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    cleanUp();
    process.exit(128 + os.constants.signals[signal]);
  };
  for (const signal of INTERRUPTS) process.once(signal, interrupt);
  try {
    return await measureRounds(options, words, show, directory);
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    cleanUp();
  }
}

async function measureRounds(
  options: KernelOptions,
  words: string[],
  show: (line: string) => void,
  directory: string,
): Promise<Measurement> {
  const started = new Date();
  const elapsed = (since = started.getTime()): number => (Date.now() - since) / 1000;
  const found = findVariants(options.variants);
  const compiled = compilePrograms(directory, found.variants.includes("ebpf"));
  const variants = found.variants.filter((variant) => variant !== "ebpf" || compiled.programs.ebpf !== undefined);
  const { plans, notes } = planKernel(options, variants);
  const collection = new Collection();
  const materials = new Map(
    options.services.map((services) => {
      show(`writing rules of ${services} services (${Math.round(elapsed())} s)`);
      return [services, prepare(directory, variants, services, options.endpoints, options.seed)];
    }),
  );
  const datasets = [...materials.values()].map(({ dataset }) => dataset);
  collection.add({ cases: [], datasets }, 0);
  const bench = new KernelBench(compiled.programs, materials);
  let rounds = 0;
  for (let last = 0; rounds === 0 || elapsed() + last * MARGIN <= options.duration; rounds++) {
    const [from, saved] = [Date.now(), bench.savedSeconds];
    const order = orderRound(plans, rounds);
    for (const [at, plan] of order.entries()) {
      const what = `${plan.engine}, ${plan.services} services`;
      show(`round ${rounds + 1}, ${at + 1} of ${order.length}: ${what} (${Math.round(elapsed())} s)`);
      collection.add({ cases: await bench.measure(plan, rounds) }, rounds);
    }
    last = elapsed(from) - (bench.savedSeconds - saved);
  }
  const compiler = `${findCompiler()} -O2; ${describeTools(variants).join("; ")}`;
  return {
    schema: MEASUREMENT_SCHEMA,
    study: "kernel",
    seed: options.seed,
    quick: options.quick,
    runs: [
      {
        command: ["npm", "run", "bench:kernel", ...(words.length > 0 ? ["--", ...words] : [])],
        shard: null,
        started: started.toISOString(),
        seconds: elapsed(),
        rounds,
        environment: readEnvironment(compiler),
      },
    ],
    ...collection.list(),
    notes: [...found.notes, ...compiled.notes, ...notes, ...bench.notes()],
  };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof ArgumentError) {
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  process.stderr.write(`bench:kernel: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
