import { expect, test } from "vitest";
import { batchOf } from "../../src/packet/batch.js";
import { UDP } from "../../src/packet/protocol.js";
import { columnEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { contextFor } from "../law/engines-agree.js";
import { NODE, packet, rules } from "../engine/rules.js";

// A statement that no operation stands for is left to the readable walk, whatever of it was written before that was known.
test("a masquerade to ports is not carried out as one to any port", () => {
  const resolved = rules({ nat: ["-A POSTROUTING -p udp -j MASQUERADE --to-ports 2000-3000"] });
  const batch = batchOf([packet("10.0.0.1:1000 10.0.0.2:53", { protocol: UDP })]);
  const [linear, columns] = [linearEngine(resolved), columnEngine(resolved, { node: NODE })].map((engine) => {
    const out = new OutcomeBatch("ip", 1);
    engine.classifyBatch(batch, contextFor(NODE, 1), out);
    return { ...out.get(0), ports: out.details.get(0)?.source?.to.ports };
  });
  expect(linear!.ports).toEqual([2000, 3000]);
  expect(columns).toEqual(linear);
});

test("a draw that is always below its threshold lets the rule match", () => {
  const resolved = rules({ filter: ["-A FORWARD -m statistic --mode random --probability 1 -j DROP"] });
  const batch = batchOf([packet("10.0.0.1:1000 10.0.0.2:80")]);
  for (const engine of [linearEngine(resolved), columnEngine(resolved, { node: NODE })]) {
    const out = new OutcomeBatch("ip", 1);
    engine.classifyBatch(batch, contextFor(NODE, 1), out);
    expect(out.get(0).verdict, engine.name).toBe("drop");
  }
});
