import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makePacket } from "../../src/packet/packet.js";
import { parseAddress } from "../../src/packet/address.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { servicesOf } from "../../src/kube/read-services.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { chainwalk, words } from "../cli/command-line.js";
import { tally } from "./compare.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { RuleNames } from "./project-node.js";
import { completeTables } from "./session.js";

const FLOWS = 4000;
/** Fewer than the lists of all endpoints hold (100 each): affinity finds them again. */
const CLIENTS = 200;

interface Counted {
  readonly services: readonly { readonly service: string; readonly samples: number; readonly byAffinity: number }[];
}

describe.each<Backend>(["legacy", "nft"])("counters of a real kernel, iptables-%s", (backend) => {
  let kernel: KernelNode;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", backend);
    await kernel.listenTo(false, false);
  });
  afterAll(() => kernel?.stop());

  it("are the picks that were made, and follow the probabilities of the rules", async () => {
    const cluster = synthesizeCluster({ services: 4, endpoints: 5, seed: 1, affinity: 0.5, protocols: { tcp: 1 } });
    const ruleset = generateIptables(cluster.objects, cluster.configuration, cluster.node);
    await kernel.load(completeTables(printRules(ruleset)), new RuleNames(resolve(ruleset)).lengths);
    await kernel.forgetConnections();
    const ports = servicesOf(ruleset).flatMap((service) => service.ports);
    expect(ports.map((port) => port.choice.affinitySeconds > 0)).toContain(true);
    for (const port of ports) {
      const packets = Array.from({ length: FLOWS }, (_, i) =>
        makePacket({
          src: (parseAddress("192.0.2.0") as number) + (i % CLIENTS),
          dst: port.clusterIPs[0]!,
          sport: 1024 + i,
          dport: port.port,
        }),
      );
      for (let at = 0; at < FLOWS; at += 2000)
        await kernel.send(packets.slice(at, at + 2000).map((packet) => ({ packet })));
    }
    const saved = kernel.save();
    const check = (text: string): ReturnType<typeof chainwalk> =>
      chainwalk(words("check --counters node.save --json --alpha 0.0001"), { "node.save": text });
    const { exitCode, stdout } = await check(saved);
    const { services } = JSON.parse(stdout) as Counted;
    expect(services).toHaveLength(4);
    for (const { samples, byAffinity } of services) expect(samples + byAffinity).toBe(FLOWS);
    expect(services.some(({ byAffinity }) => byAffinity > 0)).toBe(true);
    expect(exitCode, stdout).toBe(0);
    tally.rulesets++;
    tally.flows += FLOWS * ports.length;
    // The same counters beside other probabilities: no chance makes them.
    expect((await check(saved.replaceAll("--probability 0.5", "--probability 0.4"))).exitCode).toBe(1);
  });
});
