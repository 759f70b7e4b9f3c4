import type { DestinationKind, PacketKind } from "../src/index.js";
import type { EngineName } from "./arguments.js";

/** One measuring process: what it builds, and which variants it measures interleaved. JSON-able: a process is started with it. */
export type ProcessPlan =
  /** One engine at one size: first packets by destination, and packets through conntrack. */
  | ({
      readonly kind: "engine";
      readonly engine: EngineName;
      /** Rule sets alive and in use, of seeds that follow each other; more than one only without `packets`. */
      readonly ruleSets: number;
      readonly destinations: readonly DestinationKind[];
      /** Live connections for `packets`. */
      readonly flows: number;
      readonly packets: readonly PacketKind[];
    } & ProcessSize)
  /** The headline variant of an engine again, driven by Benchmark.js. */
  | ({ readonly kind: "benchmark.js"; readonly engine: EngineName } & ProcessSize)
  /** A C program of the same algorithm on the same input. */
  | ({ readonly kind: "reference"; readonly program: ReferenceProgram; readonly flows: number } & ProcessSize);

export type ReferenceProgram = "lookup" | "walk" | "conntrack";

interface ProcessSize {
  /** Rounds in which it takes part; absent: all. */
  readonly most?: number;
  readonly services: number;
  readonly endpoints: number;
  readonly seed: number;
  /** Time for each variant. */
  readonly milliseconds: number;
}

/** The processes of a round (counted from 0), in order: each round begins at another one, and every second runs backwards, so that a machine that slows down or speeds up favours nobody. */
export function orderRound(all: readonly ProcessPlan[], round: number): ProcessPlan[] {
  const plans = all.filter(({ most = Infinity }) => round < most);
  if (plans.length === 0) return [];
  const from = (round * Math.ceil(plans.length / 3)) % plans.length;
  const rotated = [...plans.slice(from), ...plans.slice(0, from)];
  return round % 2 === 0 ? rotated : rotated.reverse();
}

/** Whether another round like the last one fits, with a margin for a machine that gets busier. */
export function roundFits(elapsed: number, rounds: readonly number[], duration: number): boolean {
  if (rounds.length === 0) return true;
  return elapsed + rounds[rounds.length - 1]! * 1.15 <= duration;
}

/** How a process is called on the progress line. */
export function describePlan(plan: ProcessPlan): string {
  const size = `${plan.services} services`;
  switch (plan.kind) {
    case "engine": {
      const sets = plan.ruleSets > 1 ? `, ${plan.ruleSets} rule sets` : "";
      return `${plan.engine}, ${size}${sets}${plan.flows > 0 ? `, ${plan.flows} flows` : ""}`;
    }
    case "benchmark.js":
      return `${plan.engine} by Benchmark.js, ${size}`;
    case "reference":
      return `C ${plan.program}, ${size}${plan.flows > 0 ? `, ${plan.flows} flows` : ""}`;
  }
}
