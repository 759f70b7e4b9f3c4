import { describe, expect, it } from "vitest";
import { type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket } from "../../src/packet/packet.js";
import { UDP } from "../../src/packet/protocol.js";
import { KernelNode } from "./kernel-node.js";
import { Session } from "./session.js";

const ends = {
  ip: ["192.0.2.1", "172.30.0.1"],
  ip6: ["2001:db8::1", "fd00:30::1"],
} as const;

/** The translation, then a rule that only a packet meets that was not translated. */
const table = (hook: string, translation: string): string => `table inet t {
  chain translating { type nat hook ${hook} priority 0; policy accept;
    meta l4proto udp ${translation}
    meta l4proto udp counter drop
  }
}
`;

/** nft_nat_inet_eval: in an inet table a packet of the other family passes a translation by, and meets the next rule. */
describe.each<Family>(["ip", "ip6"])("translations of an inet table, packets of %s", (family) => {
  it.each<[translation: string, hook: string, own: Family]>([
    ["dnat ip to 10.64.0.3", "prerouting", "ip"],
    ["dnat ip6 to fd00:64::3", "prerouting", "ip6"],
    ["dnat ip to meta mark map { 0 : 10.64.0.3 }", "prerouting", "ip"],
    ["dnat ip6 to meta mark map { 0 : fd00:64::3 }", "prerouting", "ip6"],
    ["snat ip to 10.200.0.9", "postrouting", "ip"],
    ["snat ip6 to fd00:200::9", "postrouting", "ip6"],
  ])("%s", { timeout: 30_000 }, async (translation, hook, own) => {
    const kernel = await KernelNode.start(family, "nftables");
    try {
      const session = await Session.open(kernel, table(hook, translation));
      const [src, dst] = ends[family].map((text) => parseAddress(text)!);
      const packet = makePacket({ src: src!, dst: dst!, protocol: UDP, sport: 4000, dport: 53, iif: "eth0" });
      const [exchange] = await session.agree([{ packet }]);
      expect(exchange!.seen.left === undefined).toBe(family !== own);
    } finally {
      kernel.stop();
    }
  });
});
