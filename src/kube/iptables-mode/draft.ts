import type { Chain, Rule, RuleSet, Table, TableFamily } from "../../ruleset/types.js";
import { builtinBase } from "../../syntax/iptables/builtin.js";

/** The tables kube-proxy writes to, in the order iptables-legacy-save prints them. */
export type TableName = "nat" | "mangle" | "filter";
const TABLES: readonly TableName[] = ["nat", "mangle", "filter"];

const BUILT_IN: Readonly<Record<TableName, readonly string[]>> = {
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

const NO_PACKETS = { packets: 0, bytes: 0 };

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
    const builtIn = BUILT_IN[table];
    const chains = builtIn.map((name): Chain => {
      const base = builtinBase(table, name, "accept")!;
      return { name, base, rules: all.get(name) ?? [], counters: NO_PACKETS };
    });
    const own = [...all.keys()].filter((name) => name.startsWith("KUBE-")).sort();
    for (const name of own) chains.push({ name, rules: all.get(name)!, counters: NO_PACKETS });
    return { family, name: table, chains, sets: [], maps: [] };
  }
}
