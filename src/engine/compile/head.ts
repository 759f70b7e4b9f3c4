import type { Address } from "../../packet/address.js";
import { hostPrefix } from "../../packet/prefix.js";
import type { Match, Rule, Statement } from "../../ruleset/types.js";

/**
 * The head of a rule: those of its tests that are plain equalities or ranges of header fields, as one conjunction. A packet
 * that fails the head fails the rule, whatever else the rule tests; a packet that passes it is still put to the whole rule.
 */
export interface Head {
  src: { readonly value: Address; readonly mask: Address } | undefined;
  dst: { readonly value: Address; readonly mask: Address } | undefined;
  /** 0: any. */
  protocol: number;
  sport: readonly [first: number, last: number] | undefined;
  dport: readonly [first: number, last: number] | undefined;
  /** Bit i: the head says all that statement i says, so once the head holds it need not be tried. */
  whole: number;
}

/** Matches without state, draws and refusals: they may be tried early, or not at all where the rule fails anyway. */
export function isPure(statement: Statement): statement is Match {
  switch (statement.kind) {
    case "address":
    case "address-range":
    case "interface":
    case "protocol":
    case "fragment":
    case "transport":
    case "multiport":
    case "icmp":
    case "comment":
    case "mark":
    case "conntrack":
    case "physdev":
    case "mac":
      return true;
    case "address-type":
      return statement.limit === undefined;
    default:
      return false;
  }
}

/** Reads the head off the tests before the first statement that is not pure: those behind it must not be tried before it. */
export function headOf(rule: Rule): Head {
  const head: Head = { src: undefined, dst: undefined, protocol: 0, sport: undefined, dport: undefined, whole: 0 };
  for (let i = 0; i < Math.min(rule.statements.length, 31); i++) {
    const statement = rule.statements[i]!;
    if (!isPure(statement)) break;
    if (statement.kind === "comment" || takeIn(head, statement)) head.whole |= 1 << i;
  }
  return head;
}

/** Adds a test to the head where there is room for it; true when the head then says all that the test says. */
function takeIn(head: Head, statement: Statement): boolean {
  switch (statement.kind) {
    case "address": {
      const end = statement.field === "saddr" ? "src" : "dst";
      if (statement.negate || head[end] !== undefined) return false;
      head[end] = statement;
      return true;
    }
    case "protocol":
      return !statement.negate && takeProtocol(head, statement.protocol);
    case "transport": {
      if (statement.protocol === null || !takeProtocol(head, statement.protocol)) return false;
      let complete = statement.flags === undefined;
      for (const end of ["sport", "dport"] as const) {
        const test = statement[end];
        if (test === undefined) continue;
        if (test.negate || test.ranges.length !== 1 || head[end] !== undefined) complete = false;
        else head[end] = test.ranges[0];
      }
      return complete;
    }
    default:
      return false;
  }
}

function takeProtocol(head: Head, protocol: number): boolean {
  if (protocol === 0 || (head.protocol !== 0 && head.protocol !== protocol)) return false;
  head.protocol = protocol;
  return true;
}

/** Whether the range is a single value. */
export function isExact(range: readonly [number, number] | undefined): range is readonly [number, number] {
  return range !== undefined && range[0] === range[1];
}

/** Whether the prefix is one address. */
export function isHost(prefix: Head["dst"]): boolean {
  return prefix !== undefined && String(prefix.mask) === String(hostPrefix(prefix.value).mask);
}
