import { ProblemError } from "../../src/ruleset/problem.js";
import type { Rule, RuleSet, Table } from "../../src/ruleset/types.js";
import { translate, type Translation } from "../../src/translate/translate.js";

/** Where it can be translated, the translation; else why not. */
export function attempt(ruleset: RuleSet, fold: boolean): Translation | string {
  try {
    return translate(ruleset, { fold, withoutBridges: true });
  } catch (thrown) {
    if (thrown instanceof ProblemError) return thrown.message;
    throw thrown;
  }
}

/** The rule set without the rules that have no counterpart, each tried alone. */
export function translatable(ruleset: RuleSet): RuleSet {
  const alone = (table: Table, rule: Rule): Table => ({
    ...table,
    chains: table.chains.map((chain, i) => ({ ...chain, rules: i === 0 ? [rule] : [] })),
  });
  const isRecent = ({ statements }: Rule): boolean => statements.some((one) => one.kind === "recent");
  const tables = ruleset.tables.map((table) => {
    const kept = withoutRules(table, (rule) => typeof attempt({ tables: [alone(table, rule)] }, true) === "string");
    return typeof attempt({ tables: [kept] }, true) === "string" ? withoutRules(kept, isRecent) : kept;
  });
  return typeof attempt({ tables }, true) === "string"
    ? { tables: tables.map((table) => withoutRules(table, isRecent)) }
    : { tables };
}

export function withoutRules(table: Table, drop: (rule: Rule) => boolean): Table {
  return {
    ...table,
    chains: table.chains.map((chain) => ({ ...chain, rules: chain.rules.filter((rule) => !drop(rule)) })),
  };
}
