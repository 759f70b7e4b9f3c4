import type { ResolvedChain, ResolvedRule } from "../ruleset/resolve.js";
import type { TableFamily } from "../ruleset/types.js";
import type { Span } from "../ruleset/values.js";

/** Where a finding lies in the rule set. */
export interface Place {
  readonly family: TableFamily;
  readonly table: string;
  readonly chain: string;
  /** Number of the rule in its chain, from 1; absent where the whole chain is meant. */
  readonly rule?: number;
  /** Where it stands in the text; absent where the rule set was not read from one. */
  readonly span?: Span;
}

export function placeOf(rule: ResolvedRule): Place {
  const { span } = rule.rule;
  return { ...chainPlace(rule.chain), rule: rule.number, ...(span === undefined ? {} : { span }) };
}

/** A chain that no line declares stands where its first rule stands. */
export function chainPlace(chain: ResolvedChain): Place {
  const span = chain.chain.span ?? chain.chain.rules[0]?.span;
  const { family, name: table } = chain.table;
  return { family, table, chain: chain.name, ...(span === undefined ? {} : { span }) };
}
