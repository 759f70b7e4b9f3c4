import { expect, test } from "vitest";
import { TcpFlag } from "../../src/packet/protocol.js";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nft_notrack_eval): the packet carries the untracked template from that statement on, before conntrack has its turn.
test("the rule behind notrack sees an untracked packet", () => {
  const { process } = nftDatapathOf(
    "chain r { type filter hook prerouting priority raw; notrack; ct state untracked meta mark set 0x1; ct state new meta mark set 0x2; }",
  );
  const result = process(packetBetween("10.0.0.1", "192.0.2.1"));
  expect([result.packet.mark, result.entry]).toEqual([1, "none"]);
});

test("what stops such a packet before conntrack stops one that conntrack has not seen", () => {
  const { process } = nftDatapathOf("chain r { type filter hook prerouting priority raw; notrack; drop; }");
  const { verdict, entry } = process(packetBetween("10.0.0.1", "192.0.2.1"));
  expect([verdict, entry]).toEqual(["drop", "none"]);
});

// The kernel: an invalid packet has no connection either, so one that comes back through lo can still be made untracked.
test("notrack holds for an invalid packet that comes in through lo", () => {
  const { process } = nftDatapathOf(
    "chain r { type filter hook prerouting priority raw; ct state invalid meta mark set 0x1; notrack; ct state untracked meta mark set 0x2; }",
  );
  const reset = packetBetween("10.0.0.1", "10.200.0.1", { entrance: "output", iif: "", tcpFlags: TcpFlag.RST });
  expect(process(reset).packet.mark).toBe(2);
});
