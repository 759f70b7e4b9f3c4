import type { Picks } from "../../src/index.js";
import { measureWithBenchmarkJs } from "../benchmark-js.js";
import { startClocks } from "../measure.js";
import type { ProcessPlan } from "../plan.js";
import type { ProcessResult, Scratch } from "../processes.js";
import { caseOf, measureCases, type Prepared, type PreparedProgram } from "./cases.js";
import { prepareConnections } from "./datapath.js";
import { makeSubject } from "./subject.js";
import { prepareObjects } from "./objects.js";
import { prepareReference } from "./reference.js";
import { prepareWalk } from "./walk.js";

type EnginePlan = Extract<ProcessPlan, { kind: "engine" }>;
type AgainPlan = Extract<ProcessPlan, { kind: "benchmark.js" }>;

/** One engine at one size: all variants of the plan, interleaved. */
export async function measureEngine(plan: EnginePlan, scratch: Scratch): Promise<ProcessResult> {
  const { engine, services, endpoints, seed } = plan;
  const subjects = Array.from({ length: plan.ruleSets }, (_, i) => makeSubject(engine, services, endpoints, seed + i));
  const walks = plan.destinations.map((destination) => prepareWalk(subjects, destination));
  const connections = prepareConnections(subjects[0]!, plan.packets, plan.flows);
  const objects = plan.objects === true ? [prepareObjects(subjects[0]!)] : [];
  const programs = plan.beside === undefined ? [] : await prepareReference(plan.beside, plan, subjects, scratch);
  const measured = await measureCases(pair([...walks, ...objects, ...connections], programs), plan.milliseconds);
  const expected = [...subjects[0]!.cluster.pickProbabilities];
  // A service with one endpoint leaves nothing to pick.
  const tested = plan.ruleSets === 1 && expected.length > 1;
  const picks = walks
    .filter(({ factors }) => tested && factors.destination === "uniform")
    .map(({ factors, picks }): Picks => ({
      factors: { ...factors, harness: "tinybench" },
      observed: [...picks],
      expected,
    }));
  return { ...measured, picks };
}

/** Puts each program behind the variant that it is compared with: what slows the machine for a while slows both. */
function pair(prepared: readonly Prepared[], programs: readonly PreparedProgram[]): (Prepared | PreparedProgram)[] {
  return prepared.flatMap((one) => [
    one,
    ...programs.filter(
      ({ factors }) => factors.packet === one.factors.packet && factors.destination === one.factors.destination,
    ),
  ]);
}

/** The headline variant by Benchmark.js. */
export async function measureAgain(plan: AgainPlan): Promise<ProcessResult> {
  const { engine, services, endpoints, seed } = plan;
  const prepared = prepareWalk([makeSubject(engine, services, endpoints, seed)], "uniform");
  const clock = startClocks();
  const samples = await measureWithBenchmarkJs(prepared.task, plan.milliseconds);
  const { cpu, wall } = clock();
  return { cases: [caseOf(prepared, "benchmark.js", { samples, collections: 0, cpuShare: cpu / wall })] };
}
