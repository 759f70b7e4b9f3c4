/**
 * Layout: the heads of all rules of a rule set as columns of typed arrays, and what remains of each rule as code of a few
 * integers. IPv4 only: this is what the fast batches run on. Rule r of the resolved rule set is row r; the rows of a chain
 * are consecutive.
 */
import { SCTP, TCP, UDP } from "../../packet/protocol.js";
import type { ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { Statement } from "../../ruleset/types.js";
import { headOf, type Head } from "./head.js";

/** Operations of the code. Each takes four integers: operation, a, b, c. Where a test fails, the rule fails. */
export const Op = {
  /** The rule is done; on to the next. */
  end: 0,
  /** What only the readable walk can do: it takes the packet over from its start. */
  general: 1,
  /** (mark & b) === a, negated by c. */
  mark: 2,
  ctmark: 3,
  /** State bits a, negated by c. */
  state: 4,
  /** (src & b) === a, negated by c. */
  src: 5,
  dst: 6,
  /** Protocol a, negated by c. */
  protocol: 7,
  /** Interface test number a (of `interfaceTests`). */
  iif: 8,
  oif: 9,
  /** The address is the node's own, negated by c. */
  srcLocal: 10,
  dstLocal: 11,
  /** (u32 & 0x7fffffff) < a, negated by c. */
  random: 12,
  /** (TCP flags & b) === a, negated by c. */
  flags: 13,
  /** The answer is a. */
  constant: 14,
  /** mark = (mark & ~a) ^ b. */
  setMark: 20,
  /** To address a and port b, -1 for the port as it is. */
  dnat: 21,
  /** a: from any port of the class (--random-fully). */
  masquerade: 22,
  accept: 30,
  drop: 31,
  reject: 32,
  return: 33,
  jump: 34,
  goto: 35,
} as const;

export interface InterfaceRow {
  readonly name: string;
  readonly prefix: boolean;
  readonly negate: boolean;
}

export interface Columns {
  /** Value and mask of the destination of row r at 2r and 2r + 1: interleaved, as a scan reads both. */
  readonly dst: Uint32Array;
  readonly src: Uint32Array;
  /** 0: any. */
  readonly protocol: Uint8Array;
  readonly sportFirst: Uint16Array;
  readonly sportLast: Uint16Array;
  readonly dportFirst: Uint16Array;
  readonly dportLast: Uint16Array;
  /** 1 where the row tests anything but the destination. */
  readonly more: Uint8Array;
  /** Where the code of row r begins. */
  readonly entry: Int32Array;
  readonly code: Int32Array;
  readonly interfaceTests: readonly InterfaceRow[];
  /** First row of each chain, by chain id; the rows end where those of the next chain begin. */
  readonly chainStart: Int32Array;
}

/** Lays out the rules of a rule set. */
export function layOut(resolved: ResolvedRuleSet): Columns {
  const n = resolved.rules.length;
  const columns = {
    dst: new Uint32Array(2 * n),
    src: new Uint32Array(2 * n),
    protocol: new Uint8Array(n),
    sportFirst: new Uint16Array(n),
    sportLast: new Uint16Array(n).fill(0xffff),
    dportFirst: new Uint16Array(n),
    dportLast: new Uint16Array(n).fill(0xffff),
    more: new Uint8Array(n),
    entry: new Int32Array(n),
    interfaceTests: [] as InterfaceRow[],
    chainStart: new Int32Array(resolved.chains.length + 1),
  };
  const code = new Code();
  let row = 0;
  for (const chain of resolved.chains) {
    columns.chainStart[chain.id] = row;
    for (const rule of chain.rules) {
      const head = headOf(rule.rule);
      writeHead(columns, row, head);
      columns.entry[row] = code.length;
      if (chain.table.family === "ip6") code.push(Op.general);
      else encode(rule, head, code, columns.interfaceTests);
      row++;
    }
  }
  columns.chainStart[resolved.chains.length] = row;
  return { ...columns, code: code.finish() };
}

function writeHead(
  columns: Pick<Columns, "dst" | "src" | "protocol" | "sportFirst" | "sportLast" | "dportFirst" | "dportLast" | "more">,
  row: number,
  head: Head,
): void {
  if (typeof head.dst?.value === "number") {
    columns.dst[2 * row] = head.dst.value;
    columns.dst[2 * row + 1] = head.dst.mask as number;
  }
  if (typeof head.src?.value === "number") {
    columns.src[2 * row] = head.src.value;
    columns.src[2 * row + 1] = head.src.mask as number;
  }
  columns.protocol[row] = head.protocol;
  if (head.sport) [columns.sportFirst[row], columns.sportLast[row]] = head.sport;
  if (head.dport) [columns.dportFirst[row], columns.dportLast[row]] = head.dport;
  columns.more[row] = head.src || head.protocol || head.sport || head.dport ? 1 : 0;
}

/** A growing Int32Array. */
class Code {
  private words = new Int32Array(1 << 12);
  length = 0;

  push(op: number, a = 0, b = 0, c = 0): void {
    if (this.length + 4 > this.words.length) {
      const wider = new Int32Array(this.words.length * 2);
      wider.set(this.words);
      this.words = wider;
    }
    this.words[this.length++] = op;
    this.words[this.length++] = a;
    this.words[this.length++] = b;
    this.words[this.length++] = c;
  }

  finish(): Int32Array {
    return this.words.slice(0, this.length);
  }
}

function encode(rule: ResolvedRule, head: Head, code: Code, tests: InterfaceRow[]): void {
  const { statements } = rule.rule;
  for (let i = 0; i < statements.length; i++) {
    if (isOfIPv6(statements[i]!)) code.push(Op.constant, 0);
    else if (((head.whole >>> i) & 1) === 0 && !encodeStatement(statements[i]!, rule, head, code, tests)) {
      code.push(Op.general);
      return;
    }
  }
  code.push(Op.end);
}

/** In an inet table: no IPv4 packet has such an address, so the rule fails, negated or not. */
function isOfIPv6(s: Statement): boolean {
  return s.kind === "address" ? typeof s.value !== "number" : s.kind === "address-range" && typeof s.first !== "number";
}

/** Writes the code of one statement; false where there is none for it. */
function encodeStatement(s: Statement, rule: ResolvedRule, head: Head, code: Code, tests: InterfaceRow[]): boolean {
  switch (s.kind) {
    case "comment":
    case "log":
    case "counter":
    case "continue":
      return true;
    case "mark":
      code.push(s.field === "mark" ? Op.mark : Op.ctmark, s.value, s.mask, Number(s.negate));
      return s.field === "mark";
    case "conntrack": {
      const { kind: _kind, module: _module, state, ...other } = s;
      if (state === undefined || Object.keys(other).length > 0) return false;
      code.push(Op.state, state.bits, 0, Number(state.negate));
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
      code.push(
        s.field === "iif" ? Op.iif : Op.oif,
        tests.push({ name: s.name, prefix: s.prefix, negate: s.negate }) - 1,
      );
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
      code.push(Op.random, s.threshold | 0, 0, Number(s.negate));
      return s.threshold < 2 ** 31;
    case "set-mark":
      code.push(Op.setMark, s.clear, s.xor);
      return s.field === "mark";
    case "dnat": {
      const { addresses, ports } = s.to;
      if (addresses === undefined || typeof addresses[0] !== "number" || addresses[0] !== addresses[1]) return false;
      if (ports !== undefined && (ports[0] !== ports[1] || !portsGuarded(rule))) return false;
      code.push(Op.dnat, addresses[0], ports === undefined ? -1 : ports[0]);
      return true;
    }
    case "masquerade":
      code.push(Op.masquerade, Number(s.to.fullyRandom === true));
      return s.to.ports === undefined && s.to.random !== true;
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
