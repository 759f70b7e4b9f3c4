import type { Family } from "../packet/address.js";
import { error, type Problem, warning } from "./problem.js";
import type { BaseChain, Chain, Hook, Rule, RuleSet, Table, Verdict } from "./types.js";

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
}

/** A rule set whose names are references. Made once, shared by every engine. */
export interface ResolvedRuleSet {
  readonly ruleset: RuleSet;
  readonly chains: readonly ResolvedChain[];
  readonly rules: readonly ResolvedRule[];
  /** Errors and warnings found on the way; with an error the rule set must not be run. */
  readonly problems: readonly Problem[];
  /** A chain of a table by name (`findChain(table, name)`). */
  findChain(table: Table, name: string): ResolvedChain | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Turns names into references, and checks what a kernel would refuse to load: undefined chains, loops of jumps,
 * a NAT target outside a nat chain, a chain defined twice. Nothing is thrown: see `problems`.
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
  for (const chain of chains) {
    chain.rules = chain.chain.rules.map((rule, i): ResolvedRule => {
      const verdict = jumpOf(rule);
      let target: ResolvedChain | undefined;
      if (verdict !== undefined) {
        target = byTable.get(chain.table)!.get(verdict.chain);
        if (target === undefined) problems.push(undefinedChain(chain.table, verdict.chain, rule));
        else if (target.base !== undefined)
          problems.push(
            error("jump-to-base-chain", `${verdict.chain} is a base chain: a rule cannot jump to it`, rule.span),
          );
      }
      const resolved = { id: rules.length, number: i + 1, rule, chain, target };
      rules.push(resolved);
      return resolved;
    });
  }
  problems.push(...loops(chains), ...misplacedTranslations(chains));
  return { ruleset, chains, rules, problems, findChain: (table, name) => byTable.get(table)?.get(name) };
}

/** The jump or goto of a rule, if it has one. */
export function jumpOf(rule: Rule): Extract<Verdict, { kind: "jump" | "goto" }> | undefined {
  const last = rule.statements[rule.statements.length - 1];
  return last?.kind === "jump" || last?.kind === "goto" ? last : undefined;
}

function undefinedChain(table: Table, name: string, rule: Rule): Problem {
  const message = `chain ${name} is not defined in table ${table.name}`;
  return table.partial === true
    ? warning("undefined-chain", `${message}; a walk that reaches this rule stops here`, rule.span)
    : error("undefined-chain", `${message}; define it with a ":${name} - [0:0]" line`, rule.span);
}

/** Depth-first search with three colours and a stack of its own: chains may nest deeper than the JavaScript stack. */
function loops(chains: readonly ResolvedChain[]): Problem[] {
  const problems: Problem[] = [];
  const colour = new Uint8Array(chains.length); // 0 new, 1 on the path, 2 done
  for (const start of chains) {
    if (colour[start.id] !== 0) continue;
    const path: { chain: ResolvedChain; next: number }[] = [{ chain: start, next: 0 }];
    colour[start.id] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const rule = top.chain.rules[top.next++];
      if (rule === undefined) {
        colour[top.chain.id] = 2;
        path.pop();
      } else if (rule.target !== undefined) {
        if (colour[rule.target.id] === 1) {
          const from = path.findIndex((step) => step.chain === rule.target);
          const names = [...path.slice(from).map((step) => step.chain.name), rule.target.name];
          problems.push(
            error("jump-loop", `the jumps ${names.join(" -> ")} form a loop; the kernel refuses it`, rule.rule.span),
          );
        } else if (colour[rule.target.id] === 0) {
          colour[rule.target.id] = 1;
          path.push({ chain: rule.target, next: 0 });
        }
      }
    }
  }
  return problems;
}

const hookNames: readonly Hook[] = ["prerouting", "input", "forward", "output", "postrouting"];
const hookBit = (hook: Hook): number => 1 << hookNames.indexOf(hook);

/** Hooks in which each translation may stand (checkentry masks in net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c). */
const translationHooks: ReadonlyMap<string, number> = new Map([
  ["dnat", hookBit("prerouting") | hookBit("output")],
  ["redirect", hookBit("prerouting") | hookBit("output")],
  ["snat", hookBit("postrouting") | hookBit("input")],
  ["masquerade", hookBit("postrouting")],
]);

function misplacedTranslations(chains: readonly ResolvedChain[]): Problem[] {
  const problems: Problem[] = [];
  const reached = reachingHooks(chains);
  for (const chain of chains) {
    for (const { rule } of chain.rules) {
      const statement = rule.statements[rule.statements.length - 1];
      const allowed = statement && translationHooks.get(statement.kind);
      if (allowed === undefined) continue;
      const name = statement!.kind.toUpperCase();
      const { base, table } = chain;
      if (base === undefined ? isXtables(table) && table.name !== "nat" : base.type !== "nat") {
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

function isXtables(table: Table): boolean {
  return ["raw", "mangle", "nat", "filter", "security"].includes(table.name);
}

/** The hooks from which each chain can be reached by jumps, as bits, by chain id. */
function reachingHooks(chains: readonly ResolvedChain[]): Uint8Array {
  const reached = new Uint8Array(chains.length);
  for (const start of chains) {
    if (start.base === undefined) continue;
    const bit = hookBit(start.base.hook);
    const todo = [start];
    for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
      if ((reached[chain.id]! & bit) !== 0) continue;
      reached[chain.id]! |= bit;
      for (const rule of chain.rules) if (rule.target !== undefined) todo.push(rule.target);
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
