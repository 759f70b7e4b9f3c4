import { expect, test } from "vitest";
import { batchOf } from "../../src/packet/batch.js";
import { BatchResults } from "../../src/datapath/results.js";
import { datapathOf, packetBetween } from "./rules.js";

const FILTER = "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n";

// The kernel: a packet of the node to itself is confirmed in postrouting, before it comes back in through lo and input stops it.
test("a packet of the node to itself that input stops has a connection", () => {
  const { process, datapath } = datapathOf(FILTER);
  const own = packetBetween("10.200.0.1", "10.200.0.1", { entrance: "output", iif: "" });
  expect(process(own)).toMatchObject({ verdict: "drop", reason: "rule", entry: "opened" });
  expect([...datapath.entries(1)]).toMatchObject([{ original: { sport: 4000, dport: 80 }, state: "SYN_SENT" }]);
  expect(process(packetBetween("10.0.0.1", "10.200.0.1"))).toMatchObject({ verdict: "drop", entry: "none" });
});

test("a batch keeps such a connection too", () => {
  const { datapath } = datapathOf(FILTER);
  const batch = batchOf([packetBetween("10.200.0.1", "10.200.0.1", { entrance: "output", iif: "" })]);
  datapath.processBatch(batch, 0, new BatchResults("ip", 1));
  expect([...datapath.entries(1)]).toHaveLength(1);
});
