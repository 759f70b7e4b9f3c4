import { describe, expect, it } from "vitest";
import { batchOf } from "../../src/packet/batch.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { BLOCK } from "../../src/engine/service-passes.js";
import { namedDraw } from "../../src/engine/draw.js";
import { context, NODE, packet, rules } from "./rules.js";

/** A service for each list of probabilities, a rule with each and one more. */
function choices(all: readonly (readonly string[])[]): ReturnType<typeof rules> {
  const nat = all.flatMap((probabilities, s) => [
    `-A PREROUTING -d 10.0.0.${s}/32 -p tcp -m tcp --dport 80 -j svc-${s}`,
    ...probabilities.map((p, k) => `-A svc-${s} -m statistic --mode random --probability ${p} -j sep-${s}-${k}`),
    `-A svc-${s} -j sep-${s}-${probabilities.length}`,
    ...[...probabilities, ""].map(
      (_, k) => `-A sep-${s}-${k} -p tcp -m tcp -j DNAT --to-destination 10.1.${s}.${k}:8080`,
    ),
  ]);
  return rules({ nat });
}

describe("the service map in a batch", () => {
  it.each([
    ["even", ["0.33333333349", "0.50000000000"]],
    ["nearly all to the first", ["0.99000000022", "0.50000000000"]],
    ["nearly all to the last", ["0.00999999978", "0.00999999978", "0.00999999978"]],
    ["some never", ["0.00000000000", "0.50000000000", "0.00000000000"]],
    ["all but two draws to the first", ["0.99999999953", "0.50000000000"]],
  ])("sends packets where one by one they go: %s", (_, probabilities) => {
    const engine = indexedEngine(choices([["0.5"], probabilities]), { node: NODE });
    expect(engine.plan.tables.cold.filter((record) => record !== undefined)).toHaveLength(2);
    const packets = Array.from({ length: 2 * BLOCK + 100 }, (_, i) =>
      packet(`10.9.0.1:${1000 + i} 10.0.0.${i % 2}:80`),
    );
    const draw = namedDraw(7);
    const out = new OutcomeBatch("ip", packets.length);
    engine.classifyBatch(batchOf(packets), context({ draw }), out);
    const alone = packets.map((one, i) => engine.classify(one, { ...context({ draw }), packet: i }).tuple.dst);
    expect(packets.map((_, i) => out.get(i).dst)).toEqual(alone);
  });
});
