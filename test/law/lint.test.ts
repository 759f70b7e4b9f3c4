import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linearEngine } from "../../src/engine/linear.js";
import { lint } from "../../src/lint/lint.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { Chain, Rule, RuleSet } from "../../src/ruleset/types.js";
import { packetsFor } from "../arbitrary/packets.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { NODE } from "../engine/rules.js";
import { contextFor } from "./engines-agree.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260104);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/lint.test.ts`;

/**
 * The rule set with rules of each chain repeated behind it, some without their first match and some with a match of another rule more:
 * random rules alone seldom shadow each other.
 */
function withEchoes(ruleset: RuleSet, pick: () => number): RuleSet {
  const echo = (rule: Rule, other: Rule): Rule => {
    const [first] = other.statements;
    switch (pick() % 4) {
      case 0:
        return { ...rule, statements: rule.statements.slice(1) };
      case 1:
        return first !== undefined &&
          rule.statements.length > 0 &&
          first.kind === "address" &&
          !rule.statements.some((s) => s.kind === "address")
          ? { ...rule, statements: [first, ...rule.statements] }
          : rule;
      default:
        return rule;
    }
  };
  const chain = (one: Chain): Chain => ({
    ...one,
    rules: [...one.rules, ...one.rules.map((rule) => echo(rule, one.rules[pick() % one.rules.length]!))],
  });
  return { ...ruleset, tables: ruleset.tables.map((table) => ({ ...table, chains: table.chains.map(chain) })) };
}

describe("what lint says of random rule sets", () => {
  it("a shadowed rule never matches, an unreachable chain is never entered", { timeout: 3_600_000 }, () => {
    let [shadowed, unreachable, entered] = [0, 0, 0];
    fc.assert(
      fc.property(
        arbitraryRuleSet({ rules: 5, evaluable: true }),
        fc.array(fc.nat(), { minLength: 50, maxLength: 50 }),
        fc.nat(),
        (plain, picks, packetSeed) => {
          let at = 0;
          const resolved = resolve(withEchoes(plain, () => picks[at++ % picks.length]!));
          if (resolved.problems.some((problem) => problem.severity === "error")) return;
          const rules = new Set<string>();
          const chains = new Set<string>();
          for (const { code, place } of lint(resolved)) {
            if (code === "shadowed-rule") rules.add(`${place.table} ${place.chain} ${place.rule}`);
            if (code === "unreachable-chain") chains.add(`${place.table} ${place.chain}`);
          }
          shadowed += rules.size;
          unreachable += chains.size;
          const family = resolved.ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
          const linear = linearEngine(resolved);
          packetsFor(resolved, NODE, family, 60, String(packetSeed)).forEach((packet, i) => {
            try {
              for (const step of linear.trace(packet, contextFor(NODE, packetSeed, i)).steps) {
                if (step.kind === "chain") {
                  entered++;
                  if (chains.has(`${step.table} ${step.chain}`))
                    throw new Error(`${step.table} ${step.chain} was entered; ${rerun}`);
                } else if (step.kind === "rule") {
                  const { chain, number } = step.rule;
                  const name = `${chain.table.name} ${chain.name} ${number}`;
                  if (rules.has(name)) throw new Error(`rule ${name} matched ${JSON.stringify(packet)}; ${rerun}`);
                }
              }
            } catch (thrown) {
              if (!(thrown instanceof ProblemError)) throw thrown;
            }
          });
        },
      ),
      { seed, numRuns: long ? 5000 : 150 },
    );
    expect(
      { shadowed: shadowed > 100, unreachable: unreachable > 50, entered: entered > 10_000 },
      `${shadowed} ${unreachable} ${entered}`,
    ).toEqual({ shadowed: true, unreachable: true, entered: true });
  });
});
