import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { type Factors, MEASUREMENT_SCHEMA, type Measurement } from "../src/index.js";
import { ArgumentError, type BenchOptions } from "./arguments.js";
import { Collection } from "./collect.js";
import { findCompiler, installedVersion, readEnvironment } from "./environment.js";
import { datasetsOf, describePlan, type MeasuringPlan, orderRound, partOf, Timetable, withoutProgram } from "./plan.js";
import { runProcess, type Scratch, stopProcesses, THIS_BUILD } from "./processes.js";
import { COMPILER_FLAGS, compileReferences } from "./reference/compile.js";
import type { Study } from "./studies/study.js";

const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** Time kept for drawing and writing the results. */
const DRAWING_SECONDS = 4;

/** A build under measurement: its name in the record, none where there is only one, and its folder. */
interface Build {
  readonly name?: NonNullable<Factors["build"]>;
  readonly folder: string;
}

/** Runs rounds of processes until the time is up, and puts the record together. `command`: the words that make it again. */
export async function runStudy(
  study: Study,
  options: BenchOptions,
  command: readonly string[],
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
    const { plans: planned, notes } = study.plan(options, equipment);
    const whole = options.against === undefined ? planned : planned.map(withoutProgram);
    if (planned.some((plan, i) => plan !== whole[i]))
      notes.push("Builds are compared with each other: the comparison with C is left out.");
    const plans = options.shard === undefined ? whole : partOf(whole, options.shard);
    if (plans.length === 0)
      throw new ArgumentError(`error: option '--shard <i/n>': ${sayTooFew(study.name, whole.length)}`, 2);
    if (failure !== undefined) notes.push(`The C programs did not compile: ${failure}`);
    const collection = new Collection();
    for (const plan of datasetsOf(plans)) {
      show(`${describePlan(plan)} (${Math.round(elapsed())} s)`);
      collection.add(await runProcess(plan, { directory }), 0);
    }
    const rounds = await runRounds({ plans, options, collection, notes, elapsed, show, scratch: { directory } });
    const run = {
      command: [...command],
      shard: options.shard === undefined ? null : { ...options.shard, plan: digestPlan(whole, options) },
      started: started.toISOString(),
      seconds: elapsed(),
      rounds,
      environment: readEnvironment(equipment.compiler ? `${compiler} ${COMPILER_FLAGS.join(" ")}` : null),
    };
    const { seed, quick } = options;
    return { schema: MEASUREMENT_SCHEMA, study: study.name, seed, quick, runs: [run], ...collection.list(), notes };
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    await rm(directory, { recursive: true, force: true });
  }
}

function sayTooFew(study: string, processes: number): string {
  return `the study ${study} is one of ${processes} processes with these options: there can be no more shards than that.`;
}

/** What tells shards of one study from those of another: all that is to be measured, and how long. */
function digestPlan(plans: readonly MeasuringPlan[], { duration, against }: BenchOptions): string {
  return createHash("sha256").update(JSON.stringify({ plans, duration, against })).digest("hex");
}

interface Session {
  readonly plans: readonly MeasuringPlan[];
  readonly options: BenchOptions;
  readonly collection: Collection;
  readonly notes: string[];
  readonly elapsed: () => number;
  readonly show: (line: string) => void;
  readonly scratch: Scratch;
}

/** Gives how many rounds were begun. The first round is always begun; a later one only where all of it is likely to fit. */
async function runRounds({ plans, options, collection, notes, elapsed, show, scratch }: Session): Promise<number> {
  const { duration, against } = options;
  const timetable = new Timetable();
  let round = 0;
  do {
    const order = orderRound(plans, round);
    for (const [at, plan] of order.entries()) {
      if (elapsed() > duration) {
        notes.push(`Left out for lack of time: ${order.slice(at).map(describePlan).join("; ")}.`);
        return round + 1;
      }
      const from = elapsed();
      for (const { name, folder } of buildsFor(against, round + at)) {
        const which = name === undefined ? "" : `, ${name} build`;
        show(
          `round ${round + 1}, ${at + 1} of ${order.length}: ${describePlan(plan)}${which} (${Math.round(elapsed())} s)`,
        );
        collection.add(await runProcess(plan, scratch, folder), round, name);
      }
      timetable.enter(plan, elapsed() - from);
    }
    round++;
  } while (timetable.fits(orderRound(plans, round), duration - DRAWING_SECONDS - elapsed()));
  return round;
}

/** The builds that a plan is run in, one after the other; which comes first alternates. */
function buildsFor(against: string | undefined, turn: number): Build[] {
  if (against === undefined) return [{ folder: THIS_BUILD }];
  const builds: Build[] = [
    { name: "this", folder: THIS_BUILD },
    { name: "other", folder: join(against, "bench") },
  ];
  return turn % 2 === 0 ? builds : builds.reverse();
}
