import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nft_fib_ipv6.c): an address has one type, and a local one is not unicast too; xt_addrtype says otherwise of IPv6.
test("fib says one type of an address", () => {
  const { process } = nftDatapathOf(
    "chain p { type filter hook prerouting priority 0; fib saddr type unicast meta mark set 0x1; fib saddr type != unicast meta mark set 0x2; }",
    "ip6",
  );
  expect(process(packetBetween("::1", "2001:db8:1::1")).packet.mark).toBe(2);
  expect(process(packetBetween("2001:db8::1", "2001:db8:1::1")).packet.mark).toBe(1);
});
