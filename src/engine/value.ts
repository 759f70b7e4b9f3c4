/** Values: what expressions of nftables yield, and how constants of rules are held against them. */
import { type Address, compareAddresses, formatAddress, type IPv6 } from "../packet/address.js";
import { contains, hostPrefix, prefixLength } from "../packet/prefix.js";
import { protocolName } from "../packet/protocol.js";
import type { Expression, KeyPart } from "../ruleset/types.js";

/** A number (an IPv4 address too), an IPv6 address, or the name of an interface. */
export type Value = number | IPv6 | string;

/**
 * Bytes of the packet that are not modelled, read where a port would stand (`th dport` of a packet whose protocol has no ports). It equals no
 * single value; a range may or may not hold it, and is refused.
 */
export const UNKNOWN = -1;

/** A key as one string: equal keys give equal strings. */
export function keyText(key: readonly Value[]): string {
  return key.length === 1 ? String(key[0]) : key.join(" ");
}

/** Whether a constant of a rule holds a value. */
export function holds(part: KeyPart, value: Value): boolean {
  if (typeof part === "string") return typeof value === "string" && nameHolds(part, value);
  if (typeof value === "string") return false;
  if ("length" in part) return typeof value === "number" && value >= part[0] && value <= part[1];
  if ("mask" in part) return contains(part, value);
  if (typeof part.first !== typeof value) return false;
  return compareAddresses(value, part.first) >= 0 && compareAddresses(value, part.last) <= 0;
}

function nameHolds(pattern: string, name: string): boolean {
  const { text, isPrefix } = namePattern(pattern);
  return isPrefix ? name.startsWith(text) : name === text;
}

/** The name of an interface as a rule set writes it: a star at its end makes it a beginning, unless a backslash stands before it. */
export function namePattern(pattern: string): { readonly text: string; readonly isPrefix: boolean } {
  if (pattern.endsWith("\\*")) return { text: `${pattern.slice(0, -2)}*`, isPrefix: false };
  return pattern.endsWith("*") ? { text: pattern.slice(0, -1), isPrefix: true } : { text: pattern, isPrefix: false };
}

/** The one value a constant holds; undefined where it holds more. */
export function singleValue(part: KeyPart): Value | undefined {
  if (typeof part === "string") {
    const { text, isPrefix } = namePattern(part);
    return isPrefix ? undefined : text;
  }
  const span = spanOf(part);
  return span !== undefined && compareAddresses(span.first, span.last) === 0 ? span.first : undefined;
}

/** A value as a rule set would write it. */
export function constantOf(value: Value): KeyPart {
  if (typeof value === "string") return value;
  return typeof value === "number" ? [value, value] : hostPrefix(value);
}

/** The values a constant holds as first and last, both included; undefined for names, and for masks that are no prefix. */
export function spanOf(part: KeyPart): { readonly first: Address; readonly last: Address } | undefined {
  if (typeof part === "string") return undefined;
  if ("length" in part) return { first: part[0], last: part[1] };
  if ("first" in part) return part;
  const { value, mask } = part;
  if (prefixLength(mask) < 0) return undefined;
  if (typeof value === "number") return { first: value, last: (value | ~(mask as number)) >>> 0 };
  const last = value.map((word, i) => (word | ~(mask as IPv6)[i]!) >>> 0);
  return { first: value, last: last as unknown as IPv6 };
}

/** A value of an expression in words: `10.0.0.1`, `tcp`, `0x4000`, `80`. */
export function describeValue(expression: Expression, value: Value): string {
  if (typeof value === "string") return value === "" ? "no interface" : value;
  if (typeof value !== "number") return formatAddress(value);
  if (value === UNKNOWN) return "unknown bytes";
  const field = expression.kind === "field" ? expression.field : undefined;
  if (field === undefined) return String(value);
  if (field.endsWith("saddr") || field.endsWith("daddr")) return formatAddress(value);
  if (field.endsWith("protocol")) return protocolName(value);
  return field.endsWith("mark") ? `0x${value.toString(16)}` : String(value);
}

/** A concatenated key in words, as nft writes one. */
export function describeKey(expressions: readonly Expression[], key: readonly Value[]): string {
  return expressions.map((expression, i) => describeValue(expression, key[i]!)).join(" . ");
}
