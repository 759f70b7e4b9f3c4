import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nft_reject_inet.c): icmpx becomes an answer of the packet's own family.
test("a reject with icmpx answers in the family of the packet", () => {
  const { process } = nftDatapathOf(
    "chain f { type filter hook forward priority 0; reject with icmpx admin-prohibited; }",
    "inet",
  );
  expect(process(packetBetween("10.0.0.1", "192.0.2.1")).outcome?.rejectWith).toBe("icmp-admin-prohibited");
  expect(process(packetBetween("2001:db8::1", "2001:db8:1::1")).outcome?.rejectWith).toBe("icmp6-adm-prohibited");
});
