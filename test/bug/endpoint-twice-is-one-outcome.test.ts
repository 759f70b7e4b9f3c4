import { expect, test } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { formatFraction } from "../../src/engine/fraction.js";
import { readRules } from "../../src/syntax/read.js";
import { contextFor } from "../law/engines-agree.js";
import { NODE, packet } from "../engine/rules.js";

// kube-proxy v1.17 with session affinity names an endpoint twice: both ways to it are one outcome.
test("two draws that lead to one endpoint are one outcome with the sum of their probabilities", () => {
  const rules = [
    "*nat",
    ":PREROUTING ACCEPT [0:0]",
    ":S - [0:0]",
    "-A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j S",
    "-A S -p tcp -m statistic --mode random --probability 0.25000000000 -j DNAT --to-destination 10.1.0.1:80",
    "-A S -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.1.0.2:80",
    "-A S -p tcp -j DNAT --to-destination 10.1.0.1:80",
    "COMMIT",
    "",
  ];
  const resolved = resolve(readRules(rules.join("\n")).ruleset!);
  const [linear, indexed] = [linearEngine(resolved), indexedEngine(resolved, { node: NODE })].map((engine) =>
    engine
      .outcomes(packet("10.9.0.1:1000 10.0.0.1:80"), contextFor(NODE, 1))
      .outcomes.map(({ outcome, probability }) => `${outcome.destination?.address} ${formatFraction(probability)}`)
      .sort(),
  );
  expect(linear).toEqual([`${0x0a010001} 5/8`, `${0x0a010002} 3/8`]);
  expect(indexed).toEqual(linear);
});
