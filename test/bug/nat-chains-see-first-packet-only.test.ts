import { expect, test } from "vitest";
import { PacketBatch } from "../../src/packet/batch.js";
import { CtStatus } from "../../src/packet/connection.js";
import { replyTuple } from "../../src/packet/tuple.js";
import { datapathOf, EMPTY_NAT, packetBetween } from "./rules.js";

// The kernel: a repeated SYN, or the second datagram of a one-way flow, is NEW to rules but has its entry: nat chains are not asked again.
test("a second packet before any reply does not meet the nat chains again", () => {
  const rules = EMPTY_NAT.replace(
    "COMMIT",
    "-A PREROUTING -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 10.0.0.9\nCOMMIT",
  );
  const { process } = datapathOf(rules);
  const packet = packetBetween("10.0.0.1", "172.30.0.1");
  expect(process(packet).path).toEqual(["nat:PREROUTING:1", "nat:POSTROUTING:policy"]);
  const again = process(packet, 1);
  expect([again.path, again.state, again.packet.dst]).toEqual([[], "new", 0x0a000009]);
  // The counter was not moved by it: the next connection is the second that counts.
  expect(process(packetBetween("10.0.0.2", "172.30.0.1"), 2).path).toEqual([
    "nat:PREROUTING:policy",
    "nat:POSTROUTING:policy",
  ]);
});

test("a batch keeps the entry of a packet that is new to rules", () => {
  const packet = packetBetween("10.0.0.1", "172.30.0.1");
  const reply = replyTuple({ ...packet, dst: 0x0a000009 })!;
  const connection = {
    state: "new",
    direction: "original",
    status: CtStatus.confirmed | CtStatus.dnat,
    mark: 0,
  } as const;
  const batch = new PacketBatch("ip", 1);
  batch.set(0, packet, 0, {
    ...connection,
    original: { src: packet.src, dst: packet.dst, protocol: 6, sport: 4000, dport: 80 },
    reply,
  });
  expect(batch.connection(0)).toMatchObject({ ...connection, reply });
});
