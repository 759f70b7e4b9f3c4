import { expect, it } from "vitest";
import { Node, type Route } from "../../src/packet/node.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { compile } from "../../src/engine/compile/compile.js";
import { verify } from "../../src/engine/verify/verify.js";
import { readRules } from "../../src/syntax/read.js";
import { NODE } from "../engine/rules.js";

class BrokenNode extends Node {
  override route(): Route {
    throw new RangeError("offset is out of bounds");
  }
}

it("is not proved, and says why, where an engine fails on a packet of the proof", () => {
  const text = "table ip t {\n chain c { type filter hook forward priority 0; ip saddr 10.0.0.1 drop; }\n}\n";
  const plan = compile(resolve(readRules(text).ruleset!), NODE);
  expect(verify(plan).equal).toBe(true);
  const found = verify({ ...plan, node: new BrokenNode(NODE.addresses) });
  expect(found.equal).toBe(false);
  expect(found.reason).toBe("the proof broke off, please report it: RangeError: offset is out of bounds");
});
