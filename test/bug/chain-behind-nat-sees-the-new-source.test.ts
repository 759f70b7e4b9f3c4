import { expect, test } from "vitest";
import { batchOf } from "../../src/packet/batch.js";
import { BatchResults } from "../../src/datapath/results.js";
import { formatAddress } from "../../src/packet/address.js";
import { nftDatapathOf, packetBetween } from "./rules.js";

const RULES = `chain nat { type nat hook postrouting priority srcnat; snat to 10.200.0.9; }
chain late { type filter hook postrouting priority 110; ip saddr 10.200.0.9 drop; }`;

// The kernel: NAT is a hook function of its own at +100; a filter chain of a greater priority is given the packet as it is then.
test("a filter chain behind source NAT sees the translated source", () => {
  const { process } = nftDatapathOf(RULES);
  const { verdict, path } = process(packetBetween("10.0.0.1", "192.0.2.1"));
  expect([verdict, path]).toEqual(["drop", ["t:nat:1", "t:late:1"]]);
});

test("and so does a batch", () => {
  const { datapath } = nftDatapathOf(RULES.replace("drop", "accept"));
  const results = new BatchResults("ip", 1);
  datapath.processBatch(batchOf([packetBetween("10.0.0.1", "192.0.2.1")]), 0, results);
  expect([...datapath.entries(1)].map(({ reply }) => formatAddress(reply.dst))).toEqual(["10.200.0.9"]);
});
