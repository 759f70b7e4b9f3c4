/**
 * Follows what is known of a packet through a base chain and all that it jumps to. It reads the columns, not the rules: flat arrays
 * are read many times faster than objects spread over the heap.
 *
 * A test of what is not known is followed in both directions where it has to be; where the two do not end alike, the destination is left to
 * the walk. The exception is a test of the source by which a packet is marked: tables can hold that.
 */
import { CtState, CtStatus } from "../../../packet/connection.js";
import type { Node } from "../../../packet/node.js";
import type { ResolvedChain } from "../../../ruleset/resolve.js";
import { interfaceHolds } from "../../evaluate.js";
import type { ChainIndex } from "../chain-index.js";
import type { Columns } from "../columns.js";
import { NOT_FOUND, Source } from "../key-table.js";
import { Op } from "../operations.js";
import { EVEN, MOST_BACKENDS } from "../services.js";
import {
  ACCEPT,
  assumedAnswer,
  type Branch,
  CERTAIN,
  type End,
  leave,
  type OpenTest,
  sameEnd,
  sameState,
  sameTest,
  type State,
  TRANSLATED,
} from "./state.js";

/** What the passes before this one made. */
export interface FollowInput {
  readonly columns: Columns;
  readonly indexes: readonly (ChainIndex | undefined)[];
  readonly node: Node;
}

/** A chain that was entered, and the row that comes next. */
interface Frame {
  readonly chain: number;
  row: number;
}

/** Of a lookup: the key has a part that is not known. */
const OPEN = -2;
/** The verdict `continue`, as a table holds it. */
const CONTINUE = Op.constant | (1 << 8);

/** Tests followed in both directions for one destination: each may double the ways. */
const MOST_FORKS = 64;

export class Follower {
  /** The chains entered since `start`, in order. */
  trail: number[] = [];
  private readonly entered: number[] = [];
  private forks = 0;
  private base: ResolvedChain | undefined;

  // What `ask` found besides its answer.
  private threshold = -1;
  private opens: OpenTest[] = [];

  constructor(private readonly input: FollowInput) {}

  /** Begins with another destination. */
  start(): void {
    for (const chain of this.trail) this.entered[chain] = 0;
    this.trail = [];
    this.forks = 0;
  }

  /** Follows a base chain to its end; `state` is then what it has become. */
  followBase(base: ResolvedChain, state: State): End {
    this.base = base;
    const frames: Frame[] = [];
    this.enter(frames, base.id);
    return this.run(frames, state);
  }

  private enter(frames: Frame[], chain: number): void {
    this.entered[chain] = (this.entered[chain] ?? 0) + 1;
    this.trail.push(chain);
    frames.push({ chain, row: this.input.columns.chainStart[chain]! });
  }

