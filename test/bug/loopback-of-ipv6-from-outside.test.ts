import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import { Node } from "../../src/packet/node.js";
import { parsePrefix } from "../../src/packet/prefix.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { compile } from "../../src/engine/compile/compile.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { FRESH_STATE } from "../../src/engine/state.js";
import { verify } from "../../src/engine/verify/verify.js";
import { readRules } from "../../src/syntax/read.js";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (rt6_need_strict; seen on 6.18): ::1 is the node itself for its own packets only. One that came from outside and was translated to
// ::1 goes by the routes of the interface it came in by, and where there are none it is dropped.
const NODE = new Node(
  [parseAddress("fd00:200::1")!],
  [
    { ...parsePrefix("fd00:64::/64")!, oif: "tun1" },
    { ...parsePrefix("::/0")!, oif: "eth0" },
  ],
);
const TO_LOOPBACK = "chain c {\n type nat hook prerouting priority -100; policy accept;\n dnat to ::1\n }";
const TEXT = `table ip6 t {\n${TO_LOOPBACK}\n}\n`;
const from = (iif: string) => ({ ...packetBetween("fd00:64::4", "fd00:200::1", { protocol: 17 }), iif });

describe("a packet from outside that is translated to ::1", () => {
  it.each([
    ["tun1", { verdict: "drop", unreachable: true }],
    ["eth0", { verdict: "accept", way: "forward", oif: "eth0" }],
    ["lo", { verdict: "accept", way: "local" }],
  ])("from %s: %o", (iif, expected) => {
    const resolved = resolve(readRules(TEXT).ruleset!);
    const context = { node: NODE, now: 0, connection: NEW_CONNECTION, draw: () => 0, state: FRESH_STATE };
    for (const engine of [linearEngine(resolved), indexedEngine(resolved, { node: NODE })])
      expect(engine.classify(from(iif), context)).toMatchObject(expected);
  });

  it("is dropped for want of a route, and says so", () => {
    const { process } = nftDatapathOf(TO_LOOPBACK, "ip6");
    expect(process(from("tun1"))).toMatchObject({ verdict: "drop", reason: "no-route" });
  });

  it("is proved", () => {
    expect(verify(compile(resolve(readRules(TEXT).ruleset!), NODE))).toMatchObject({ equal: true });
  });
});
