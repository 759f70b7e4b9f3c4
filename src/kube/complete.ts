import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule, RuleSet, Table } from "../ruleset/types.js";
import { builtinBase } from "../syntax/iptables/builtin.js";
import { printRule } from "../syntax/iptables/printer.js";
import { type Layout, LAYOUTS } from "./iptables-mode/layout.js";
import {
  firewallRules,
  forwardRules,
  jumpRules,
  markDropRules,
  masqueradeChains,
  nodePortJumps,
} from "./iptables-mode/static-chains.js";

/** A rule set with what was added to it, as lines of iptables: `-N CHAIN` and `-A ...`. */
export interface Completed {
  readonly ruleset: RuleSet;
  readonly added: readonly string[];
}

const DEFAULT_MARK = 0x4000;

/**
 * Adds to bare listings of the nat and filter tables the static chains and jumps kube-proxy always writes and the listing
 * lacks: without the jumps no packet comes to KUBE-SERVICES, without KUBE-MARK-MASQ and KUBE-POSTROUTING none is
 * masqueraded. What stands there already is kept. Chains of single services (KUBE-SVC, SEP, FW, ...) are never made up, and
 * a rule set with whole tables is returned as it is. Layout and mark bit are taken from the rules where they tell.
 */
export function complete(ruleset: RuleSet): Completed {
  const listings = ruleset.tables.filter((table) => table.partial === true);
  const nat = listings.find((table) => table.name === "nat");
  if (nat === undefined) return { ruleset, added: [] };
  const added: string[] = [];
  const layout = guessLayout(nat);
  const bit = maskOf(nat);
  const usesMarkDrop = mentions(nat, "KUBE-MARK-DROP");
  const tables = ruleset.tables.map((table) => {
    if (table === nat) return completeNat(table, layout, bit, usesMarkDrop, added);
    return listings.includes(table) && table.name === "filter" ? completeFilter(table, layout, bit, added) : table;
  });
  if (usesMarkDrop && !tables.some((table) => table.name === "filter")) {
    const empty: Table = { family: nat.family, name: "filter", chains: [], sets: [], maps: [], partial: true };
    tables.push(completeFilter(empty, layout, bit, added));
  }
  return { ruleset: { ...ruleset, tables }, added };
}

/** Two rules an address, or chains that newer versions do not have: the older layout. */
function guessLayout(nat: Table): Layout {
  const services = nat.chains.find((chain) => chain.name === "KUBE-SERVICES");
  const marks = services?.rules.some((one) => jumpOf(one)?.chain === "KUBE-MARK-MASQ") ?? false;
  const old =
    marks ||
    nat.chains.some((chain) => chain.rules.some((one) => /^KUBE-(XLB-|MARK-DROP$)/.test(jumpOf(one)?.chain ?? "")));
  return LAYOUTS[old ? "v1.17" : "v1.30"];
}

/** The masquerade bit, from KUBE-MARK-MASQ or KUBE-POSTROUTING. */
function maskOf(nat: Table): number {
  for (const chain of nat.chains) {
    if (chain.name !== "KUBE-MARK-MASQ" && chain.name !== "KUBE-POSTROUTING") continue;
    for (const { statements } of chain.rules)
      for (const one of statements) {
        if (one.kind === "set-mark" && one.field === "mark" && one.xor !== 0) return one.xor;
        if (one.kind === "mark" && one.field === "mark" && one.value !== 0) return one.value;
      }
  }
  return DEFAULT_MARK;
}

function mentions(table: Table, target: string): boolean {
  return table.chains.some((chain) => chain.rules.some((one) => jumpOf(one)?.chain === target));
}

function completeNat(table: Table, layout: Layout, bit: number, usesMarkDrop: boolean, added: string[]): Table {
  const open = new OpenTable(table, added);
  for (const { name, rules } of masqueradeChains(layout, bit)) open.addChain(name, rules);
  if (usesMarkDrop) open.addChain("KUBE-MARK-DROP", markDropRules());
  open.addChain("KUBE-SERVICES", []);
  open.addChain("KUBE-NODEPORTS", []);
  for (const one of jumpRules(layout, "nat")) open.addJump(one.from, one.to, one.rule);
  const family = table.family === "ip6" ? "ip6" : "ip";
  for (const one of nodePortJumps({ family, localhostNodePorts: true, nodePortAddresses: undefined }))
    open.appendJump("KUBE-SERVICES", "KUBE-NODEPORTS", one);
  return open.finish();
}

function completeFilter(table: Table, layout: Layout, bit: number, added: string[]): Table {
  const open = new OpenTable(table, added);
  const jumps = jumpRules(layout, "filter");
  for (const { to } of jumps) open.addChain(to, staticFilterChain(to, table, layout, bit));
  for (const one of jumps) open.addJump(one.from, one.to, one.rule);
  return open.finish();
}

function staticFilterChain(name: string, table: Table, layout: Layout, bit: number): Rule[] {
  if (name === "KUBE-FORWARD") return forwardRules(layout, bit);
  if (name === "KUBE-FIREWALL") return firewallRules(layout, table.family === "ip6" ? "ip6" : "ip", true);
  return [];
}

/** A table that chains and rules are added to, each addition noted as a line. */
class OpenTable {
  private readonly chains: Map<string, Chain>;

  constructor(
    private readonly table: Table,
    private readonly added: string[],
  ) {
    this.chains = new Map(table.chains.map((chain) => [chain.name, chain]));
  }

  /** A chain with its rules, unless there is one of that name. */
  addChain(name: string, rules: readonly Rule[]): void {
    if (this.chains.has(name)) return;
    this.chains.set(name, { name, rules });
    this.added.push(this.line(`-N ${name}`), ...rules.map((one) => this.line(printRule(one, name))));
  }

  /** A jump from a built-in chain, after those that stand there, unless the chain has one to the same target. */
  addJump(from: string, to: string, one: Rule): void {
    if (!this.chains.has(from))
      this.chains.set(from, { name: from, base: builtinBase(this.table.name, from, "accept")!, rules: [] });
    this.appendJump(from, to, one);
  }

  appendJump(from: string, to: string, one: Rule): void {
    const chain = this.chains.get(from)!;
    if (chain.rules.some((known) => jumpOf(known)?.chain === to)) return;
    this.chains.set(from, { ...chain, rules: [...chain.rules, one] });
    this.added.push(this.line(printRule(one, from)));
  }

  private line(text: string): string {
    return this.table.name === "nat" ? text : `-t ${this.table.name} ${text}`;
  }

  /** Base chains first, as iptables lists them. */
  finish(): Table {
    const chains = [...this.chains.values()];
    return {
      ...this.table,
      chains: [
        ...chains.filter((chain) => chain.base !== undefined),
        ...chains.filter((chain) => chain.base === undefined),
      ],
    };
  }
}
