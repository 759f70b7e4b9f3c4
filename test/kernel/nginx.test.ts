import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket, type PacketFields } from "../../src/packet/packet.js";
import { KernelNode } from "./kernel-node.js";
import { Session } from "./session.js";

const rules = readFileSync(new URL("../../datasets/nginx-clusterip/rules.iptables-save", import.meta.url), "utf8");
const address = (text: string): number => parseAddress(text) as number;

describe.each(["legacy", "nft"] as const)("the nginx example, iptables-%s", (backend) => {
  let kernel: KernelNode;
  let session: Session;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", backend);
    session = await Session.open(kernel, rules);
  });
  afterAll(() => kernel?.stop());

  const vip = address("172.19.0.166");
  let port = 20_000;
  const flow = (src: string, fields: Partial<PacketFields> = {}): { packet: ReturnType<typeof makePacket> } => ({
    packet: makePacket({ src: address(src), dst: vip, sport: port++, dport: 80, ...fields }),
  });

  it.each([
    ["from a pod", "172.16.1.5", {}],
    ["from outside the pod range: masqueraded", "10.0.0.7", {}],
    ["from an endpoint: masqueraded where it draws itself", "172.16.2.125", {}],
    ["from the node", "10.200.0.1", { entrance: "output", iif: "" }],
    ["to another port", "172.16.1.5", { dport: 81 }],
    ["by another protocol", "172.16.1.5", { protocol: 17 }],
  ] as const)("%s", async (_, src, fields) => {
    const exchanges = await session.agree(Array.from({ length: 40 }, () => flow(src, fields)));
    const translated = exchanges.filter(({ said }) => said.result.outcome?.destination !== undefined);
    expect(translated.length).toBe("dport" in fields || "protocol" in fields ? 0 : 40);
  });
});
