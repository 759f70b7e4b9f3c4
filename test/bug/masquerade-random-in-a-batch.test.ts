import { expect, it } from "vitest";
import { columnEngine, indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { batchOf } from "../../src/packet/batch.js";
import { context, NODE, packet, rules } from "../engine/rules.js";

// The columns held what they could of a statement before they said that they could not hold all of it.
it.each([
  ["-A POSTROUTING -j MASQUERADE --random"],
  ["-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2047"],
  ["-A POSTROUTING -m statistic --mode random --probability 1.0 -j MASQUERADE"],
])("a batch fares as linear does: %s", (rule) => {
  const resolved = rules({ nat: [rule] });
  const batch = batchOf([packet("10.0.0.1:1000 10.0.0.2:80")]);
  const outcomes = [
    linearEngine(resolved),
    columnEngine(resolved, { node: NODE }),
    indexedEngine(resolved, { node: NODE }),
  ].map((engine) => {
    const out = new OutcomeBatch("ip", 1);
    engine.classifyBatch(batch, context(), out);
    return { columns: out.get(0), source: out.details.get(0)?.source };
  });
  expect(outcomes[1]).toEqual(outcomes[0]);
  expect(outcomes[2]).toEqual(outcomes[0]);
});
