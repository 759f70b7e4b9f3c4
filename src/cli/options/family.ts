/** Packets of a family that the rules know nothing of are refused: they would pass untouched, which says nothing. */
import type { Family } from "../../packet/address.js";
import type { ResolvedRuleSet } from "../../ruleset/resolve.js";
import { UsageError } from "../failure.js";
import type { LoadedRules } from "./rules.js";

/** Whether packets of the family meet any table. */
export function seesTables(resolved: ResolvedRuleSet, family: Family): boolean {
  const { tables } = resolved.ruleset;
  return tables.length === 0 || tables.some((table) => table.family === family || table.family === "inet");
}

export function describeForeignFamily(family: Family, file: string): string {
  const [own, other] = family === "ip" ? ["IPv4", "IPv6"] : ["IPv6", "IPv4"];
  const from = family === "ip" ? "iptables-save" : "ip6tables-save";
  return `the packet is ${own}, but ${file} holds rules for ${other} only (if they were taken for the wrong family: --from ${from})`;
}

/** Throws UsageError. */
export function refuseForeignFamily({ resolved, source }: LoadedRules, family: Family): void {
  if (!seesTables(resolved, family)) throw new UsageError(describeForeignFamily(family, source.file));
}
