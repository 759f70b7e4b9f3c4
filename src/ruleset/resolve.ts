import type { Family } from "../packet/address.js";
import { isXtables, Names } from "./names.js";
import { error, type Problem } from "./problem.js";
import type { BaseChain, Chain, Hook, MapDefinition, Rule, RuleSet, SetDefinition, Table, Verdict } from "./types.js";

/** A chain with its place: `id` counts all chains of the rule set in order. */
export interface ResolvedChain {
  readonly id: number;
  readonly table: Table;
  readonly chain: Chain;
  readonly name: string;
  readonly base: BaseChain | undefined;
  readonly rules: readonly ResolvedRule[];
}

/** A rule with its place: `id` counts all rules of the rule set in order, `number` those of its chain from 1. */
export interface ResolvedRule {
  readonly id: number;
  readonly number: number;
  readonly rule: Rule;
  readonly chain: ResolvedChain;
  /** Where its jump or goto leads; undefined where it has none, or where the chain does not exist. */
  readonly target: ResolvedChain | undefined;
  /** Every chain it may lead to: its target, or those of the elements of its verdict map, each once. */
  readonly targets: readonly ResolvedChain[];
}

/** A rule set whose names are references. Made once, shared by every engine. */
export interface ResolvedRuleSet {
  readonly ruleset: RuleSet;
  /** In the order of the text. Their ids count from 0; in a rule set that has changed some are given up (see byId). */
  readonly chains: readonly ResolvedChain[];
  readonly rules: readonly ResolvedRule[];
  /** Errors and warnings found on the way; with an error the rule set must not be run. */
  readonly problems: readonly Problem[];
  /** A chain of a table by name (`findChain(table, name)`). */
  findChain(table: Table, name: string): ResolvedChain | undefined;
  /** A named set of a table. */
  findSet(table: Table, name: string): SetDefinition | undefined;
  /** A named map of a table. */
  findMap(table: Table, name: string): MapDefinition | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Turns names into references, and checks what a kernel would refuse to load: undefined chains, sets and maps, loops of jumps (through
 * verdict maps too), a NAT target outside a nat chain, a chain defined twice. Nothing is thrown: see `problems`.
 */
export function resolve(ruleset: RuleSet): ResolvedRuleSet {
  const problems: Problem[] = [];
  const chains: Writable<ResolvedChain>[] = [];
  const rules: ResolvedRule[] = [];
  const byTable = new Map<Table, Map<string, ResolvedChain>>();

  for (const table of ruleset.tables) {
    const named = new Map<string, ResolvedChain>();
    byTable.set(table, named);
    for (const chain of table.chains) {
      if (named.has(chain.name)) {
        problems.push(
          error("duplicate-chain", `chain ${chain.name} is defined twice in table ${table.name}`, chain.span),
        );
        continue;
      }
      const resolved = { id: chains.length, table, chain, name: chain.name, base: chain.base, rules: [] };
      chains.push(resolved);
      named.set(chain.name, resolved);
    }
  }
  const names = new Names<ResolvedChain>(ruleset.tables, byTable, problems);
  for (const chain of chains) {
    chain.rules = chain.chain.rules.map((rule, i): ResolvedRule => {
      const verdict = jumpOf(rule);
      const target = verdict && names.chain(chain.table, verdict.chain, rule.span);
      const mapped = names.ofRule(chain.table, rule);
      const targets = target === undefined ? mapped : mapped.length === 0 ? [target] : [...mapped, target];
      const resolved = { id: rules.length, number: i + 1, rule, chain, target, targets };
      rules.push(resolved);
      return resolved;
    });
  }
  problems.push(...loops(chains), ...misplacedTranslations(chains));
  return {
    ruleset,
    chains,
    rules,
    problems,
    findChain: (table, name) => byTable.get(table)?.get(name),
    findSet: (table, name) => names.set(table, name),
    findMap: (table, name) => names.map(table, name),
  };
}

/** Chains or rules by their ids, with holes at those that are given up. */
export function byId<T extends { readonly id: number }>(items: readonly T[]): readonly (T | undefined)[] {
  const found: (T | undefined)[] = [];
  for (const item of items) found[item.id] = item;
  return found;
}

/** The jump or goto of a rule, if it has one. */
export function jumpOf(rule: Rule): Extract<Verdict, { kind: "jump" | "goto" }> | undefined {
  const last = rule.statements[rule.statements.length - 1];
  return last?.kind === "jump" || last?.kind === "goto" ? last : undefined;
}

/** Depth-first search with three colours and a stack of its own: chains may nest deeper than the JavaScript stack. */
function loops(chains: readonly ResolvedChain[]): Problem[] {
  const problems: Problem[] = [];
  const colour = new Uint8Array(chains.length); // 0 new, 1 on the path, 2 done
  for (const start of chains) {
    if (colour[start.id] !== 0) continue;
    const path: { chain: ResolvedChain; rule: number; next: number }[] = [{ chain: start, rule: 0, next: 0 }];
    colour[start.id] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const rule = top.chain.rules[top.rule];
      if (rule === undefined) {
        colour[top.chain.id] = 2;
        path.pop();
        continue;
      }
      const target = rule.targets[top.next++];
      if (target === undefined) {
        top.rule++;
        top.next = 0;
      } else if (colour[target.id] === 1) {
        const from = path.findIndex((step) => step.chain === target);
        const names = [...path.slice(from).map((step) => step.chain.name), target.name];
        problems.push(
          error("jump-loop", `the jumps ${names.join(" -> ")} form a loop; the kernel refuses it`, rule.rule.span),
        );
      } else if (colour[target.id] === 0) {
        colour[target.id] = 1;
        path.push({ chain: target, rule: 0, next: 0 });
      }
    }
  }
  return problems;
}

