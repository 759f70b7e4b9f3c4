import type { Exact, Factors } from "../../src/index.js";
import type { CaseResult } from "../processes.js";
import { measureEbpf } from "./ebpf.js";
import { DESTINATIONS, type Material } from "./material.js";
import { BATCH, KernelNode, type Sent } from "./node.js";
import type { Duration } from "./programs.js";
import type { Change } from "./rules.js";
import { BASELINES, type Programs, type Ruled } from "./tools.js";
import { PACKETS } from "./workload.js";

/** One thing loaded into the kernel at one size: what is measured in one go. */
export interface KernelPlan {
  readonly engine: Ruled | "ebpf";
  readonly services: number;
  /** Rounds in which it takes part; absent: all. */
  readonly most?: number;
}

/** A rule set that took longer to load stays for the rounds that follow; others are loaded anew in each, into a new namespace. */
const LONG_LOAD = 8000;

/** Measures plans, round after round. */
export class KernelBench {
  private readonly kept = new Map<string, KernelNode>();

  constructor(
    private readonly programs: Programs,
    private readonly materials: ReadonlyMap<number, Material>,
  ) {}

  /** What there is to say of how it was measured. */
  notes(): string[] {
    const once = [...this.kept.keys()];
    if (once.length === 0) return [];
    return [`Loaded once for all rounds, as it takes long: ${once.join("; ")}. No spread between loads there.`];
  }

  /** Seconds spent on loads that need not be done again. */
  savedSeconds = 0;

  /** One round of a plan. Throws where a packet did not come out, or not translated. */
  async measure(plan: KernelPlan, round: number): Promise<CaseResult[]> {
    const material = this.materials.get(plan.services)!;
    if (plan.engine === "ebpf") return measureEbpf(this.programs.ebpf!, material, round);
    const { engine, services } = plan;
    const name = `${engine} at ${services} services`;
    const factors = { engine, harness: "kernel", services, endpoints: material.endpoints } as const;
    const { load, update, bytes } = material.rules.get(engine)!;
    const cases: CaseResult[] = [];
    const time = async (change: Change, what: Partial<Factors>, exact: Exact): Promise<number> => {
      const duration = await node.run(change.words, change.input);
      cases.push(timed({ ...factors, ...what }, exact, duration));
      return duration.milliseconds;
    };
    const known = this.kept.get(name);
    const node = known ?? (await KernelNode.start(this.programs.sender));
    if (load !== undefined && known === undefined) {
      const took = await time(load, { stage: "load" }, { bytes });
      if (took > LONG_LOAD) {
        this.kept.set(name, node);
        this.savedSeconds += took / 1000;
      }
    }
    cases.push(...(await sendAll(node, factors, material, round)));
    if (update !== undefined) {
      await time(update.remove, { stage: "update", change: "one service removed" }, {});
      await time(update.add, { stage: "update", change: "one service added" }, {});
    }
    if (!this.kept.has(name)) await node.stop();
    return isBaseline(engine) ? cases.filter(({ factors: { stage } }) => stage === undefined) : cases;
  }
}

/** First and established packets to every destination; each round begins with another one. */
async function sendAll(node: KernelNode, factors: Factors, material: Material, round: number): Promise<CaseResult[]> {
  const cases: CaseResult[] = [];
  const ruled = !isBaseline(factors.engine);
  for (let k = 0; k < DESTINATIONS.length; k++) {
    const destination = DESTINATIONS[(k + round) % DESTINATIONS.length]!;
    const packets = material.packets.get(destination)!;
    const work = ruled ? (factors.engine === "nft-maps" ? packets.nft : packets.work) : undefined;
    await node.take(packets.path);
    for (const packet of ["first-datapath", "established-chains"] as const) {
      const first = packet === "first-datapath";
      const sent = first ? await node.sendFirst() : await node.sendEstablished(PACKETS / BATCH);
      const what = { ...factors, packet, destination };
      check(sent, ruled, `${what.engine}, ${what.services} services, ${packet} to ${destination}`);
      const exact = { ...(first ? work?.first : work?.established) };
      const { samples, cpuShare } = sent;
      cases.push({ factors: what, unit: "ns", per: "packet", batch: BATCH, exact, samples, collections: 0, cpuShare });
    }
  }
  return cases;
}

/** Every packet must come out, translated where there are services, and none masqueraded: all come from pods. */
function check({ sent, returned, translated, masqueraded }: Sent, ruled: boolean, what: string): void {
  const wanted = ruled ? sent : 0;
  if (returned !== sent || translated !== wanted || masqueraded !== 0)
    throw new Error(
      `${what}: of ${sent} packets ${returned} came out, ${translated} translated (${wanted} should be), ${masqueraded} masqueraded`,
    );
}

function timed(factors: Factors, exact: Exact, { milliseconds, cpuShare }: Duration): CaseResult {
  const per = factors.stage === "load" ? "rule set" : "update";
  return { factors, unit: "ns", per, batch: 1, exact, samples: [milliseconds * 1e6], collections: 0, cpuShare };
}

function isBaseline(engine: string): boolean {
  return BASELINES.some((name) => name === engine);
}
