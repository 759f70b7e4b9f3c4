import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Factors, indexedEngine } from "../../src/index.js";
import type { ProcessPlan } from "../plan.js";
import type { CaseResult, ProcessResult, Scratch } from "../processes.js";
import { programPath } from "../reference/compile.js";
import { writeConntrackInput, writeLookupInput, writeWalkInput } from "../reference/input.js";
import { makeCluster } from "../workload/cluster.js";
import { drawPool } from "../workload/pool.js";
import { FIRST_TIMED, FLOW_BATCH, openTraffic } from "./datapath.js";
import { poolSize } from "./walk.js";

type ReferencePlan = Extract<ProcessPlan, { kind: "reference" }>;

/** What a C program prints, a line for each thing it measured. */
interface ProgramResult {
  readonly samples: readonly number[];
  readonly checksum: number;
  readonly rulesVisited: number;
  readonly cpuShare: number;
}

/** Runs a C program on the same packets that the engines get. Its input is written by the first process that needs it. */
export async function measureReference(plan: ReferencePlan, { directory }: Scratch): Promise<ProcessResult> {
  const { program, services, ruleSets, flows, milliseconds } = plan;
  const input = join(directory, `${program}-${services}-${ruleSets}-${flows}.bin`);
  if (!existsSync(input)) writeInput(plan, input);
  const words = [input, String(milliseconds), ...(program === "conntrack" ? [String(FIRST_TIMED)] : [])];
  const output = execFileSync(programPath(directory, program), words, { encoding: "utf8", maxBuffer: 2 ** 26 });
  const results = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ProgramResult);
  const [linear, indexed] = [poolSize("linear"), poolSize("indexed")];
  switch (program) {
    case "lookup":
      return { cases: [caseOf(plan, results[0]!, { packet: "first", destination: "uniform" }, indexed.batchSize)] };
    case "walk": {
      const walked = caseOf(plan, results[0]!, { packet: "first", destination: "last" }, linear.batchSize);
      const rulesVisited = results[0]!.rulesVisited / linear.packets;
      return { cases: [{ ...walked, exact: { rulesVisited, ...walked.exact } }] };
    }
    case "conntrack": {
      const kinds = ["established-fast-path", "first-datapath"] as const;
      const cases = kinds.map((packet, i) =>
        caseOf(plan, results[i]!, { packet, destination: "uniform", flows: plan.flows }, FLOW_BATCH),
      );
      return { cases };
    }
  }
}

function writeInput({ program, services, endpoints, ruleSets, flows, seed }: ReferencePlan, path: string): void {
  const size = poolSize(program === "walk" ? "linear" : "indexed");
  const cluster = makeCluster(services, endpoints, seed);
  const { resolved, node } = cluster;
  switch (program) {
    case "lookup": {
      const own = Array.from({ length: ruleSets }, (_, k) => {
        const { resolved, node, services: columns } = k === 0 ? cluster : makeCluster(services, endpoints, seed + k);
        const pool = drawPool(columns, "uniform", seed + k, size.packets, size.batchSize);
        return { plan: indexedEngine(resolved, { node }).plan, pool, seed: seed + k };
      });
      return writeLookupInput(path, own);
    }
    case "walk": {
      const pool = drawPool(cluster.services, "last", seed, size.packets, size.batchSize);
      return writeWalkInput(path, cluster, pool, seed);
    }
    case "conntrack": {
      const engine = indexedEngine(resolved, { node });
      return writeConntrackInput(path, engine.plan, openTraffic(cluster, engine, "fast-path", flows, seed), seed);
    }
  }
}

function caseOf(
  { services, endpoints, ruleSets }: ReferencePlan,
  { samples, checksum, cpuShare }: ProgramResult,
  what: Partial<Factors>,
  batch: number,
): CaseResult {
  return {
    factors: { engine: "C", harness: "c", ...what, services, endpoints, ruleSets },
    unit: "ns",
    per: "packet",
    batch,
    exact: { checksum },
    samples: [...samples],
    collections: 0,
    cpuShare,
  };
}
