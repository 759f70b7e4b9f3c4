import { z } from "zod";
import type { CaseResult } from "../processes.js";
import { DESTINATIONS, type Material } from "./material.js";
import { Conversation } from "./programs.js";
import type { Programs } from "./tools.js";

/** Runs of a program that the kernel takes the mean of, and how many such means. */
const REPEAT = 50_000;
const MEANS = 12;

const ran = z.object({
  empty: z.array(z.number().nonnegative()),
  pick: z.array(z.number().nonnegative()),
  cpuShare: z.number().nonnegative(),
  misses: z.number(),
  wrong: z.number(),
});

/** The time of the kernel's clock is in whole nanoseconds; 0 is less than one. */
const LEAST = 0.5;

/**
 * The lookup as a real eBPF program, by BPF_PROG_TEST_RUN (bench/kernel/ebpf.c): the engine `ebpf` looks up and picks, `ebpf-empty` only takes the
 * next packet. Throws where a pick was not of the packet's service.
 */
export async function measureEbpf(
  programs: NonNullable<Programs["ebpf"]>,
  { services, endpoints, tables }: Material,
  round: number,
): Promise<CaseResult[]> {
  const conversation = await Conversation.start([programs.loader, programs.object]);
  const cases: CaseResult[] = [];
  for (let k = 0; k < DESTINATIONS.length; k++) {
    const destination = DESTINATIONS[(k + round) % DESTINATIONS.length]!;
    const { path, mapLookups } = tables.get(destination)!;
    await conversation.ask(`p ${path}`);
    const { empty, pick, cpuShare, misses, wrong } = ran.parse(await conversation.ask(`run ${REPEAT} ${MEANS}`));
    if (misses > 0 || wrong > 0)
      throw new Error(
        `ebpf, ${services} services to ${destination}: ${misses} packets found nothing, ${wrong} a wrong backend`,
      );
    const common = { unit: "ns", per: "packet", batch: REPEAT, collections: 0, cpuShare } as const;
    const factors = { harness: "kernel", packet: "first", destination, services, endpoints } as const;
    const atLeast = (samples: readonly number[]): number[] => samples.map((sample) => Math.max(LEAST, sample));
    cases.push(
      { ...common, factors: { ...factors, engine: "ebpf" }, exact: { mapLookups }, samples: atLeast(pick) },
      { ...common, factors: { ...factors, engine: "ebpf-empty" }, exact: {}, samples: atLeast(empty) },
    );
  }
  await conversation.stop();
  return cases;
}
