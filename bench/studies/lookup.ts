import type { PacketKind } from "../../src/index.js";
import type { BenchOptions, EngineName } from "../arguments.js";
import type { MeasuringPlan } from "../plan.js";
import type { Destination } from "../workload/pool.js";
import { besideProgram, type Equipment, NO_COMPILER, SECONDARY_ROUNDS, type Study } from "./study.js";

const DESTINATIONS: readonly Destination[] = ["first", "middle", "last", "uniform", "zipf"];
/** Live connections of the sweep over services, and of the headline. */
const SWEEP_FLOWS = 32_768;
const HEADLINE_FLOWS = 1_000_000;
/** Rule sets alive at once: call sites that have seen three classes are compiled differently from those that have seen one. */
const ALIVE = 3;
/** Milliseconds for each variant in a process. */
const MILLISECONDS = 80;
/** Packets that pass conntrack, by engine. Filter chains differ from engine to engine; the fast path does not ask one. */
const CONNECTIONS: Readonly<Record<EngineName, readonly PacketKind[]>> = {
  linear: ["established-chains"],
  indexed: ["established-chains", "established-fast-path", "first-datapath"],
  "string-map": ["established-fast-path"],
};

/**
 * The main study: linear traversal against map lookup against a Map keyed by string, by size of the rule set and by destination;
 * first and established packets; beside C programs of the same algorithms.
 */
export const lookup: Study = {
  name: "lookup",
  summary: "linear traversal against map lookup, by size and destination",
  defaults: { services: [100, 300, 1000, 3000, 10_000], quickServices: 10_000, duration: 165 },
  plan: planLookup,
};

function planLookup(options: BenchOptions, equipment: Equipment): { plans: MeasuringPlan[]; notes: string[] } {
  const { endpoints, seed, engines, quick } = options;
  const seldom = { most: quick ? 1 : SECONDARY_ROUNDS };
  const notes: string[] = [];
  const smallest = options.services[0]!;
  const largest = options.services[options.services.length - 1]!;
  const size = (services: number) => ({ services, endpoints, seed, milliseconds: MILLISECONDS });
  const alone = { ruleSets: 1, flows: 0, packets: [] } as const;
  const has = (engine: EngineName) => engines.includes(engine);
  /** The walk at the smallest size too: how much of a packet does not depend on the number of rules, in C. */
  const besideOf = (engine: EngineName, services: number) => {
    if (engine === "indexed" && services === largest) return besideProgram("lookup", equipment);
    return engine === "linear" && [smallest, largest].includes(services) ? besideProgram("walk", equipment) : {};
  };

  // What the headline is made of comes first: where time runs out in the first round, the end of the list is left out.
  const main = options.services.toReversed().flatMap((services) =>
    engines.map((engine): MeasuringPlan => {
      const packets = quick ? [] : CONNECTIONS[engine];
      const flows = packets.length > 0 ? SWEEP_FLOWS : 0;
      // In turn with the batches they are compared with. An engine's batches run code of their own: what calls with objects compile to does not touch it.
      const objects = engine === "indexed" && services === largest ? ({ objects: true } as const) : {};
      const rest = { destinations: DESTINATIONS, flows, packets, ...objects, ...size(services) };
      return { ...alone, kind: "engine", engine, ...rest, ...besideOf(engine, services) };
    }),
  );
  const million: MeasuringPlan[] = [];
  if (has("indexed")) {
    const packets = CONNECTIONS.indexed.filter((packet) => packet !== "established-chains");
    const rest = {
      destinations: [],
      flows: HEADLINE_FLOWS,
      packets,
      ...size(largest),
      ...besideProgram("conntrack", equipment),
      ...seldom,
    };
    million.push({ ...alone, kind: "engine", engine: "indexed", ...rest });
  }
  if (!equipment.compiler) notes.push(NO_COMPILER);
  const secondary = engines
    .filter((engine) => engine !== "string-map")
    .flatMap((engine) => {
      const plans: MeasuringPlan[] = [];
      if (equipment.benchmarkJs) plans.push({ kind: "benchmark.js", engine, ...size(largest), ...seldom });
      for (const services of new Set(quick ? [] : [smallest, largest])) {
        const program = engine === "indexed" && services === largest ? besideProgram("lookup", equipment) : {};
        const rest = { destinations: ["uniform"], ...size(services), ...program, ...seldom } as const;
        plans.push({ ...alone, kind: "engine", engine, ...rest, ruleSets: ALIVE });
      }
      return plans;
    });
  if (!equipment.benchmarkJs)
    notes.push("Benchmark.js is not installed (a development dependency): no second harness.");
  if (quick)
    notes.push(
      "Left out of a quick run: smaller rule sets, filter chains of established packets, three rule sets alive.",
    );
  const [headline, smaller] = [main.slice(0, engines.length), main.slice(engines.length)];
  return { plans: [...headline, ...million, ...smaller, ...secondary], notes };
}
