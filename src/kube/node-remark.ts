import { type Address, formatAddress, parseAddress } from "../packet/address.js";
import type { RuleSet } from "../ruleset/types.js";
import type { NodeFacts } from "./configuration.js";

/** What a remark says of the node rules were written for. */
export interface NodeRemark {
  readonly node: string;
  readonly zone?: string;
  readonly addresses: readonly Address[];
}

const MARK = "# chainwalk: ";

/**
 * The rule set with a comment line before its first table that names the node: rules do not, and without it endpoints of the node cannot be
 * told from others when objects are made of the rules again. iptables-restore passes over such lines.
 */
export function remarkNode(ruleset: RuleSet, { name, zone, addresses }: NodeFacts): RuleSet {
  const [first, ...rest] = ruleset.tables;
  if (first === undefined) return ruleset;
  const facts = { node: name, ...(zone === undefined ? {} : { zone }), addresses: addresses.map(formatAddress) };
  const { before = [], after = [] } = first.remarks ?? {};
  const remarks = { before: [`${MARK}${JSON.stringify(facts)}`, ...before], after };
  return { ...ruleset, tables: [{ ...first, remarks }, ...rest] };
}

/** The remark of a rule set that has one. */
export function readNodeRemark(ruleset: RuleSet): NodeRemark | undefined {
  for (const line of ruleset.tables[0]?.remarks?.before ?? []) {
    if (!line.startsWith(MARK)) continue;
    try {
      const { node, zone, addresses } = JSON.parse(line.slice(MARK.length)) as Record<string, unknown>;
      if (typeof node !== "string" || !Array.isArray(addresses)) continue;
      return {
        node,
        ...(typeof zone === "string" ? { zone } : {}),
        addresses: addresses.flatMap((text) => parseAddress(String(text)) ?? []),
      };
    } catch {
      continue;
    }
  }
  return undefined;
}
