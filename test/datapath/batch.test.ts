import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { PacketBatch } from "../../src/packet/batch.js";
import { columnEngine, indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { Datapath } from "../../src/datapath/datapath.js";
import { BatchResults } from "../../src/datapath/results.js";
import type { DatapathOptions } from "../../src/datapath/single.js";
import { EVERYTHING, node, rules } from "./rules.js";
import { type Sent, sendTraffic } from "./traffic.js";

/** Sends the same packets in batches of random sizes, never over a change of time, and compares every column with what came out one by one. */
function expectSameInBatches(path: Datapath, sent: readonly Sent[], seed: string): { known: number; opened: number } {
  const random = seedrandom.alea(seed);
  const family = sent[0]!.packet.family;
  const sums = { known: 0, opened: 0 };
  const batch = new PacketBatch(family, 256);
  const out = new BatchResults(family, 256);
  for (let from = 0; from < sent.length;) {
    let to = from + 1;
    const limit = Math.min(sent.length, from + 1 + Math.floor(random() ** 2 * 250));
    while (to < limit && sent[to]!.now === sent[from]!.now) to++;
    batch.count = 0;
    for (let i = from; i < to; i++) batch.set(i - from, sent[i]!.packet, i);
    path.processBatch(batch, sent[from]!.now, out);
    for (let i = from; i < to; i++) {
      const { packet, verdict, reason, state, ref } = sent[i]!.result;
      const { src, dst, sport, dport, mark } = packet;
      expect(out.get(i - from), `packet ${i} of traffic ${seed}, in a batch from ${from} to ${to}`).toEqual({
        verdict,
        reason,
        src,
        dst,
        sport,
        dport,
        mark,
        state,
        ref,
      });
    }
    sums.known += out.known;
    sums.opened += out.opened;
    from = to;
  }
  return sums;
}

const resolved = rules(EVERYTHING);
const linear = linearEngine(resolved);

describe.each([["chains"], ["fast-path"]] as const)("law: a batch equals its packets one by one, mode %s", (mode) => {
  const cases: [string, DatapathOptions, string][] = [
    ["", {}, "a"],
    [", another seed", { seed: 99 }, "b"],
    [", a table of 12 that is full all the time", { maxEntries: 12 }, "c"],
    [", growing from nothing", { initialEntries: 1 }, "d"],
  ];
  test.each(cases)("linear engine%s", (_, options, seed) => {
    const sent = sendTraffic(new Datapath(linear, node, { mode, ...options }), 2000, seed);
    const path = new Datapath(linear, node, { mode, ...options });
    const sums = expectSameInBatches(path, sent, seed);
    expect(sums.known).toBe(sent.filter((s) => s.result.entry === "known").length);
    expect(sums.opened).toBe(sent.filter((s) => s.result.entry === "opened").length);
    // The traffic reaches what it is meant to reach.
    const reached = (test: (s: Sent) => boolean): number => sent.filter(test).length;
    expect(reached((s) => s.result.entry === "known")).toBeGreaterThan(200);
    expect(reached((s) => s.result.entry === "opened")).toBeGreaterThan(100);
    expect(reached((s) => s.result.state === "invalid")).toBeGreaterThan(100);
    expect(reached((s) => s.result.reason === "rule")).toBeGreaterThan(20);
    expect(reached((s) => s.result.packet.dst !== s.packet.dst)).toBeGreaterThan(100);
    expect(reached((s) => s.result.packet.sport !== s.packet.sport)).toBeGreaterThan(20);
    expect(path.table("ip").size).toBeLessThanOrEqual(options.maxEntries ?? Infinity);
  });

  test("column engine, against linear one by one", () => {
    const sent = sendTraffic(new Datapath(linear, node, { mode }), 1500, "columns");
    expectSameInBatches(new Datapath(columnEngine(resolved, { node }), node, { mode }), sent, "columns");
  });

  test("indexed engine in replay mode, against linear one by one", () => {
    const sent = sendTraffic(new Datapath(linear, node, { mode }), 1500, "indexed");
    const indexed = indexedEngine(resolved, { node, draws: "replay" });
    expectSameInBatches(new Datapath(indexed, node, { mode }), sent, "indexed");
  });

  test("IPv6", () => {
    const six = linearEngine(
      rules(
        `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d fd00:0:0:0:0:60::1/128 -p tcp -j DNAT --to-destination [fd00::101]:80
-A POSTROUTING -s fd00::1/128 -j MASQUERADE
COMMIT
`,
        "ip6",
      ),
    );
    const sent = sendTraffic(new Datapath(six, node, { mode }), 1000, "six", "ip6");
    const path = new Datapath(six, node, { mode });
    expectSameInBatches(path, sent, "six");
    expect(sent.filter((s) => s.result.entry === "known").length).toBeGreaterThan(100);
  });
});
