/** A rule as the rule set it came from spells it: `-A CHAIN ...` as iptables-save prints it, or a line of `nft list ruleset`. */
import type { ResolvedRule } from "../../ruleset/resolve.js";
import { printRule } from "../../syntax/iptables/printer.js";
import { printNftRule } from "../../syntax/nft/printer.js";
import type { RuleFormat } from "../../syntax/read.js";

/** The whole line. */
export function ruleText({ rule, chain }: ResolvedRule, format: RuleFormat): string {
  return isNft(format) ? printNftRule(rule, chain.table.family) : printRule(rule, chain.name);
}

/** What follows the name of the chain. */
export function ruleBody(rule: ResolvedRule, format: RuleFormat): string {
  const text = ruleText(rule, format);
  return isNft(format) ? text : text.slice(`-A ${rule.chain.name} `.length);
}

function isNft(format: RuleFormat): boolean {
  return format === "nft" || format === "nft-json";
}
