/** The specialiser followed a test of the interface both ways in one base chain, and took the second way's answer for granted in the next. */
import { expect, it } from "vitest";
import { compile } from "../../src/engine/compile/compile.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { verify } from "../../src/engine/verify/verify.js";
import { context, NODE, packet, rules } from "../engine/rules.js";

const resolved = rules({
  raw: ["-A PREROUTING -i cali+ -j mark", "-A mark -d 10.9.9.9/32 -j RETURN"],
  filter: ["-A FORWARD -i cali+ -j from", "-A from -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DROP"],
});

it("a packet from another interface is let through", () => {
  const engine = indexedEngine(resolved, { node: NODE });
  const { verdict } = engine.classify(packet("10.0.0.1:1 169.254.169.254:80"), context());
  expect(verdict).toBe("accept");
});

it("verify finds both equal", () => {
  expect(verify(compile(resolved, NODE)).equal).toBe(true);
});
