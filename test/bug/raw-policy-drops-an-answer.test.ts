import { expect, test } from "vitest";
import { CtStatus } from "../../src/packet/connection.js";
import { datapathOf, packetBetween } from "./rules.js";

// The kernel: the policy of raw stops a packet before conntrack sees it, as a rule there does; the policy of mangle stops it afterwards.
test.each([
  ["raw", 0],
  ["mangle", CtStatus.seenReply],
])("an answer stopped by the policy of %s", (table, seen) => {
  const { process, datapath } = datapathOf(`*${table}\n:PREROUTING DROP\n:OUTPUT ACCEPT\nCOMMIT\n`);
  process(packetBetween("10.200.0.1", "10.0.0.1", { protocol: 17, entrance: "output", iif: "" }));
  process(packetBetween("10.0.0.1", "10.200.0.1", { protocol: 17, sport: 80, dport: 4000 }), 1);
  const [entry] = datapath.entries(1);
  expect(entry!.status & CtStatus.seenReply).toBe(seen);
});
