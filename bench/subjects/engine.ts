import { measureWithBenchmarkJs } from "../benchmark-js.js";
import { measureInterleaved, readSink, startClocks, type TaskSamples } from "../measure.js";
import type { ProcessPlan } from "../plan.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import { prepareConnections } from "./datapath.js";
import { makeSubject, type Prepared } from "./subject.js";
import { prepareWalk } from "./walk.js";

type EnginePlan = Extract<ProcessPlan, { kind: "engine" }>;
type AgainPlan = Extract<ProcessPlan, { kind: "benchmark.js" }>;

/** One engine at one size: all variants of the plan, interleaved. */
export async function measureEngine(plan: EnginePlan): Promise<ProcessResult> {
  const { engine, services, endpoints, seed } = plan;
  const subjects = Array.from({ length: plan.ruleSets }, (_, i) => makeSubject(engine, services, endpoints, seed + i));
  const prepared = [
    ...plan.destinations.map((destination) => prepareWalk(subjects, destination)),
    ...prepareConnections(subjects[0]!, plan.packets, plan.flows),
  ];
  const measured = await measureInterleaved(
    prepared.map(({ task }) => task),
    plan.milliseconds,
  );
  const cases = prepared.map((one, i) => caseOf(one, plan, plan.ruleSets, "tinybench", measured[i]!));
  const expected = [...subjects[0]!.cluster.pickProbabilities];
  // A service with one endpoint leaves nothing to pick.
  const tested = plan.ruleSets === 1 && expected.length > 1;
  const picks = prepared
    .filter(({ destination, picks }) => tested && picks !== undefined && destination === "uniform")
    .map((one) => ({ engine, services, observed: [...one.picks!], expected }));
  return { cases, picks, sink: readSink() };
}

/** The headline variant by Benchmark.js. */
export async function measureAgain(plan: AgainPlan): Promise<ProcessResult> {
  const { engine, services, endpoints, seed } = plan;
  const prepared = prepareWalk([makeSubject(engine, services, endpoints, seed)], "uniform");
  const clock = startClocks();
  const samples = await measureWithBenchmarkJs(prepared.task, plan.milliseconds);
  const { cpu, wall } = clock();
  const one = caseOf(prepared, plan, 1, "benchmark.js", { samples, collections: 0, cpuShare: cpu / wall });
  return { cases: [one], picks: [], sink: readSink() };
}

function caseOf(
  { task, packet, destination, flows, work, leastRulesVisited, checksum }: Prepared,
  { engine, services, endpoints }: EnginePlan | AgainPlan,
  ruleSets: number,
  harness: CaseResult["harness"],
  { samples, collections, cpuShare }: Omit<TaskSamples, "name">,
): CaseResult {
  return {
    engine,
    harness,
    packet,
    destination,
    services,
    endpoints,
    ruleSets,
    flows,
    packetsPerSample: task.packets,
    work,
    leastRulesVisited,
    checksum,
    samples,
    collections,
    cpuShare,
  };
}
