import {
  changesBetween,
  columnEngine,
  generateIptables,
  indexedEngine,
  Node,
  printRules,
  readRules,
  resolve,
  type ResolvedRuleSet,
  type RuleSet,
  synthesizeCluster,
  updatableEngine,
} from "../../src/index.js";
import type { ProcessPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import type { BatchTask } from "../task.js";
import { POD_CIDR } from "../workload/cluster.js";
import { changeOneEndpoint, CHANGE, planBoth } from "../workload/change.js";
import { measureCases, type Prepared } from "./cases.js";

type StagesPlan = Extract<ProcessPlan, { kind: "stages" }>;
export type StageName = StagesPlan["stages"][number];

/** Rule sets with more services than this are not made ready again and again: each takes seconds. */
const LARGE = 2000;
/** What is then done with them, in a process. */
const TIMES = 3;

/** What is done with a rule set as a whole, stage by stage. */
export async function measureStages(plan: StagesPlan): Promise<ProcessResult> {
  const world = makeWorld(plan);
  const prepared = plan.stages.flatMap((stage) => prepareStage(stage, plan, world));
  return measureCases(prepared, plan.milliseconds);
}

/** What stages start from. */
interface World {
  readonly write: () => RuleSet;
  readonly ruleset: RuleSet;
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly cluster: ReturnType<typeof synthesizeCluster>;
}

function makeWorld({ services, endpoints, seed }: StagesPlan): World {
  const cluster = synthesizeCluster({ services, endpoints, seed, podCIDR: POD_CIDR });
  const write = () => generateIptables(cluster.objects, cluster.configuration, cluster.node);
  const ruleset = write();
  return { write, ruleset, resolved: resolve(ruleset), node: new Node(cluster.node.addresses), cluster };
}

function prepareStage(stage: StageName, plan: StagesPlan, world: World): Prepared[] {
  const { services, endpoints } = plan;
  const size = { services, endpoints };
  const { write, ruleset, resolved, node } = world;
  const limit = services > LARGE ? { limit: TIMES } : {};
  const task = (run: () => number): BatchTask => ({ name: stage, operations: 1, run, ...limit });
  switch (stage) {
    case "write":
      return [
        {
          factors: { engine: "all", stage, ...size },
          per: "rule set",
          task: task(() => write().tables.length),
          exact: countRules(ruleset),
        },
      ];
    case "read": {
      const text = Buffer.from(printRules(ruleset));
      const exact = { ...countRules(ruleset), lines: countLines(text), bytes: text.length };
      const run = () => readRules(text).ruleset!.tables.length;
      return [{ factors: { engine: "all", stage, ...size }, per: "rule set", task: task(run), exact }];
    }
    case "resolve": {
      const run = () => resolve(ruleset).chains.length;
      return [
        { factors: { engine: "all", stage, ...size }, per: "rule set", task: task(run), exact: countRules(ruleset) },
      ];
    }
    case "build":
      return engines.map(([engine, build]) => ({
        factors: { engine, stage, ...size },
        per: "rule set",
        task: task(() => build(resolved, node).name.length),
        exact: countRules(ruleset),
      }));
    case "update": {
      const after = changeOneEndpoint(world.cluster, plan.seed);
      const next = generateIptables(after.objects, after.configuration, after.node);
      const factors = { stage, change: CHANGE, ...size };
      const anew = task(() => columnEngine(resolve(next), { node }).name.length);
      return [
        { factors: { engine: "linear", ...factors }, per: "update", task: anew, exact: countRules(next) },
        { factors: { engine: "indexed", ...factors }, per: "update", ...prepareUpdate(ruleset, next, node) },
      ];
    }
    case "sync":
      return planBoth(world.cluster, changeOneEndpoint(world.cluster, plan.seed)).map(({ change, sync }) => {
        const { lines, bytes } = sync();
        const run = () => sync().lines;
        return {
          factors: { engine: "all", stage, change, ...size },
          per: "sync",
          task: task(run),
          exact: { lines, bytes },
        };
      });
  }
}

/** The compiled form of one rule set becomes that of the other and back, chain by chain, as a sync tells it. */
function prepareUpdate(before: RuleSet, after: RuleSet, node: Node): Pick<Prepared, "task" | "exact"> {
  const engine = updatableEngine(before, { node });
  const [there, back] = [changesBetween(before, after), changesBetween(after, before)];
  const run = () => engine.update(there).destinations + engine.update(back).destinations;
  const { kind, chains } = engine.update(there);
  if (kind === "full") throw new Error("the change of one endpoint compiled everything anew");
  engine.update(back);
  return { task: { name: "update", operations: 2, run }, exact: { chains } };
}

/** Engines of the studies, from a resolved rule set to ready. */
const engines = [
  ["linear", (resolved: ResolvedRuleSet, node: Node) => columnEngine(resolved, { node })],
  ["indexed", (resolved: ResolvedRuleSet, node: Node) => indexedEngine(resolved, { node })],
] as const;

function countRules(ruleset: RuleSet): { rules: number; chains: number } {
  const chains = ruleset.tables.flatMap((table) => table.chains);
  return { rules: chains.reduce((sum, chain) => sum + chain.rules.length, 0), chains: chains.length };
}

function countLines(text: Uint8Array): number {
  let lines = 0;
  for (const byte of text) if (byte === 0x0a) lines++;
  return lines;
}
