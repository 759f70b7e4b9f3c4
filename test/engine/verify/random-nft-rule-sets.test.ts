import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolve } from "../../../src/ruleset/resolve.js";
import { compile } from "../../../src/engine/compile/compile.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { readRules } from "../../../src/syntax/read.js";
import { arbitraryNft, formatNft } from "../../arbitrary/nft-rules.js";
import { NODE } from "../rules.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20261126);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/engine/verify/random-nft-rule-sets.test.ts`;

/** What a proof may say instead of an answer where so little room is given. */
const HONEST = "the budget of memory was used up";

describe.each(["ip", "ip6"] as const)("random rule sets over the language of nftables, packets of %s", (family) => {
  it("are proved equal", { timeout: 3_600_000 }, () => {
    const runs = long ? 500 : 50;
    let proved = 0;
    fc.assert(
      fc.property(arbitraryNft(family), (tables) => {
        const text = formatNft(tables);
        const { ruleset, problems } = readRules(new TextEncoder().encode(text));
        expect(ruleset, JSON.stringify(problems)).toBeDefined();
        const resolved = resolve(ruleset!);
        if (resolved.problems.some((problem) => problem.severity === "error")) return;
        const found = verify(compile(resolved, NODE), { witnesses: 10, nodes: 4_000_000 });
        expect(found.counterexample, `${text}\n${rerun}`).toBeUndefined();
        if (found.reason !== undefined) {
          expect(found.reason, `${text}\n${rerun}`).toBe(HONEST);
          expect([found.equal, found.share < 1]).toEqual([false, true]);
          return;
        }
        expect([found.equal, found.share], `${text}\n${rerun}`).toEqual([true, 1]);
        proved++;
      }),
      { seed, numRuns: runs, endOnFailure: true },
    );
    expect(proved, `nearly all must be proved; ${rerun}`).toBeGreaterThanOrEqual(runs * 0.9);
  });
});
