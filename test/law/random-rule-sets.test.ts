import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { packetsFor } from "../arbitrary/packets.js";
import { NODE } from "../engine/rules.js";
import { expectSameDistributions, expectSameOutcomes } from "./engines-agree.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260103);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/random-rule-sets.test.ts`;

const drawing = ({ rules }: ResolvedRuleSet): number =>
  rules.filter(({ rule }) => rule.statements.some((statement) => statement.kind === "random")).length;

describe("linear, columns and indexed agree on random rule sets over the whole language", () => {
  // Few rules try every statement; many rules make chains long enough to be indexed.
  for (const [rules, share] of [
    [4, 0.5],
    [24, 0.5],
  ] as const) {
    it(`at most ${rules} rules a chain`, { timeout: 3_600_000 }, () => {
      let checked = 0;
      fc.assert(
        fc.property(arbitraryRuleSet({ rules, evaluable: true }), fc.nat(), (ruleset, packetSeed) => {
          const resolved = resolve(ruleset);
          if (resolved.problems.some((problem) => problem.severity === "error")) return;
          const family = ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
          const packets = packetsFor(resolved, NODE, family, 40, String(packetSeed));
          const subject = { resolved, node: NODE };
          expectSameOutcomes(subject, packets, packetSeed, rerun);
          // Every draw doubles the ways a packet can go.
          if (drawing(resolved) <= 8) expectSameDistributions(subject, packets.slice(0, 8), rerun);
          checked++;
        }),
        { seed, numRuns: share * (long ? 2000 : 200) },
      );
      expect(checked, "most generated rule sets must be legal").toBeGreaterThan(share * 100);
    });
  }
});
