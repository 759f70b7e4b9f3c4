import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolve } from "../../../src/ruleset/resolve.js";
import { compile } from "../../../src/engine/compile/compile.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { arbitraryRuleSet } from "../../arbitrary/ruleset.js";
import { NODE } from "../rules.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260104);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/engine/verify/random-rule-sets.test.ts`;

/** Some random rule sets are too entangled for so little room: then it must say so. */
const MOST_NODES = 400_000;
const ENTANGLED = "the budget of memory was used up";

describe("random rule sets over the whole language of iptables", () => {
  // Few rules try every statement; many rules make chains long enough to be indexed. Opaque matches and targets are among them.
  for (const [rules, evaluable, share] of [
    [4, false, 0.5],
    [16, true, 0.1],
  ] as const) {
    it(`are proved equal, at most ${rules} rules a chain`, { timeout: 3_600_000 }, () => {
      let proved = 0;
      fc.assert(
        fc.property(arbitraryRuleSet({ rules, evaluable }), (ruleset) => {
          const resolved = resolve(ruleset);
          if (resolved.problems.some((problem) => problem.severity === "error")) return;
          const found = verify(compile(resolved, NODE), { witnesses: 10, nodes: MOST_NODES });
          if (found.reason === ENTANGLED) {
            expect([found.equal, found.share < 1, found.counterexample]).toEqual([false, true, undefined]);
            return;
          }
          const shown = JSON.stringify([found.counterexample?.packet, found.counterexample?.context.connection]);
          expect(found.reason, `${shown}; ${rerun}`).toBeUndefined();
          expect([found.equal, found.share]).toEqual([true, 1]);
          proved++;
        }),
        { seed, numRuns: share * (long ? 2000 : 200), endOnFailure: true },
      );
      expect(proved, "most generated rule sets must be legal").toBeGreaterThan((share * (long ? 2000 : 200)) / 2);
    });
  }
});
