import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Family } from "../../src/packet/address.js";
import { arbitraryNft, formatNft } from "../arbitrary/nft-rules.js";
import { randomPacket } from "./arbitrary.js";
import { KernelNode } from "./kernel-node.js";
import { sendPlans } from "./plans.js";
import { type Failure, reduce } from "./reduce.js";
import { counterDisagreements, Session } from "./session.js";

/** Rule sets in all, over both families. */
const RULESETS = Number(process.env.CHAINWALK_KERNEL_RULESETS ?? 240);
/** On average, for each rule set. */
const PACKETS = 50;
const seed = Number(process.env.CHAINWALK_SEED ?? 20260401);

function register(family: Family): void {
  describe(`random nftables rule sets, ${family}`, () => {
    let kernel: KernelNode;
    beforeAll(async () => {
      kernel = await KernelNode.start(family, "nftables");
    });
    afterAll(() => kernel?.stop());
    const rerun = `CHAINWALK_SEED=${seed} CHAINWALK_KERNEL_RULESETS=${RULESETS} npm run test:kernel -- nft-random -t "${family}"`;
    it(`agree; rerun: ${rerun}`, async () => {
      const plans = fc.array(randomPacket(family), { minLength: 1, maxLength: 2 * PACKETS + 19, size: "max" });
      let refused = 0;
      const fails: Failure = async ({ tables, plans: packets }) => {
        const text = formatNft(tables);
        if (kernel.refusal(text) !== undefined) {
          refused++;
          return undefined;
        }
        try {
          const session = await Session.open(kernel, text);
          await sendPlans(session, packets);
          const counters = counterDisagreements(kernel, session.project);
          return counters.length === 0 ? undefined : counters.join("\n");
        } catch (thrown) {
          return String(thrown);
        }
      };
      const property = fc.asyncProperty(arbitraryNft(family), plans, async (tables, packets) => {
        const why = await fails({ tables, plans: packets });
        if (why !== undefined) throw new Error(why);
      });
      const found = await fc.check(property, { seed, numRuns: Math.ceil(RULESETS / 2), endOnFailure: true });
      if (found.failed) {
        const [tables, packets] = found.counterexample!;
        const small = await reduce({ tables, plans: packets }, String(found.errorInstance), fails);
        const where = `seed ${seed}, path ${found.counterexamplePath}; rerun: ${rerun}`;
        throw new Error(`${formatNft(small.found.tables)}\n${small.why}\n${where}`);
      }
      expect(refused, "rule sets that nft refuses").toBeLessThan(RULESETS / 20);
    });
  });
}

for (const family of ["ip", "ip6"] as const) register(family);
