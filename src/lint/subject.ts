import type { ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Table } from "../ruleset/types.js";
import { tablesWith } from "../syntax/iptables/builtin.js";
import { frontendsByTable, type PlacedFrontend } from "./services.js";
import { shadowsOf } from "./shadows.js";
import { type ChainTraits, traitsOf } from "./traits.js";

/** What all checks look at: the rules, and what is known of each chain as a whole. Arrays are by chain id. */
export interface Subject {
  readonly resolved: ResolvedRuleSet;
  /** Rules that never match, by id, each with an earlier rule, of its chain or of one that leads to it, that leaves it nothing. */
  readonly shadows: ReadonlyMap<number, ResolvedRule>;
  /** The rules that may lead into each chain, by jump, goto or verdict map. */
  readonly callers: readonly (readonly ResolvedRule[])[];
  /** 1: a packet may come to it from a base chain. */
  readonly reached: Uint8Array;
  readonly traits: readonly ChainTraits[];
  /** The rules that pick packets to services, of each nat table with its filter table. */
  readonly frontends: readonly (readonly PlacedFrontend[])[];
  /** Whether all chains of the table are shown: a bare listing may be a part of one. */
  isWhole(table: Table): boolean;
}

export function subjectOf(resolved: ResolvedRuleSet): Subject {
  const traits = traitsOf(resolved);
  const callers: ResolvedRule[][] = resolved.chains.map(() => []);
  for (const rule of resolved.rules) for (const target of rule.targets) callers[target.id]!.push(rule);
  const whole = new Map(resolved.ruleset.tables.map((table) => [table, isWhole(table)]));
  const shadows = shadowsOf(resolved, { traits, callers, isWhole: ({ table }) => whole.get(table) === true });
  return {
    resolved,
    shadows,
    callers,
    reached: reachedChains(resolved, shadows),
    traits,
    frontends: frontendsByTable(resolved),
    isWhole: (table) => whole.get(table) === true,
  };
}

/** A listing is whole where it declares every built-in chain of its table: those without rules are there only if `-P` lines are. */
function isWhole(table: Table): boolean {
  if (table.partial !== true) return true;
  const shown = new Set(table.chains.map((chain) => chain.name));
  return ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].every(
    (name) => shown.has(name) || !tablesWith(name).includes(table.name),
  );
}

function reachedChains(resolved: ResolvedRuleSet, shadows: ReadonlyMap<number, ResolvedRule>): Uint8Array {
  const reached = new Uint8Array(resolved.chains.length);
  const todo = resolved.chains.filter((chain) => chain.base !== undefined);
  for (const chain of todo) reached[chain.id] = 1;
  for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
    for (const rule of chain.rules) {
      if (shadows.has(rule.id)) continue;
      for (const target of rule.targets) {
        if (reached[target.id] === 1) continue;
        reached[target.id] = 1;
        todo.push(target);
      }
    }
  }
  return reached;
}
