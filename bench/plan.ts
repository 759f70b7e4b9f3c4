import type { PacketKind } from "../src/index.js";
import { type EngineName, NFT_LINEAR, type Shard, type SubjectName } from "./arguments.js";
import type { ProxyMode } from "./workload/cluster.js";
import type { LengthsName } from "./workload/lengths.js";
import type { Destination } from "./workload/pool.js";

/** One measuring process: what it builds, and which variants it measures interleaved. JSON-able: a process is started with it. */
export type ProcessPlan =
  /** No measurement: what rule set the others measure on. */
  DatasetPlan | MeasuringPlan;

export interface DatasetPlan {
  readonly kind: "dataset";
  readonly mode: ProxyMode;
  readonly services: number;
  readonly endpoints: number;
  readonly seed: number;
}

export const modeOf = (engine: SubjectName): ProxyMode => (engine === NFT_LINEAR ? "nftables" : "iptables");

export type MeasuringPlan =
  /** One engine at one size: first packets by destination, and packets through conntrack. */
  | ({
      readonly kind: "engine";
      readonly engine: SubjectName;
      /** Rule sets alive and in use, of seeds that follow each other; more than one only without `packets`. */
      readonly ruleSets: number;
      readonly destinations: readonly Destination[];
      /** Live connections for `packets`. */
      readonly flows: number;
      readonly packets: readonly PacketKind[];
      /** Besides, one call for each packet object. */
      readonly objects?: true;
      /** Besides, in turn with the variants it is compared with: a C program of the same algorithm on the same input. */
      readonly beside?: ReferenceProgram;
    } & ProcessSize)
  /** The headline variant of an engine again, driven by Benchmark.js. */
  | ({ readonly kind: "benchmark.js"; readonly engine: EngineName } & ProcessSize)
  /** Whole connections through the data path, by mean length in packets. */
  | ({
      readonly kind: "mix";
      readonly engine: EngineName;
      readonly mode: "chains" | "fast-path";
      readonly lengths: LengthsName;
      readonly means: readonly number[];
    } & ProcessSize)
  /** What is done with a rule set as a whole. */
  | ({
      readonly kind: "stages";
      readonly stages: readonly ("write" | "read" | "resolve" | "build" | "sync" | "update")[];
    } & ProcessSize)
  /** The lookup of a service alone, in each kind of map. */
  | ({ readonly kind: "maps"; readonly ruleSets: number } & ProcessSize)
  /** What an engine holds in memory. */
  | ({ readonly kind: "memory"; readonly engine: EngineName } & ProcessSize);

/** What each does: uniform first packets of one rule set or more, first packets to the last service of one, `packets` of connections. */
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

/** The same process without the C program beside its engine. */
export function withoutProgram(plan: MeasuringPlan): MeasuringPlan {
  if (plan.kind !== "engine" || plan.beside === undefined) return plan;
  const { beside: _program, ...alone } = plan;
  return alone;
}

/** The processes of a round (counted from 0), in order: each round begins at another one, and every second runs backwards, so that a machine that slows down or speeds up favours nobody. */
export function orderRound<T extends { readonly most?: number }>(all: readonly T[], round: number): T[] {
  const plans = all.filter(({ most = Infinity }) => round < most);
  if (plans.length === 0) return [];
  const from = (round * Math.ceil(plans.length / 3)) % plans.length;
  const rotated = [...plans.slice(from), ...plans.slice(0, from)];
  return round % 2 === 0 ? rotated : rotated.reverse();
}

/** A shard's part of a study: neighbours, as they are the ones that are compared with each other. All parts in order are the whole. */
export function partOf<T>(all: readonly T[], { index, count }: Shard): T[] {
  const bound = (parts: number) => Math.floor((parts * all.length) / count);
  return all.slice(bound(index - 1), bound(index));
}

/** The rule sets that plans measure on, each once. */
export function datasetsOf(plans: readonly MeasuringPlan[]): DatasetPlan[] {
  const datasets = new Map<string, DatasetPlan>();
  for (const plan of plans) {
    const { services, endpoints, seed } = plan;
    const mode = plan.kind === "engine" ? modeOf(plan.engine) : "iptables";
    datasets.set(`${services} ${endpoints} ${seed} ${mode}`, { kind: "dataset", mode, services, endpoints, seed });
  }
  return [...datasets.values()].sort((a, b) => a.services - b.services || a.endpoints - b.endpoints);
}

/** How much longer a process may take than it did before, on a machine that gets busier. */
const MARGIN = 1.15;

/** How long processes took, to tell whether more of them fit. */
export class Timetable {
  private readonly seconds = new Map<string, number>();

  enter(plan: MeasuringPlan, seconds: number): void {
    this.seconds.set(JSON.stringify(plan), seconds);
  }

  /** Whether the plans, all of which were run before, are likely to fit. No plans never do. */
  fits(plans: readonly MeasuringPlan[], seconds: number): boolean {
    const needed = plans.reduce((sum, plan) => sum + (this.seconds.get(JSON.stringify(plan)) ?? Infinity), 0);
    return plans.length > 0 && needed * MARGIN <= seconds;
  }
}

/** How a process is called on the progress line. */
export function describePlan(plan: ProcessPlan): string {
  const size = `${plan.services} services`;
  switch (plan.kind) {
    case "dataset":
      return `rules of ${size}`;
    case "engine": {
      const objects = plan.objects === true ? ", one by one too" : "";
      const beside = plan.beside === undefined ? "" : `, beside C ${plan.beside}`;
      return `${plan.engine}, ${size}${describeUse(plan)}${objects}${beside}`;
    }
    case "mix":
      return `${plan.engine}, ${size}, ${plan.lengths} connections, ${plan.mode}`;
    case "stages":
      return `${plan.stages.join(", ")}, ${size}`;
    case "maps":
      return `maps, ${size}${describeUse(plan)}`;
    case "memory":
      return `memory of ${plan.engine}, ${size}`;
    case "benchmark.js":
      return `${plan.engine} by Benchmark.js, ${size}`;
  }
}

function describeUse({ ruleSets, flows = 0 }: { readonly ruleSets: number; readonly flows?: number }): string {
  return `${ruleSets > 1 ? `, ${ruleSets} rule sets` : ""}${flows > 0 ? `, ${flows} flows` : ""}`;
}
