import type { MeasuringPlan } from "../plan.js";
import { besideProgram, NO_COMPILER, SECONDARY_ROUNDS, type Study } from "./study.js";

const MILLISECONDS = 80;
const FLOWS = [1000, 10_000, 100_000, 1_000_000, 4_000_000];
const QUICK_FLOWS = [1000, 100_000];
/** From here on one process takes many seconds to open the connections. */
const MANY = 1_000_000;
/** The Map keyed by string takes 300 bytes and more a connection. */
const MOST_IN_MAP = 100_000;

/** Conntrack by the number of live connections: hits, and misses that enter a new one. */
export const conntrack: Study = {
  name: "conntrack",
  summary: "hit and miss at 1,000 to 4,000,000 live connections",
  defaults: { services: [1000], quickServices: 1000, duration: 240 },
  plan({ services, endpoints, seed, engines, quick }, equipment) {
    const size = { services: services.at(-1)!, endpoints, seed, milliseconds: MILLISECONDS };
    const rest = { ruleSets: 1, destinations: [] } as const;
    const plans = (quick ? QUICK_FLOWS : FLOWS).flatMap((flows): MeasuringPlan[] => {
      const most = flows >= MANY ? { most: SECONDARY_ROUNDS } : {};
      const all: MeasuringPlan[] = [];
      if (engines.includes("indexed")) {
        const packets = ["established-fast-path", "first-datapath"] as const;
        const beside = besideProgram("conntrack", equipment);
        all.push({ kind: "engine", engine: "indexed", ...rest, flows, packets, ...size, ...beside, ...most });
      }
      if (engines.includes("string-map") && flows <= MOST_IN_MAP)
        all.push({ kind: "engine", engine: "string-map", ...rest, flows, packets: ["established-fast-path"], ...size });
      return all;
    });
    const notes = equipment.compiler ? [] : [NO_COMPILER];
    if (!engines.includes("indexed") && !engines.includes("string-map"))
      notes.push("The linear engine has no part in conntrack: --engine indexed,string-map.");
    notes.push(`The Map keyed by string is measured up to ${MOST_IN_MAP.toLocaleString("en-US")} connections.`);
    return { plans, notes };
  },
};
