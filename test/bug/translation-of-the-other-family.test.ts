import { describe, expect, it, test } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { PacketBatch } from "../../src/packet/batch.js";
import { Node } from "../../src/packet/node.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { compile } from "../../src/engine/compile/compile.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { FRESH_STATE } from "../../src/engine/state.js";
import { verify } from "../../src/engine/verify/verify.js";
import { lint } from "../../src/lint/lint.js";
import { shadowedRule } from "../../src/lint/shadowed-rule.js";
import { readRules } from "../../src/syntax/read.js";
import { nftDatapathOf, packetBetween } from "./rules.js";

const NODE = new Node(["10.200.0.1", "fd00:200::1"].map((text) => parseAddress(text)!));
const IPV4 = packetBetween("10.0.0.1", "192.0.2.1", { protocol: 17 });
const IPV6 = packetBetween("2001:db8::1", "2001:db8:1::1", { protocol: 17 });

/** An inet table whose nat chain has these rules. */
const table = (hook: string, ...rules: string[]): string =>
  `table inet t {\n chain c {\n type nat hook ${hook} priority 0; policy accept;\n ${rules.join("\n ")}\n }\n}\n`;

// The kernel (nft_nat_inet_eval; seen on 6.18): a packet of the other family passes over the translation, and the next rule sees it.
describe.each([
  ["dnat ip to 10.0.0.9", "prerouting", IPV6, IPV4],
  ["dnat ip to numgen random mod 2 map { 0 : 10.0.0.8, 1 : 10.0.0.9 }", "prerouting", IPV6, IPV4],
  ["dnat ip6 to fd00::9", "prerouting", IPV4, IPV6],
  ["dnat ip6 to meta mark map { 0 : fd00::9 }", "prerouting", IPV4, IPV6],
  ["snat ip to 10.0.0.9", "postrouting", IPV6, IPV4],
  ["snat ip6 to fd00::9", "postrouting", IPV4, IPV6],
])("%s", (translation, hook, other, own) => {
  // Both rules ask the same, so that the second is dead where the first takes every packet.
  const text = table(hook, `meta l4proto udp ${translation}`, "meta l4proto udp drop");

  it("is passed over by packets of the other family", () => {
    const body = text.slice(text.indexOf("\n"), text.lastIndexOf("}"));
    expect(nftDatapathOf(body, "inet").process(other)).toMatchObject({ verdict: "drop" });
    expect(nftDatapathOf(body, "inet").process(own)).toMatchObject({ verdict: "accept" });
  });

  it("is passed over in a batch", () => {
    const engine = indexedEngine(resolve(readRules(text).ruleset!), { node: NODE });
    for (const [packet, verdict] of [
      [other, "drop"],
      [own, "accept"],
    ] as const) {
      const batch = new PacketBatch(packet.family, 1);
      batch.set(0, packet, 0, NEW_CONNECTION);
      const out = new OutcomeBatch(packet.family, 1);
      const context = { node: NODE, now: 0, connection: NEW_CONNECTION, draw: () => 0, state: FRESH_STATE };
      engine.classifyBatch(batch, context, out);
      expect(out.get(0).verdict).toBe(verdict);
    }
  });

  it("is proved, and shadows nothing", () => {
    const resolved = resolve(readRules(text).ruleset!);
    const found = verify(compile(resolved, NODE));
    expect(found.reason).toBeUndefined();
    expect([found.equal, found.share]).toEqual([true, 1]);
    expect(lint(resolved, [shadowedRule])).toEqual([]);
  });
});

// What a packet is redirected to depends on the node, and the one here has no IPv6 address.
test.each([
  ["dnat to :443", "prerouting", [IPV4, IPV6]],
  ["redirect", "prerouting", [IPV4]],
  ["masquerade", "postrouting", [IPV4, IPV6]],
])("%s names no address and takes packets of both families", (translation, hook, packets) => {
  const text = table(hook, `meta l4proto udp ${translation}`, "meta l4proto udp drop");
  const found = verify(compile(resolve(readRules(text).ruleset!), NODE));
  expect([found.reason, found.equal, found.share]).toEqual([undefined, true, 1]);
  const body = text.slice(text.indexOf("\n"), text.lastIndexOf("}"));
  for (const packet of packets)
    expect(nftDatapathOf(body, "inet").process(packet)).toMatchObject({ verdict: "accept" });
});
