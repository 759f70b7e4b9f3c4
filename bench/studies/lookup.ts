import { describeRun, drawLookup, plotLookup, renderSvg } from "../../src/index.js";
import type { DestinationKind } from "../../src/index.js";
import type { BenchOptions, EngineName } from "../arguments.js";
import type { ProcessPlan } from "../plan.js";
import type { Equipment, Study } from "./study.js";

const DESTINATIONS: readonly DestinationKind[] = ["first", "middle", "last", "uniform", "zipf"];
/** Live connections of the sweep over services, and of the headline. */
const SWEEP_FLOWS = 100_000;
const HEADLINE_FLOWS = 1_000_000;
/** Rule sets alive at once: call sites that have seen three classes are compiled differently from those that have seen one. */
const ALIVE = 3;
/** Milliseconds for each variant in a process. */
const MILLISECONDS = 120;

/**
 * The main study: linear traversal against map lookup against a Map keyed by string, by size of the rule set and by destination;
 * first and established packets; beside C programs of the same algorithms.
 */
export const lookup: Study = {
  name: "lookup",
  plan: planLookup,
  drawText: drawLookup,
  async drawPlots(record) {
    return [{ name: "lookup", svg: await renderSvg(plotLookup(record), describeRun(record)) }];
  },
};

function planLookup(options: BenchOptions, equipment: Equipment): { plans: ProcessPlan[]; notes: string[] } {
  const { endpoints, seed, engines, quick } = options;
  const plans: ProcessPlan[] = [];
  const notes: string[] = [];
  const has = (engine: EngineName) => engines.includes(engine);
  const largest = options.services[options.services.length - 1]!;
  for (const services of options.services) {
    const size = { services, endpoints, seed, milliseconds: MILLISECONDS };
    for (const engine of engines)
      plans.push({ kind: "walk", engine, destinations: DESTINATIONS, ruleSets: 1, ...size });
    if (has("indexed")) {
      const packets = ["established-chains", "established-fast-path", "first-datapath"] as const;
      if (services !== largest)
        plans.push({ kind: "datapath", engine: "indexed", flows: SWEEP_FLOWS, packets, ...size });
      else
        for (const flows of quick ? [HEADLINE_FLOWS] : [SWEEP_FLOWS, HEADLINE_FLOWS])
          plans.push({ kind: "datapath", engine: "indexed", flows, packets, ...size });
    }
    const rest = { flows: SWEEP_FLOWS, ...size };
    if (has("linear") && !quick)
      plans.push({ kind: "datapath", engine: "linear", packets: ["established-chains"], ...rest });
    if (has("string-map") && !quick)
      plans.push({ kind: "datapath", engine: "string-map", packets: ["established-fast-path"], ...rest });
  }
  const size = { services: largest, endpoints, seed, milliseconds: MILLISECONDS };
  for (const engine of engines) {
    if (engine === "string-map") continue;
    plans.push({ kind: "walk", engine, destinations: ["uniform"], ruleSets: ALIVE, ...size });
    if (equipment.benchmarkJs) plans.push({ kind: "benchmark.js", engine, ...size });
  }
  if (equipment.compiler) {
    if (has("indexed")) {
      plans.push({ kind: "reference", program: "lookup", flows: 0, ...size });
      plans.push({ kind: "reference", program: "conntrack", flows: HEADLINE_FLOWS, ...size });
    }
    if (has("linear")) plans.push({ kind: "reference", program: "walk", flows: 0, ...size });
  } else notes.push("No C compiler (cc) was found: the comparison with C is left out, and nothing tells a noisy run.");
  if (!equipment.benchmarkJs)
    notes.push("Benchmark.js is not installed (a development dependency): no second harness.");
  if (quick) notes.push("A quick run leaves out the smaller rule sets and the data path of the rivals.");
  return { plans, notes };
}