  private run(frames: Frame[], state: State): End {
    const { columns, indexes } = this.input;
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const start = columns.chainStart[frame.chain]!;
      const end = columns.chainEnd[frame.chain]!;
      const index = indexes[frame.chain];
      let { row } = frame;
      if (index !== undefined && row < end)
        row = start + index.nextForDestination(row - start, state.dst, state.protocol, state.dport);
      if (row >= end) {
        frames.pop();
        continue;
      }
      frame.row = row + 1;
      const pc = this.ask(row, state);
      if (pc < 0) continue;
      if (this.threshold >= 0) return this.branch(frames, row, state);
      if (this.opens.length === 0 && this.isDrawn(pc)) return this.spread(frames, row, pc, state);
      if (this.opens.length > 0) {
        if (columns.code[pc] === Op.end || this.markIf(pc, state)) continue;
        return this.fork(frames, row, pc, state);
      }
      const ended = this.execute(row, pc, frames, state);
      if (ended !== undefined) return ended;
    }
    return this.base!.base!.policy === "drop" ? { kind: "stopped", verdict: "drop", row: -1 } : ACCEPT;
  }

  /** Goes on without the row and with it. Where both ways end alike, what it tests does not matter. */
  private fork(frames: Frame[], row: number, pc: number, state: State): End {
    if (++this.forks > MOST_FORKS) leave();
    const { opens } = this;
    const before = state.assumed;
    const assume = (holds: boolean): State["assumed"] => [
      ...before,
      ...opens.flatMap((open) => (open.kind === "other" ? [] : [{ open, holds }])),
    ];
    const without: State = { ...state, assumed: opens.length === 1 ? assume(false) : before };
    const end = this.run(
      frames.map((frame) => ({ ...frame })),
      without,
    );
    state.assumed = assume(true);
    const other = this.execute(row, pc, frames, state) ?? this.run(frames, state);
    if (!sameEnd(end, other) || !sameState(without, state)) leave();
    // The base chain is at its end both ways: what was assumed on one of them is not known of the packet in the next chain.
    state.assumed = before;
    return other;
  }

  /**
   * Asks the tests of a row: -1 where one is false, else where in the code its actions begin. Leaves in `threshold` that of a
   * random test (else -1), and in `opens` what depends on more than is known.
   */
  private ask(row: number, state: State): number {
    const { columns, node } = this.input;
    this.threshold = -1;
    if (this.opens.length > 0) this.opens = [];
    if (((state.dst ^ columns.dst[2 * row]!) & columns.dst[2 * row + 1]!) !== 0) return -1;
    if (columns.more[row] === 1) {
      if (columns.protocol[row] !== 0 && columns.protocol[row] !== state.protocol) return -1;
      if (state.dport < columns.dportFirst[row]! || state.dport > columns.dportLast[row]!) return -1;
      if (columns.sportFirst[row] !== 0 || columns.sportLast[row] !== 0xffff) this.opens.push({ kind: "other" });
      const mask = columns.src[2 * row + 1]! | 0;
      const test = { value: columns.src[2 * row]! | 0, mask, negate: false };
      if (mask !== 0 && !this.mayHold({ kind: "src", test }, state)) return -1;
    }
    const { code } = columns;
    for (let pc = columns.entry[row]!; ; pc += 4) {
      const a = code[pc + 1]!;
      const b = code[pc + 2]!;
      const negate = code[pc + 3] === 1;
      let answer: boolean;
      switch (code[pc]) {
        case Op.mark:
          if (state.marking >= 0) leave();
          answer = ((state.mark & b) === a) !== negate;
          break;
        case Op.state:
          answer = ((a & stateBits(state)) !== 0) !== negate;
          break;
        case Op.dst:
          answer = ((state.dst & b) === a) !== negate;
          break;
        case Op.protocol:
          answer = (state.protocol === a) !== negate;
          break;
        case Op.oif:
          answer = interfaceHolds(columns.tests.rows[a]!, state.oif);
          break;
        case Op.dstLocal:
          answer = node.isLocal(state.dst >>> 0) !== negate;
          break;
        case Op.constant:
          answer = a === 1;
          break;
        case Op.random:
          if (negate || this.threshold >= 0) leave();
          this.threshold = a;
          continue;
        case Op.src:
          answer = this.mayHold({ kind: "src", test: { value: a, mask: b, negate } }, state);
          break;
        case Op.iif:
          answer = this.mayHold({ kind: "iif", test: columns.tests.rows[a]! }, state);
          break;
        case Op.status:
          answer = state.tracked && ((state.status & a) !== 0) !== negate;
          break;
        case Op.inTable: {
          const found = this.lookUp(a, state);
          if (found === OPEN) {
            this.opens.push({ kind: "other" });
            continue;
          }
          answer = found >= 0 !== negate;
          break;
        }
        case Op.srcLocal:
        case Op.flags:
          this.opens.push({ kind: "other" });
          continue;
        default:
          return pc;
      }
      if (!answer) return -1;
    }
  }

  /** False where what is assumed says that the test fails; adds it to `opens` where nothing is said of it. */
  private mayHold(open: Exclude<OpenTest, { kind: "other" }>, state: State): boolean {
    const answer = assumedAnswer(state, open);
    if (answer === undefined) this.opens.push(open);
    return answer !== false;
  }

  /** A row all of which is to mark the packet by one test of its source: adds the test. False for other rows. */
  private markIf(pc: number, state: State): boolean {
    const { code } = this.input.columns;
    const [open, more] = this.opens;
    const marking = this.markingOf(pc);
    if (marking < 0 || open?.kind !== "src" || more !== undefined) return false;
    const { test } = open;
    const once = this.changeMark(marking, state.mark);
    if (this.changeMark(marking, once) !== once) return false;
    const known = state.marking;
    if (known >= 0 && (code[known + 1] !== code[marking + 1] || code[known + 2] !== code[marking + 2])) return false;
    state.marking = marking;
    if (!state.tests.some((one) => sameTest(one, test))) state.tests = [...state.tests, test];
    return true;
  }

  /** Where the one thing the code does is to set the mark, by itself or through a chain of one row that does: that operation, else -1. */
  private markingOf(pc: number): number {
    const { code, chainStart, chainEnd, entry, more, dst } = this.input.columns;
    if (code[pc] === Op.setMark) return code[pc + 4] === Op.end ? pc : -1;
    if (code[pc] !== Op.jump) return -1;
    const chain = code[pc + 1]!;
    const row = chainStart[chain]!;
    if (chainEnd[chain] !== row + 1 || more[row] === 1 || dst[2 * row + 1] !== 0) return -1;
    // Not entered, but what it says counts.
    this.trail.push(chain);
    return code[entry[row]!] === Op.setMark ? this.markingOf(entry[row]!) : -1;
  }

  /** The mark after the setMark operation at `pc`. */
  changeMark(pc: number, mark: number): number {
    const { code } = this.input.columns;
    return (mark & ~code[pc + 1]!) ^ code[pc + 2]!;
  }

  /** Carries out the actions of a row; undefined where the packet goes on in the chain on top of `frames`. */
  private execute(row: number, from: number, frames: Frame[], state: State): End | undefined {
    const { code } = this.input.columns;
    for (let pc = from; ; pc += 4) {
      const op = code[pc]!;
      const a = code[pc + 1]!;
      if (op === Op.end) return undefined;
      if (op === Op.setMark) {
        if (state.marking >= 0) leave();
        state.mark = this.changeMark(pc, state.mark);
      } else if (op === Op.verdictMap) {
        const found = this.lookUp(a, state);
        if (found === OPEN) leave();
        if (found < 0) return undefined;
        if (found !== CONTINUE) return this.decide(found & 0xff, found >>> 8, row, frames);
      } else if (op === Op.dnatMap) {
        const found = this.lookUp(a, state);
        if (found === OPEN) leave();
        return found < 0 ? undefined : this.translateByMap(found, state);
      } else if (op === Op.dnat) return translate(a, code[pc + 2]!, state);
      else if (op === Op.masquerade) {
        state.masquerade = true;
        state.fullyRandom = a === 1;
        return TRANSLATED;
      } else return this.decide(op, a, row, frames);
    }
  }

  /** Carries out a verdict. */
  private decide(op: number, chain: number, row: number, frames: Frame[]): End | undefined {
    switch (op) {
      case Op.accept:
        return ACCEPT;
      case Op.drop:
        return { kind: "stopped", verdict: "drop", row };
      case Op.reject:
        return { kind: "stopped", verdict: "reject", row };
      case Op.return:
        frames.pop();
        return undefined;
      case Op.jump:
        this.enter(frames, chain);
        return undefined;
      case Op.goto:
        frames.pop();
        this.enter(frames, chain);
        return undefined;
      default:
        return leave();
    }
  }

  private translateByMap(found: number, state: State): End {
    const { destinations } = this.input.columns.tables;
    return translate(destinations[2 * found]!, destinations[2 * found + 1]!, state);
  }

  /** What a table holds for the packet; OPEN where its key has a part that is not known. */
  private lookUp(number: number, state: State): number {
    const table = this.input.columns.tables.rows[number]!;
    for (const [i, { source, protocol, mask, xor, mod, offset }] of table.fields.entries()) {
      if (protocol !== 0 && protocol !== state.protocol) return NOT_FOUND;
      let value: number;
      if (source === Source.dst) value = state.dst;
      else if (source === Source.dport) value = state.dport;
      else if (source === Source.protocol) value = state.protocol;
      else if (source === Source.state) value = state.tracked ? CtState.new : CtState.invalid;
      else if (source === Source.mark && state.marking < 0) value = state.mark;
      else if (source === Source.numgen && mod === 1) value = offset;
      else return source === Source.mark ? leave() : OPEN;
      table.key[i] = (value & mask) ^ xor;
    }
    return table.find();
  }

  /** Whether the operation is a map of one number drawn by numgen. */
  private isDrawn(pc: number): boolean {
    const { code, tables } = this.input.columns;
    if (code[pc] !== Op.verdictMap && code[pc] !== Op.dnatMap) return false;
    const [field, more] = tables.rows[code[pc + 1]!]!.fields;
    return field?.source === Source.numgen && field.mod > 1 && more === undefined;
  }

  /** A map over the values of numgen, each of which leads to a backend of its own. */
  private spread(frames: readonly Frame[], row: number, pc: number, state: State): End {
    const { columns } = this.input;
    const { chain } = frames.at(-1)!;
    if (this.entered[chain] !== 1) leave(); // a second visit draws by another name
    const table = columns.tables.rows[columns.code[pc + 1]!]!;
    const { mod, offset, mask, xor } = table.fields[0]!;
    if (mod > MOST_BACKENDS) leave();
    const branches: Branch[] = [];
    for (let k = 0; k < mod; k++) {
      table.key[0] = ((k + offset) & mask) ^ xor;
      const found = table.find();
      if (found < 0) leave();
      const own: State = { ...state };
      const stack = frames.map((frame) => ({ ...frame }));
      const ended =
        columns.code[pc] === Op.dnatMap
          ? this.translateByMap(found, own)
          : (this.decide(found & 0xff, found >>> 8, row, stack) ?? this.run(stack, own));
      if (ended.kind !== "translated") leave();
      branches.push({ threshold: EVEN, pick: k === 0 ? columns.rules[row] : undefined, state: own });
    }
    if (new Set(branches.map(({ state: { dst, dport } }) => `${dst} ${dport}`)).size < mod) leave();
    return { kind: "picked", branches, chain: columns.rules[row]!.chain };
  }

  /** A tail of rows that draw, each leading to a backend, and a last one that does not draw. */
  private branch(frames: readonly Frame[], from: number, state: State): End {
    const { columns } = this.input;
    const { chain } = frames.at(-1)!;
    if (this.entered[chain] !== 1) leave(); // a second visit draws by other names
    const branches: Branch[] = [];
    for (let row = from; row < columns.chainEnd[chain]!; row++) {
      const pc = this.ask(row, state);
      const { threshold } = this;
      if (pc < 0 || threshold === 0) continue;
      if (this.opens.length > 0) leave();
      const own: State = { ...state };
      const stack = frames.map((frame) => ({ ...frame }));
      stack.at(-1)!.row = row + 1;
      const ended = this.execute(row, pc, stack, own) ?? this.run(stack, own);
      if (ended.kind !== "translated") leave();
      const certain = threshold < 0;
      const pick = certain ? undefined : columns.rules[row]!;
      branches.push({ threshold: certain ? CERTAIN : threshold, pick, state: own });
      if (certain) return { kind: "picked", branches, chain: columns.rules[from]!.chain };
    }
    return leave();
  }
}

function translate(address: number, port: number, state: State): End {
  const to = port < 0 ? state.dport : port;
  if (address !== state.dst || to !== state.dport) state.status |= CtStatus.dnat;
  state.dst = address;
  state.dport = to;
  return TRANSLATED;
}

function stateBits(state: State): number {
  return state.tracked ? CtState.new | (state.status & CtStatus.dnat ? CtState.dnat : 0) : CtState.invalid;
}
