import { expect, it } from "vitest";
import { columnEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { batchOf } from "../../src/packet/batch.js";
import { context, NODE, packet, rules } from "../engine/rules.js";

it("two random matches of one rule draw apart: a quarter passes both halves", () => {
  const half = "-m statistic --mode random --probability 0.5";
  const resolved = rules({ filter: [`-A FORWARD ${half} ${half} -j DROP`] });
  const packets = Array.from({ length: 4000 }, (_, i) => packet(`10.0.0.1:${i} 10.0.0.2:80`));
  const linear = linearEngine(resolved);
  const drops = packets.filter((sent, i) => linear.classify(sent, { ...context(), packet: i }).verdict === "drop");
  expect(drops.length).toBeGreaterThan(880);
  expect(drops.length).toBeLessThan(1120);
  const out = new OutcomeBatch("ip", packets.length);
  columnEngine(resolved, { node: NODE }).classifyBatch(batchOf(packets), context(), out);
  expect(out.verdict.reduce((sum, verdict) => sum + verdict, 0)).toBe(drops.length);
});
