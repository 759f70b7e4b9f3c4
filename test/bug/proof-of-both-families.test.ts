import { expect, test } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import { compile } from "../../src/engine/compile/compile.js";
import { verify } from "../../src/engine/verify/verify.js";
import { readRules } from "../../src/syntax/read.js";
import { NODE } from "../engine/rules.js";

// Each was taken for a difference: what the proof said of a packet was not what linear does.
test.each([
  ["an answer that each family has a code of its own for", "filter", "reject with icmpx port-unreachable"],
  ["the original address of the other family", "filter", "ct original ip6 daddr != fd00::1 drop"],
  ["the answer to an ICMP type that has none", "filter", "icmpv6 type != echo-reply ct reply ip6 saddr ::/0 drop"],
  ["the first packet of such a type in nat chains", "nat", "meta l4proto ipv6-icmp dnat ip6 to fd00::9"],
])("%s", (_, type, rule) => {
  const text = `table inet t {\n chain c { type ${type} hook prerouting priority 0; ${rule}; }\n}\n`;
  const found = verify(compile(resolve(readRules(text).ruleset!), NODE));
  expect(found.reason).toBeUndefined();
  expect([found.equal, found.share]).toEqual([true, 1]);
});
