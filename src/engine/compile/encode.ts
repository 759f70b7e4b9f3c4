/** The code of a rule: what its head does not say, as a few integers for each statement. */
import { SCTP, TCP, UDP } from "../../packet/protocol.js";
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { InterfaceTest, Statement } from "../../ruleset/types.js";
import type { EncodedTables } from "./encode-tables.js";
import type { Head } from "./head.js";
import { Op } from "./operations.js";
import { widen } from "./room.js";

/** Code as it is written: a growing Int32Array. */
export class Code {
  words = new Int32Array(1 << 8);
  length = 0;

  push(op: number, a = 0, b = 0, c = 0): void {
    if (this.length + 4 > this.words.length) this.words = widen(this.words, this.words.length * 2);
    this.words[this.length++] = op;
    this.words[this.length++] = a;
    this.words[this.length++] = b;
    this.words[this.length++] = c;
  }
}

/** The interface tests that code refers to by number; equal tests share one. */
export class InterfaceTests {
  readonly rows: InterfaceTest[] = [];
  private readonly numbers = new Map<string, number>();

  /** The number of a test. */
  number({ name, prefix, negate }: InterfaceTest): number {
    const key = `${Number(negate)}${Number(prefix)}${name}`;
    let number = this.numbers.get(key);
    if (number === undefined) this.numbers.set(key, (number = this.rows.push({ name, prefix, negate }) - 1));
    return number;
  }
}

/** What code refers to by number. */
export interface Operands {
  readonly tests: InterfaceTests;
  readonly tables: EncodedTables;
}

/** Adds the code of a rule to `code`. */
export function encodeRule(rule: ResolvedRule, head: Head, code: Code, operands: Operands): void {
  if (rule.chain.table.family === "ip6") return code.push(Op.general);
  const { statements } = rule.rule;
  for (let i = 0; i < statements.length; i++) {
    const written = code.length;
    if (isOfIPv6(statements[i]!)) code.push(Op.constant, 0);
    else if (((head.whole >>> i) & 1) === 0 && !encodeStatement(statements[i]!, rule, head, code, operands)) {
      // What was written of it must not be carried out.
      code.length = written;
      return code.push(Op.general);
    }
  }
  code.push(Op.end);
}

/** In an inet table: no IPv4 packet has such an address, so the rule fails, negated or not. */
function isOfIPv6(s: Statement): boolean {
  return s.kind === "address" ? typeof s.value !== "number" : s.kind === "address-range" && typeof s.first !== "number";
}

/** Writes the code of one statement; false, and nothing written, where there is none for it. */
function encodeStatement(s: Statement, rule: ResolvedRule, head: Head, code: Code, operands: Operands): boolean {
  const { tests, tables } = operands;
  switch (s.kind) {
    case "comment":
    case "log":
    case "counter":
    case "continue":
      return true;
    case "mark":
      if (s.field !== "mark") return false;
      code.push(Op.mark, s.value, s.mask, Number(s.negate));
      return true;
    case "conntrack": {
      const { kind: _kind, module: _module, state, status, ...other } = s;
      const test = state ?? status;
      if (test === undefined || (state !== undefined && status !== undefined) || Object.keys(other).length > 0)
        return false;
      code.push(test === state ? Op.state : Op.status, test.bits, 0, Number(test.negate));
      return true;
    }
    case "address":
      code.push(s.field === "saddr" ? Op.src : Op.dst, s.value as number, s.mask as number, Number(s.negate));
      return true;
    case "protocol":
      code.push(Op.protocol, s.protocol, 0, Number(s.negate));
      return true;
    case "transport":
      return encodeTransport(s, head, code);
    case "interface":
      code.push(s.field === "iif" ? Op.iif : Op.oif, tests.number(s));
      return true;
    case "address-type":
      return encodeAddressType(s, code);
    case "physdev":
      // A packet of a batch has no bridge ports: each test holds only where it is negated (xt_physdev.c).
      code.push(
        Op.constant,
        Number([s.in, s.out, s.isIn, s.isOut, s.isBridged].every((test) => test === undefined || test.negate)),
      );
      return true;
    case "random":
      if (s.threshold >= 2 ** 31) return false;
      code.push(Op.random, s.threshold, 0, Number(s.negate));
      return true;
    case "compare":
      return pushTable(code, Op.inTable, tables.compare(s), Number(s.negate));
    case "lookup":
      return pushTable(code, Op.inTable, tables.lookup(s, rule), Number(s.negate));
    case "verdict-map":
      return pushTable(code, Op.verdictMap, tables.verdictMap(s, rule));
    case "set-mark":
      if (s.field !== "mark") return false;
      code.push(Op.setMark, s.clear, s.xor);
      return true;
    case "dnat": {
      const { addresses, ports } = s.to;
      if (s.mapped !== undefined) return portsGuarded(rule) && pushTable(code, Op.dnatMap, tables.dnat(s, rule));
      if (addresses === undefined) return false;
      // In an inet table: passed over.
      if (typeof addresses[0] !== "number") return true;
      if (addresses[0] !== addresses[1]) return false;
      if (ports !== undefined && (ports[0] !== ports[1] || !portsGuarded(rule))) return false;
      code.push(Op.dnat, addresses[0], ports === undefined ? -1 : ports[0]);
      return true;
    }
    case "masquerade":
      if (s.to.ports !== undefined || s.to.random === true) return false;
      code.push(Op.masquerade, Number(s.to.fullyRandom === true));
      return true;
    case "accept":
      code.push(Op.accept);
      return true;
    case "drop":
      code.push(Op.drop);
      return true;
    case "reject":
      code.push(Op.reject);
      return true;
    case "return":
      code.push(Op.return);
      return true;
    case "jump":
    case "goto":
      if (rule.target === undefined) return false;
      code.push(s.kind === "jump" ? Op.jump : Op.goto, rule.target.id);
      return true;
    default:
      return false;
  }
}

/** Refers to a table; `never`: no IPv4 packet has its key, so the rule fails. False where there is no table. */
function pushTable(code: Code, op: number, table: number | "never" | undefined, negate = 0): boolean {
  if (table === undefined) return false;
  if (table === "never") code.push(Op.constant, 0);
  else code.push(op, table, 0, negate);
  return true;
}

/** A port is set only on packets that have one: the rule must test for such a protocol. */
function portsGuarded(rule: ResolvedRule): boolean {
  return rule.rule.statements.some((s) => s.kind === "protocol" && !s.negate && [TCP, UDP, SCTP].includes(s.protocol));
}

/** Protocol and ports are left to the head, and only TCP flags to the code; a test the head had no room for goes the general way. */
function encodeTransport(s: Extract<Statement, { kind: "transport" }>, head: Head, code: Code): boolean {
  const inHead = (end: "sport" | "dport"): boolean => {
    const test = s[end];
    return test === undefined || (!test.negate && test.ranges.length === 1 && head[end] === test.ranges[0]);
  };
  if (head.protocol !== s.protocol || !inHead("sport") || !inHead("dport")) return false;
  if (s.flags !== undefined) code.push(Op.flags, s.flags.value, s.flags.mask, Number(s.flags.negate));
  return true;
}

function encodeAddressType(s: Extract<Statement, { kind: "address-type" }>, code: Code): boolean {
  if (s.limit !== undefined) return false;
  for (const [test, op] of [
    [s.source, Op.srcLocal],
    [s.destination, Op.dstLocal],
  ] as const) {
    if (test === undefined) continue;
    if (test.types.length !== 1 || test.types[0] !== "LOCAL") return false;
    code.push(op, 0, 0, Number(test.negate));
  }
  return true;
}
