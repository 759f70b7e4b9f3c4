import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nft_ct_get_eval): without a connection, reading its mark breaks the rule; a mark saved or restored by iptables would go on.
test("a rule that reads the connection's mark before conntrack ends there", () => {
  const { process } = nftDatapathOf(
    "chain r { type filter hook prerouting priority raw; meta mark set 0x5; meta mark set ct mark meta mark set 0x6; }",
  );
  const { packet, path } = process(packetBetween("10.0.0.1", "192.0.2.1"));
  expect(packet.mark).toBe(5);
  expect(path).toEqual(["t:r:1", "t:r:policy"]);
});

test("so does one that changes bits of it", () => {
  const { process } = nftDatapathOf(
    "chain r { type filter hook prerouting priority raw; ct mark set ct mark | 0x2 meta mark set 0x6; }",
  );
  expect(process(packetBetween("10.0.0.1", "192.0.2.1")).packet.mark).toBe(0);
});
