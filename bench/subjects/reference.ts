import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Factors, type IndexedEngine, indexedEngine } from "../../src/index.js";
import { PASSES } from "../measure.js";
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

/** What a C program prints. */
interface ProgramResult {
  readonly samples: number[];
  readonly checksum: number;
  readonly rulesVisited: number;
  readonly cpuShare: number;
}

/** What a program measures, and the words that ask it to: for `conntrack` the kind of packets, and after how many batches it ends. */
const WORK: Readonly<Record<ReferenceProgram, readonly { what: Partial<Factors>; words: readonly string[] }[]>> = {
  lookup: [{ what: { packet: "first", destination: "uniform" }, words: [] }],
  walk: [{ what: { packet: "first", destination: "last" }, words: [] }],
  conntrack: [
    { what: { packet: "established-fast-path", destination: "uniform" }, words: ["established", "0"] },
    { what: { packet: "first-datapath", destination: "uniform" }, words: ["first", String(FIRST_TIMED / PASSES)] },
  ],
};

/** Milliseconds: enough for a program to tell what is exact about its work. */
const GLANCE = 1;

/** The C program that is measured beside the engine of the subjects, on the same packets. The first process that needs its input writes it. */
export function prepareReference(
  program: ReferenceProgram,
  { services, endpoints, ruleSets, flows }: EnginePlan,
  subjects: readonly Subject[],
  { directory }: Scratch,
): PreparedProgram[] {
  const input = join(directory, `${program}-${services}-${ruleSets}-${flows}.bin`);
  if (!existsSync(input)) writeInput(program, flows, subjects, input);
  const { packets, batchSize } = poolSize(program === "walk" ? "linear" : "indexed");
  return WORK[program].map(({ what, words }) => {
    const run = (milliseconds: number): ProgramResult => {
      const all = [input, String(milliseconds), ...words];
      return JSON.parse(
        execFileSync(programPath(directory, program), all, { encoding: "utf8", maxBuffer: 2 ** 26 }),
      ) as ProgramResult;
    };
    const { checksum, rulesVisited } = run(GLANCE);
    const size = { services, endpoints, ruleSets, ...(program === "conntrack" ? { flows } : {}) };
    const operations = program === "conntrack" ? FLOW_BATCH : batchSize;
    return {
      factors: { engine: "C", ...what, ...size },
      per: "packet",
      task: { name: `C ${program}`, operations, measure: run },
      exact: { ...(program === "walk" ? { rulesVisited: rulesVisited / packets } : {}), checksum },
    };
  });
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
