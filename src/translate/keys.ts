import { type Address, type Family, formatAddress } from "../packet/address.js";
import { prefixLength } from "../packet/prefix.js";
import { protocolName } from "../packet/protocol.js";
import { isPure } from "../engine/compile/head.js";
import type { FieldExpression, KeyPart, KeyType, Rule, Statement } from "../ruleset/types.js";

/** The fields of which a rule asks for one value, in the order of the keys of maps. */
type KeyField = "saddr" | "daddr" | "protocol" | "sport" | "dport";
const FIELDS: readonly KeyField[] = ["saddr", "daddr", "protocol", "sport", "dport"];

/** What a rule asks for exactly, and what it does besides. */
export interface ExactRule {
  readonly rule: Rule;
  /** The fields of the key, joined: rules of the same ones go into one map. */
  readonly fields: string;
  /** The key, joined. */
  readonly text: string;
  readonly parts: readonly KeyPart[];
  /** The rule without what the key says. */
  readonly rest: Rule;
}

/** The exact key of a rule; undefined where it has none that is worth a map (neither an address nor a port). */
export function exactRule(rule: Rule, family: Family): ExactRule | undefined {
  const found: Partial<Record<KeyField, Address>> = {};
  const rest: Statement[] = [];
  let pure = true;
  for (const statement of rule.statements) {
    pure &&= isPure(statement);
    if (!pure || !takeIn(found, statement, family)) rest.push(statement);
  }
  const fields = FIELDS.filter((field) => found[field] !== undefined);
  if (fields.every((field) => field === "protocol")) return undefined;
  const parts = fields.map((field): KeyPart => partOf(field, found[field]!, family));
  const text = fields.map((field) => textOf(field, found[field]!)).join("-");
  return { rule, fields: fields.join(" "), text, parts, rest: { ...rule, statements: rest } };
}

/** Notes what a statement asks for; false where the key does not say all of it. */
function takeIn(found: Partial<Record<KeyField, Address>>, statement: Statement, family: Family): boolean {
  const set = (field: KeyField, value: Address): boolean => {
    if (found[field] !== undefined) return String(found[field]) === String(value);
    found[field] = value;
    return true;
  };
  switch (statement.kind) {
    case "address": {
      const host = prefixLength(statement.mask) === (family === "ip" ? 32 : 128);
      return !statement.negate && host && set(statement.field, statement.value);
    }
    case "protocol":
      return !statement.negate && set("protocol", statement.protocol);
    case "transport": {
      const { protocol, sport, dport, flags } = statement;
      if (protocol === null || flags !== undefined || !set("protocol", protocol)) return false;
      const ports = [["sport", sport] as const, ["dport", dport] as const];
      const single = ports.every(
        ([, test]) =>
          test === undefined || (!test.negate && test.ranges.length === 1 && test.ranges[0]![0] === test.ranges[0]![1]),
      );
      return single && ports.every(([field, test]) => test === undefined || set(field, test.ranges[0]![0]));
    }
    default:
      return false;
  }
}

function partOf(field: KeyField, value: Address, family: Family): KeyPart {
  if (field === "saddr" || field === "daddr")
    return { value, mask: family === "ip" ? 0xffffffff : [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff] };
  return [value as number, value as number];
}

function textOf(field: KeyField, value: Address): string {
  if (field === "saddr" || field === "daddr") return formatAddress(value).replaceAll(":", ".");
  return field === "protocol" ? protocolName(value as number) : String(value);
}

/** The expressions a map of these fields is looked up with, and their types. */
export function keyOf(fields: string, family: Family): { key: FieldExpression[]; type: KeyType[] } {
  const all = fields.split(" ") as KeyField[];
  const key = all.map((field): FieldExpression =>
    field === "saddr" || field === "daddr" ? { kind: "field", field, family } : { kind: "field", field },
  );
  const type = all.map((field): KeyType => {
    if (field === "protocol") return "inet_proto";
    return field === "sport" || field === "dport" ? "inet_service" : family === "ip" ? "ipv4_addr" : "ipv6_addr";
  });
  return { key, type };
}
