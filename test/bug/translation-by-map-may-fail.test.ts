import { expect, it } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import { compile } from "../../src/engine/compile/compile.js";
import { verify } from "../../src/engine/verify/verify.js";
import { readRules } from "../../src/syntax/read.js";
import { NODE } from "../engine/rules.js";

it("does not take what stands behind a translation by map for dead: a key the map lacks fails the rule", () => {
  const text = [
    "table ip t {",
    "  map backends { type ipv4_addr : ipv4_addr; elements = { 10.0.0.1 : 10.0.0.2 } }",
    "  chain c {",
    "    type nat hook prerouting priority dstnat; policy accept;",
    "    dnat to ip daddr map @backends",
    "    drop",
    "  }",
    "}",
    "",
  ].join("\n");
  const plan = compile(resolve(readRules(new TextEncoder().encode(text)).ruleset!), NODE);
  const found = verify(plan);
  expect(found.reason).toBeUndefined();
  expect([found.equal, found.share]).toEqual([true, 1]);
});
