import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linearEngine } from "../../src/engine/linear.js";
import { lint } from "../../src/lint/lint.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { Family } from "../../src/packet/address.js";
import { jumpOf, resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";
import { arbitraryNft, formatNft, type NftChain, type NftTable } from "../arbitrary/nft-rules.js";
import type { Chain, Rule, RuleSet, Table } from "../../src/ruleset/types.js";
import { packetsFor } from "../arbitrary/packets.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { NODE } from "../engine/rules.js";
import { contextFor } from "./engines-agree.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260104);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/lint.test.ts`;

/**
 * The rule set with rules of each chain repeated behind it, some without their first match and some with a match of another rule more:
 * random rules alone seldom shadow each other. Chains that others lead to ask first what rules of those others ask.
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
  const chain = (one: Chain, { chains }: Table): Chain => {
    const before = chains.flatMap(({ rules }) =>
      one.base === undefined && rules.some((rule) => jumpOf(rule)?.chain === one.name)
        ? rules.map((rule): Rule => ({ statements: [...rule.statements.slice(0, -1), { kind: "accept" }] }))
        : [],
    );
    const rules = one.rules.map((rule) => echo(rule, one.rules[pick() % one.rules.length]!));
    return { ...one, rules: [...before, ...one.rules, ...rules] };
  };
  return {
    ...ruleset,
    tables: ruleset.tables.map((table) => ({ ...table, chains: table.chains.map((one) => chain(one, table)) })),
  };
}

/** The same for nftables, as text: each rule again, or without its first statement. */
function withNftEchoes(tables: readonly NftTable[], pick: () => number): NftTable[] {
  const chain = (one: NftChain): NftChain => ({
    ...one,
    rules: [...one.rules, ...one.rules.map((rule) => (pick() % 3 === 0 && rule.length > 1 ? rule.slice(1) : rule))],
  });
  return tables.map((table) => ({ ...table, chains: table.chains.map(chain) }));
}

interface Tally {
  shadowed: number;
  /** Of these, by a rule of another chain. */
  across: number;
  unreachable: number;
  entered: number;
}

/** No packet may match a rule that is reported as shadowed, nor enter a chain that is reported as unreachable. */
function expectTrue(resolved: ResolvedRuleSet, family: Family, packetSeed: number, tally: Tally): void {
  const rules = new Set<string>();
  const chains = new Set<string>();
  for (const { code, place, related } of lint(resolved)) {
    if (code === "shadowed-rule" && related[0]!.chain !== place.chain) tally.across++;
    if (code === "shadowed-rule") rules.add(`${place.table} ${place.chain} ${place.rule}`);
    if (code === "unreachable-chain") chains.add(`${place.table} ${place.chain}`);
  }
  tally.shadowed += rules.size;
  tally.unreachable += chains.size;
  const linear = linearEngine(resolved);
  packetsFor(resolved, NODE, family, 60, String(packetSeed)).forEach((packet, i) => {
    try {
      for (const step of linear.trace(packet, contextFor(NODE, packetSeed, i)).steps) {
        if (step.kind === "chain") {
          tally.entered++;
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
}

const numbers = fc.array(fc.nat(), { minLength: 50, maxLength: 50 });

function takeTurns(values: readonly number[]): () => number {
  let at = 0;
  return () => values[at++ % values.length]!;
}

const hasErrors = ({ problems }: ResolvedRuleSet): boolean => problems.some(({ severity }) => severity === "error");

describe("a shadowed rule never matches, an unreachable chain is never entered", () => {
  it("random iptables rule sets", { timeout: 3_600_000 }, () => {
    const tally = { shadowed: 0, across: 0, unreachable: 0, entered: 0 };
    fc.assert(
      fc.property(arbitraryRuleSet({ rules: 5, evaluable: true }), numbers, fc.nat(), (plain, picks, packetSeed) => {
        const resolved = resolve(withEchoes(plain, takeTurns(picks)));
        const family = resolved.ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
        if (!hasErrors(resolved)) expectTrue(resolved, family, packetSeed, tally);
      }),
      { seed, numRuns: long ? 5000 : 150 },
    );
    expect(tally.shadowed).toBeGreaterThan(100);
    expect(tally.across).toBeGreaterThan(20);
    expect(tally.unreachable).toBeGreaterThan(50);
    expect(tally.entered).toBeGreaterThan(10_000);
  });

  it("random nftables rule sets", { timeout: 3_600_000 }, () => {
    const tally = { shadowed: 0, across: 0, unreachable: 0, entered: 0 };
    const families = fc.constantFrom<Family>("ip", "ip6");
    const sets = families.chain((family) => fc.tuple(fc.constant(family), arbitraryNft(family)));
    fc.assert(
      fc.property(sets, numbers, fc.nat(), ([family, tables], picks, packetSeed) => {
        const { ruleset } = readRules(formatNft(withNftEchoes(tables, takeTurns(picks))));
        if (ruleset === undefined) return;
        const resolved = resolve(ruleset);
        if (!hasErrors(resolved)) expectTrue(resolved, family, packetSeed, tally);
      }),
      { seed, numRuns: long ? 5000 : 150 },
    );
    expect(tally.shadowed).toBeGreaterThan(100);
    expect(tally.entered).toBeGreaterThan(10_000);
  });
});
