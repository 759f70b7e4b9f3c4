import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Factors, type IndexedEngine, indexedEngine } from "../../src/index.js";
import { passesIn } from "../measure.js";
import type { ProcessPlan, ReferenceProgram } from "../plan.js";
import type { Scratch } from "../processes.js";
import { programPath } from "../reference/compile.js";
import { writeConntrackInput, writeLookupInput, writeWalkInput } from "../reference/input.js";
import { drawPool } from "../workload/pool.js";
import type { PreparedProgram } from "./cases.js";
import { FIRST_TIMED, FLOW_BATCH, openTraffic } from "./datapath.js";
import type { Subject } from "./subject.js";
import { poolSize } from "./walk.js";

type EnginePlan = Extract<ProcessPlan, { kind: "engine" }>;

/** What a C program answers. */
interface ProgramResult {
  readonly samples: number[];
  readonly checksum: number;
  readonly rulesVisited: number;
  readonly cpuShare: number;
}

/** What each program measures, in the order in which it counts. */
const SERIES: Readonly<Record<ReferenceProgram, readonly Partial<Factors>[]>> = {
  lookup: [{ packet: "first", destination: "uniform" }],
  walk: [{ packet: "first", destination: "last" }],
  conntrack: [
    { packet: "established-fast-path", destination: "uniform" },
    { packet: "first-datapath", destination: "uniform" },
  ],
};

/** Milliseconds: enough for a program to tell what is exact about its work. */
const GLANCE = 1;

/** The C program that is measured beside the engine of the subjects, on the same packets. The first process that needs its input writes it. */
export async function prepareReference(
  program: ReferenceProgram,
  { services, endpoints, ruleSets, flows, milliseconds: share }: EnginePlan,
  subjects: readonly Subject[],
  { directory }: Scratch,
): Promise<PreparedProgram[]> {
  const input = join(directory, `${program}-${services}-${ruleSets}-${flows}.bin`);
  if (!existsSync(input)) writeInput(program, flows, subjects, input);
  const { packets, batchSize } = poolSize(program === "walk" ? "linear" : "indexed");
  stayOnOneCpu();
  const { ask, stop } = start(programPath(directory, program), input, Math.floor(FIRST_TIMED / passesIn(share)));
  const size = { services, endpoints, ruleSets, ...(program === "conntrack" ? { flows } : {}) };
  const operations = program === "conntrack" ? FLOW_BATCH : batchSize;
  const prepared: PreparedProgram[] = [];
  for (const [series, what] of SERIES[program].entries()) {
    const { checksum, rulesVisited } = await ask(series, GLANCE);
    prepared.push({
      factors: { engine: "C", ...what, ...size },
      per: "packet",
      task: { name: `C ${program}`, operations, measure: (milliseconds) => ask(series, milliseconds), stop },
      exact: { ...(program === "walk" ? { rulesVisited: rulesVisited / packets } : {}), checksum },
    });
  }
  return prepared;
}

/**
 * Keeps this thread on the CPU it is on, and with it the programs it starts. What else runs on a core (a neighbour of a virtual machine, a process on
 * the other thread of the core) slows that core alone, by half as much again, for tens of milliseconds: two programs on two cores would be told apart
 * by their neighbours. Only where there is taskset(1), which is Linux.
 */
function stayOnOneCpu(): void {
  if (process.platform !== "linux") return;
  // proc(5): the 39th field, the CPU last run on; the fields from the 3rd on follow the name in brackets.
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)!.split(" ");
  spawnSync("taskset", ["--cpu-list", "--pid", fields[36]!, String(process.pid)]);
}

/**
 * Starts a program, once for all its passes: a start between them would have this process's pages marked for copying, which the engine would pay for.
 * `most`: batches of a pass, where they are counted.
 */
function start(
  path: string,
  input: string,
  most: number,
): { ask(series: number, milliseconds: number): Promise<ProgramResult>; stop(): void } {
  const { stdin, stdout } = spawn(path, [input], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const ask = async (series: number, milliseconds: number): Promise<ProgramResult> => {
    stdin.write(`${series} ${Math.floor(milliseconds)} ${most}\n`);
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`${path} ended before it had answered`);
    return JSON.parse(value) as ProgramResult;
  };
  return { ask, stop: () => stdin.end() };
}

function writeInput(program: ReferenceProgram, flows: number, subjects: readonly Subject[], path: string): void {
  const { cluster, seed } = subjects[0]!;
  const { packets, batchSize } = poolSize(program === "walk" ? "linear" : "indexed");
  switch (program) {
    case "lookup": {
      const own = subjects.map((subject) => {
        const pool = drawPool(subject.cluster.services, "uniform", subject.seed, packets, batchSize);
        return { plan: compiled(subject).plan, pool, seed: subject.seed };
      });
      return writeLookupInput(path, own);
    }
    case "walk":
      return writeWalkInput(path, cluster, drawPool(cluster.services, "last", seed, packets, batchSize), seed);
    case "conntrack": {
      const engine = compiled(subjects[0]!);
      return writeConntrackInput(path, engine.plan, openTraffic(cluster, engine, "fast-path", flows, seed), seed);
    }
  }
}

/** The rule set compiled anew: what is measured shares nothing with what is written. */
function compiled({ cluster: { resolved, node } }: Subject): IndexedEngine {
  return indexedEngine(resolved, { node });
}
