import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Address, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { parseProtocol, TCP } from "../../src/packet/protocol.js";
import type { Node } from "../../src/packet/node.js";
import { KernelNode } from "./kernel-node.js";
import { describeExchange, readSets, Session } from "./session.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const file = (name: string): string => readFileSync(join(root!, "features/features-ipvs-v1.30", name), "utf8");

/** Every element with a port, as a destination, and every node port on every address, from sources of all kinds. */
function packets(sets: string, node: Node): Packet[] {
  const targets = [...sets.matchAll(/^add \S+ ([\d.]+),(\w+):(\d+)/gm)].map(([, dst, protocol, port]) => ({
    dst: parseAddress(dst!)!,
    protocol: parseProtocol(protocol!)!,
    dport: Number(port),
  }));
  for (const [, name, port] of sets.matchAll(/^add (\S+) (\d+)$/gm))
    for (const dst of node.addresses)
      if (typeof dst === "number")
        targets.push({ dst, protocol: name!.includes("UDP") ? 17 : TCP, dport: Number(port) });
  const named = [...sets.matchAll(/,([\d.]+)(?:\/\d+)?$/gm)].map(([, text]) => parseAddress(text!)!);
  const sources = new Set<Address>([
    ...named,
    ...["10.180.99.9", "203.0.113.9", "192.168.0.2"].map((text) => parseAddress(text)!),
  ]);
  let sport = 2000;
  return targets.flatMap((target) =>
    [...sources].map((src) =>
      makePacket({
        ...target,
        src,
        sport: sport++,
        ...(node.isLocal(src) ? { entrance: "output" as const, iif: "" } : {}),
      }),
    ),
  );
}

describe.runIf(root).each(["legacy", "nft"] as const)("the genuine ipvs rules with their ipsets, %s", (backend) => {
  let kernel: KernelNode;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", backend);
  });
  afterAll(() => kernel?.stop());

  it("agree", async () => {
    const { nodeIPs } = JSON.parse(file("case.json")) as { nodeIPs: string[] };
    const virtual = [...file("kube-ipvs0-addresses.txt").matchAll(/inet ([\d.]+)\//g)].map((match) => match[1]!);
    kernel.setAddresses([...nodeIPs, ...virtual].map((text) => parseAddress(text)!));
    kernel.makeSets(file("ipset-save.txt"));
    const session = await Session.open(kernel, file("rules.iptables-save"), {
      ipsets: readSets(file("ipset-save.txt")),
    });
    const sent = packets(file("ipset-save.txt"), kernel.node).slice(0, 3000);
    expect(sent.length).toBeGreaterThan(100);
    const wrong = [];
    for (let at = 0; at < sent.length; at += 100) {
      const exchanges = await session.send(sent.slice(at, at + 100).map((packet) => ({ packet })));
      wrong.push(...exchanges.filter((one) => one.differences.length > 0).map(describeExchange));
    }
    expect(wrong.slice(0, 5).join("\n"), `${wrong.length} of ${sent.length} packets differ`).toBe("");
  });
});
