import { freshContext } from "../../src/index.js";
import { CHECKSUM_START, foldWord } from "../workload/checksum.js";
import { drawPool } from "../workload/pool.js";
import type { Prepared } from "./cases.js";
import type { Subject } from "./subject.js";

const PACKETS = 4096;

/**
 * First packets to uniform destinations as a library user has them: a call of `classify` with a packet object for each, which gives an object. Packets
 * and their contexts are made beforehand, as the columns of a batch are.
 */
export function prepareObjects({ name, engine, cluster, endpoints, seed }: Subject): Prepared {
  if (engine === undefined) throw new Error(`${name} takes no packet objects`);
  const { services, node } = cluster;
  const { batches } = drawPool(services, "uniform", seed, PACKETS, PACKETS);
  const packets = batches.flatMap((batch) => Array.from({ length: batch.count }, (_, i) => batch.get(i)));
  const context = freshContext({ node, seed });
  // Each packet has draws of its own.
  const contexts = packets.map((_, packet) => ({ ...context, packet }));
  const destination = (i: number) => engine.classify(packets[i]!, contexts[i]!).destination!;
  let checksum = CHECKSUM_START | 0;
  for (let i = 0; i < packets.length; i++) {
    const { address, port } = destination(i);
    checksum = foldWord(foldWord(checksum, Number(address) | 0), port);
  }
  const run = (): number => {
    let sum = 0;
    for (let i = 0; i < packets.length; i++) {
      const { address, port } = destination(i);
      sum = (sum + Number(address) + port) | 0;
    }
    return sum;
  };
  return {
    factors: {
      engine: name,
      packet: "first-object",
      destination: "uniform",
      services: services.address.length,
      endpoints,
      ruleSets: 1,
    },
    per: "packet",
    task: { name: `${name} objects`, operations: PACKETS, run },
    exact: { checksum: checksum >>> 0 },
  };
}