const hookNames: readonly Hook[] = ["prerouting", "input", "forward", "output", "postrouting"];
const hookBit = (hook: Hook): number => 1 << hookNames.indexOf(hook);

/** Hooks in which each translation may stand (checkentry masks in net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c). */
export const translationHooks: ReadonlyMap<string, number> = new Map([
  ["dnat", hookBit("prerouting") | hookBit("output")],
  ["redirect", hookBit("prerouting") | hookBit("output")],
  ["snat", hookBit("postrouting") | hookBit("input")],
  ["masquerade", hookBit("postrouting")],
]);

function misplacedTranslations(chains: readonly ResolvedChain[]): Problem[] {
  const problems: Problem[] = [];
  const reached = reachingHooks(chains);
  // Asked once a table: it looks at all chains of it.
  const xtables = new Set([...new Set(chains.map((chain) => chain.table))].filter(isXtables));
  for (const chain of chains) {
    for (const { rule } of chain.rules) {
      const statement = rule.statements[rule.statements.length - 1];
      const allowed = statement && translationHooks.get(statement.kind);
      if (allowed === undefined) continue;
      const name = statement!.kind.toUpperCase();
      const { base, table } = chain;
      if (base === undefined ? xtables.has(table) && table.name !== "nat" : base.type !== "nat") {
        const where = `${table.name} ${chain.name}`;
        problems.push(
          error("nat-outside-nat", `${name} stands in ${where}: it is only valid in a nat chain`, rule.span),
        );
      } else if ((reached[chain.id]! & ~allowed) !== 0) {
        const wrong = hookNames.find((_, bit) => ((reached[chain.id]! & ~allowed) >>> bit) & 1);
        const right = hookNames.filter((_, bit) => (allowed >>> bit) & 1).join(" and ");
        const message = `${name} in ${chain.name} is reached from ${wrong}: it is only valid from ${right}`;
        problems.push(error("nat-in-wrong-hook", message, rule.span));
      }
    }
  }
  return problems;
}

/** The hooks from which each chain can be reached by jumps, as bits, by chain id. */
export function reachingHooks(chains: readonly ResolvedChain[]): Uint8Array {
  const reached = new Uint8Array(chains.length);
  for (const start of chains) {
    if (start.base === undefined) continue;
    const bit = hookBit(start.base.hook);
    const todo = [start];
    for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
      if ((reached[chain.id]! & bit) !== 0) continue;
      reached[chain.id]! |= bit;
      for (const rule of chain.rules) for (const target of rule.targets) todo.push(target);
    }
  }
  return reached;
}

/** The base chains of a hook that packets of a family see, by priority (stable: equal priorities in order of definition). */
export function baseChains(resolved: ResolvedRuleSet, family: Family, hook: Hook): ResolvedChain[] {
  return resolved.chains
    .filter((c) => c.base?.hook === hook && (c.table.family === family || c.table.family === "inet"))
    .sort((a, b) => a.base!.priority - b.base!.priority);
}
