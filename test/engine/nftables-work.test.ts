import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket } from "../../src/packet/packet.js";
import { Node } from "../../src/packet/node.js";
import { parseProtocol } from "../../src/packet/protocol.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { linearEngine } from "../../src/engine/linear.js";
import type { Work } from "../../src/engine/types.js";
import { context } from "./rules.js";

/** The work of the first packet to each of a hundred services, spread over the rule set, from a pod and from outside. */
function work(services: number): { work: Work; lookups: number } {
  const cluster = synthesizeCluster({ services, endpoints: 3, seed: 1 });
  const node = new Node(cluster.node.addresses);
  const engine = linearEngine(resolve(generateNftables(cluster.objects, cluster.configuration, cluster.node)));
  const sum: Work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };
  const all = cluster.objects.flatMap((object) => (object.kind === "Service" ? [object] : []));
  const every = Math.floor(all.length / 100);
  for (let i = 0; i < 100; i++) {
    const { spec } = all[i * every]!;
    const { port, protocol } = spec.ports![0]!;
    const packet = makePacket({
      src: parseAddress("203.0.113.9")!,
      dst: parseAddress(spec.clusterIP!)!,
      protocol: parseProtocol(protocol ?? "tcp")!,
      sport: 40000 + i,
      dport: port,
    });
    const outcome = engine.classify(packet, context({ node }));
    expect(outcome.destination, `service ${i}`).toBeDefined();
    for (const key of Object.keys(sum) as (keyof Work)[]) sum[key] += outcome.work[key];
  }
  return { work: sum, lookups: sum.mapLookups / 100 };
}

describe("the first packet on kube-proxy's nftables rules", () => {
  it("costs the same work with 10,000 services as with 100", { timeout: 60_000 }, () => {
    const [few, many] = [work(100), work(10_000)];
    expect(many).toEqual(few);
    expect(few.lookups).toBeLessThan(10);
  });
});
