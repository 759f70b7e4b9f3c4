import * as fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Family } from "../../src/packet/address.js";
import { SETS, formatRuleSet, type RandomPacket, randomPacket, randomRuleSet } from "./arbitrary.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { sendPlans } from "./plans.js";
import { readSets, Session } from "./session.js";

/** Rule sets in all, over the four pairs of backend and family. */
const RULESETS = Number(process.env.CHAINWALK_KERNEL_RULESETS ?? 300);
/** On average, for each rule set. */
const PACKETS = 50;
const seed = Number(process.env.CHAINWALK_SEED ?? 20260301);

async function compareOne(kernel: KernelNode, text: string, plans: readonly RandomPacket[]): Promise<void> {
  const session = await Session.open(kernel, text, { ipsets: readSets(SETS[kernel.family]) });
  await sendPlans(session, plans);
}

function register(family: Family, backend: Backend): void {
  describe(`random rule sets, ${family} ${backend}`, () => {
    let kernel: KernelNode;
    beforeAll(async () => {
      kernel = await KernelNode.start(family, backend);
      kernel.makeSets(SETS[family]);
    });
    afterAll(() => kernel?.stop());
    const rerun = `CHAINWALK_SEED=${seed} CHAINWALK_KERNEL_RULESETS=${RULESETS} npm run test:kernel -- random -t "${family} ${backend}"`;
    it(`agree; rerun: ${rerun}`, async () => {
      const plans = fc.array(randomPacket(family), { minLength: 1, maxLength: 2 * PACKETS + 19, size: "max" });
      const property = fc.asyncProperty(randomRuleSet(family), plans, (tables, packets) =>
        compareOne(kernel, formatRuleSet(tables), packets),
      );
      const found = await fc.check(property, { seed, numRuns: Math.ceil(RULESETS / 4) });
      if (!found.failed) return;
      const [tables] = found.counterexample!;
      const rules = formatRuleSet(tables)
        .split("\n")
        .filter((line) => /^\*|^-A| DROP /.test(line))
        .join("\n");
      const where = `seed ${seed}, path ${found.counterexamplePath}; rerun: ${rerun}`;
      throw new Error(`${rules}\n${String(found.errorInstance)}\n${where}`);
    });
  });
}

for (const family of ["ip", "ip6"] as const)
  for (const backend of ["legacy", "nft"] as const) register(family, backend);
