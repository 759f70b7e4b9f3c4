import type { LookupMatch, TableFamily } from "../../../ruleset/types.js";
import { printSet, typesOf } from "../anonymous.js";
import { printConcatenation } from "../expression.js";

/** `ip saddr . tcp dport @clients`, `tcp dport != { 80, 443 }`. */
export function printLookup({ key, set, negate }: LookupMatch, family: TableFamily): string {
  const operator = negate ? " !=" : key.length === 1 && key[0]!.kind === "bitwise" ? " ==" : "";
  return `${printConcatenation(key, family)}${operator} ${printSet(set, typesOf(key, family), "none")}`;
}
