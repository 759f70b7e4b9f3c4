/** Changes of a rule set: what one transaction of iptables-restore --noflush says, as data. */
import type { Chain, Rule, RuleSet, Table, TableFamily } from "./types.js";

/** What becomes of one chain. */
export interface ChainChange {
  readonly family: TableFamily;
  readonly table: string;
  readonly name: string;
  /** The chain as it is then, a new one or in place of the old; undefined: it is gone. */
  readonly chain: Chain | undefined;
}

export type Changes = readonly ChainChange[];

/** The rule set after changes. New chains stand behind the others. Changes of a table that is not there are left out. */
export function applyChanges(ruleset: RuleSet, changes: Changes): RuleSet {
  return { ...ruleset, tables: ruleset.tables.map((table) => applyToTable(table, changes)) };
}

function applyToTable(table: Table, changes: Changes): Table {
  const own = changes.filter((change) => change.family === table.family && change.table === table.name);
  if (own.length === 0) return table;
  const chains = new Map(table.chains.map((chain) => [chain.name, chain]));
  for (const { name, chain } of own) {
    if (chain === undefined) chains.delete(name);
    else chains.set(name, chain);
  }
  return { ...table, chains: [...chains.values()] };
}

/**
 * What leads from one rule set to another with the same tables: chains that came, went, or have other rules. Counters and places in a text do
 * not count; a rule that stayed is the old one's object, so that it stays the same rule for whoever knows it.
 */
export function changesBetween(before: RuleSet, after: RuleSet): ChainChange[] {
  return after.tables.flatMap((table) => {
    const old = before.tables.find((one) => one.family === table.family && one.name === table.name);
    const place = { family: table.family, table: table.name };
    const known = new Map(old?.chains.map((chain) => [chain.name, chain]));
    const changes: ChainChange[] = [];
    for (const chain of table.chains) {
      const was = known.get(chain.name);
      known.delete(chain.name);
      if (was !== undefined && sameChain(was, chain)) continue;
      changes.push({ ...place, name: chain.name, chain: was === undefined ? chain : keepRules(was, chain) });
    }
    for (const name of known.keys()) changes.push({ ...place, name, chain: undefined });
    return changes;
  });
}

/** A chain with other rules, those that stay as they were as the same objects. */
export function keepRules(before: Chain, after: Chain): Chain {
  const known = new Map<string, Rule[]>();
  for (const rule of before.rules.toReversed()) {
    const text = textOf(rule);
    const alike = known.get(text);
    if (alike === undefined) known.set(text, [rule]);
    else alike.push(rule);
  }
  return { ...after, rules: after.rules.map((rule) => known.get(textOf(rule))?.pop() ?? rule) };
}

export function sameChain(a: Chain, b: Chain): boolean {
  return (
    JSON.stringify(a.base) === JSON.stringify(b.base) &&
    a.rules.length === b.rules.length &&
    a.rules.every((rule, i) => rule === b.rules[i] || textOf(rule) === textOf(b.rules[i]!))
  );
}

function textOf({ statements, comment }: Rule): string {
  return JSON.stringify([statements, comment]);
}
