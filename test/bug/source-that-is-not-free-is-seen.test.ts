import { expect, it } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nf_nat_setup_info, __nf_conntrack_confirm; seen on 6.18): a source is translated even where no free tuple was found, so that chains
// behind NAT see it; the packet is dropped for the clash when its connection is confirmed.
it("a chain behind NAT sees the translated source, though another connection has it", () => {
  const { process } = nftDatapathOf(`
    chain before { type nat hook prerouting priority -100; policy accept; dnat to 10.0.0.9; }
    chain nat { type nat hook postrouting priority 100; policy accept; snat to 10.200.0.9; }
    chain behind { type filter hook postrouting priority 120; policy accept; ip saddr 10.200.0.9 counter; }
  `);
  const esp = { protocol: 50, sport: 0, dport: 0 };
  expect(process(packetBetween("10.1.0.1", "192.0.2.1", esp))).toMatchObject({ verdict: "accept" });
  const { path, verdict, reason } = process(packetBetween("10.1.0.2", "192.0.2.1", esp));
  expect([verdict, reason]).toEqual(["drop", "no-free-tuple"]);
  expect(path).toContain("t:behind:1");
});
