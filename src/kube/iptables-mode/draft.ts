import type { TableFamily } from "../../ruleset/types.js";
import type { BaseChain, Chain, Hook, Rule, RuleSet, Table } from "../../ruleset/types.js";

/** The tables kube-proxy writes to, in the order iptables-legacy-save prints them. */
export type TableName = "nat" | "mangle" | "filter";
const TABLES: readonly TableName[] = ["nat", "mangle", "filter"];

const HOOKS: Readonly<Record<TableName, readonly Hook[]>> = {
  nat: ["prerouting", "input", "output", "postrouting"],
  mangle: ["prerouting", "input", "forward", "output", "postrouting"],
  filter: ["input", "forward", "output"],
};

const NO_PACKETS = { packets: 0, bytes: 0 };

/** The base chain of a table at a hook as iptables makes it: named in capitals, its priority that of the table. */
export function baseChain(table: TableName, hook: Hook): { name: string; base: BaseChain } {
  const priority =
    table === "filter" ? 0 : table === "mangle" ? -150 : hook === "prerouting" || hook === "output" ? -100 : 100;
  const type = table === "nat" ? "nat" : table === "mangle" && hook === "output" ? "route" : "filter";
  return { name: hook.toUpperCase(), base: { type, hook, priority, policy: "accept" } };
}

/** A rule set while it is being written: rules are appended by table and chain, and a chain is there from its first mention. */
export class Draft {
  private readonly chains: Record<TableName, Map<string, Rule[]>> = {
    nat: new Map(),
    mangle: new Map(),
    filter: new Map(),
  };

  /** Makes sure that a chain exists; its rules, to append to. */
  chain(table: TableName, name: string): Rule[] {
    const chains = this.chains[table];
    let rules = chains.get(name);
    if (rules === undefined) chains.set(name, (rules = []));
    return rules;
  }

  /** The rule set in the order of iptables-legacy-save: built-in chains by hook, then the others by name. A table nothing was written to is left out. */
  finish(family: TableFamily): RuleSet {
    const written = TABLES.filter((name) => this.chains[name].size > 0);
    return { tables: written.map((name) => this.table(name, family)) };
  }

  private table(table: TableName, family: TableFamily): Table {
    const all = this.chains[table];
    const chains = HOOKS[table].map((hook): Chain => {
      const { name, base } = baseChain(table, hook);
      return { name, base, rules: all.get(name) ?? [], counters: NO_PACKETS };
    });
    const builtin = new Set(chains.map((chain) => chain.name));
    for (const name of [...all.keys()].sort())
      if (!builtin.has(name)) chains.push({ name, rules: all.get(name)!, counters: NO_PACKETS });
    return { family, name: table, chains, sets: [], maps: [] };
  }
}
