/**
 * Layout of the rules: their heads as columns of typed arrays, and what remains of each rule as code of a few integers. IPv4
 * only: this is what the fast batches run on. The rows of a chain are consecutive, in the order of its rules; a chain that changes
 * gets other rows, and those of all others stay where they are.
 */
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import { Code, encodeRule, InterfaceTests } from "./encode.js";
import { EncodedTables } from "./encode-tables.js";
import { headOf, type Head } from "./head.js";
import type { Pruned } from "./prune.js";
import { Room, roomFor, widen } from "./room.js";

export class Columns {
  /** Value and mask of the destination of row r at 2r and 2r + 1: interleaved, as a scan reads both. */
  dst = new Uint32Array(0);
  src = new Uint32Array(0);
  /** 0: any. */
  protocol = new Uint8Array(0);
  sportFirst = new Uint16Array(0);
  sportLast = new Uint16Array(0);
  dportFirst = new Uint16Array(0);
  dportLast = new Uint16Array(0);
  /** 1 where the row tests anything but the destination. */
  more = new Uint8Array(0);
  /** Where the code of row r begins. */
  entry = new Int32Array(0);
  /** The id of the rule of row r: it names the rule's draws. */
  ids = new Int32Array(0);
  /** The rule of row r. */
  readonly rules: ResolvedRule[] = [];
  code = new Int32Array(0);
  /** The rows of chain c: from chainStart[c] to before chainEnd[c]; none where no packet gets to the chain. */
  chainStart = new Int32Array(0);
  chainEnd = new Int32Array(0);
  readonly tests = new InterfaceTests();
  readonly tables: EncodedTables;
  /** Counts the times an array was replaced by a wider one: whoever holds arrays must fetch them anew. */
  generation = 0;

  private codeStart = new Int32Array(0);
  private codeEnd = new Int32Array(0);
  private readonly rows = new Room();
  private readonly words = new Room();
  private readonly scratch = new Code();

  constructor(findChain: ResolvedRuleSet["findChain"]) {
    this.tables = new EncodedTables(findChain);
  }

  /** Writes the rows of a chain, in place of those it had. */
  write(chain: ResolvedChain): void {
    this.remove(chain.id);
    const { scratch } = this;
    scratch.length = 0;
    const heads = chain.rules.map(({ rule }) => headOf(rule));
    const entries = chain.rules.map((rule, i) => {
      const entry = scratch.length;
      encodeRule(rule, heads[i]!, scratch, this);
      return entry;
    });
    const first = this.rows.take(heads.length);
    const code = this.words.take(scratch.length);
    this.reserve(chain.id + 1, this.rows.end, this.words.end);
    this.code.set(scratch.words.subarray(0, scratch.length), code);
    heads.forEach((head, i) => {
      this.writeHead(first + i, head);
      this.entry[first + i] = code + entries[i]!;
      this.ids[first + i] = chain.rules[i]!.id;
      this.rules[first + i] = chain.rules[i]!;
    });
    this.chainStart[chain.id] = first;
    this.chainEnd[chain.id] = first + heads.length;
    this.codeStart[chain.id] = code;
    this.codeEnd[chain.id] = code + scratch.length;
  }

  /** Takes away the rows of a chain. */
  remove(chain: number): void {
    if (chain >= this.chainStart.length) return;
    this.rows.give(this.chainStart[chain]!, this.chainEnd[chain]! - this.chainStart[chain]!);
    this.words.give(this.codeStart[chain]!, this.codeEnd[chain]! - this.codeStart[chain]!);
    this.chainStart[chain] = this.chainEnd[chain] = this.codeStart[chain] = this.codeEnd[chain] = 0;
  }

  /** Makes room for so many chains, rows and words of code. */
  reserve(chains: number, rows: number, words: number): void {
    if (chains > this.chainStart.length) {
      const room = this.chainStart.length === 0 ? chains : roomFor(chains);
      for (const name of ["chainStart", "chainEnd", "codeStart", "codeEnd"] as const)
        this[name] = widen(this[name], room);
      this.generation++;
    }
    if (rows > this.entry.length) {
      const room = this.entry.length === 0 ? rows : roomFor(rows);
      for (const name of ["dst", "src"] as const) this[name] = widen(this[name], 2 * room);
      for (const name of ["protocol", "more"] as const) this[name] = widen(this[name], room);
      for (const name of ["sportFirst", "sportLast", "dportFirst", "dportLast"] as const)
        this[name] = widen(this[name], room);
      for (const name of ["entry", "ids"] as const) this[name] = widen(this[name], room);
      this.generation++;
    }
    if (words > this.code.length) {
      this.code = widen(this.code, this.code.length === 0 ? words : roomFor(words));
      this.generation++;
    }
  }

  /** Rows in use. */
  get size(): number {
    return this.chainEnd.reduce((sum, end, chain) => sum + end - this.chainStart[chain]!, 0);
  }

  /** Bytes in use. */
  get bytes(): number {
    let bytes = 0;
    for (let chain = 0; chain < this.chainStart.length; chain++) {
      bytes += (this.chainEnd[chain]! - this.chainStart[chain]!) * ROW_BYTES;
      bytes += (this.codeEnd[chain]! - this.codeStart[chain]!) * this.code.BYTES_PER_ELEMENT;
    }
    return bytes;
  }

  /** Gives back the room behind the last row. */
  trim(): void {
    this.code = this.code.slice(0, this.words.end);
  }

  private writeHead(row: number, head: Head): void {
    const { dst, src } = head;
    const [isDst, isSrc] = [typeof dst?.value === "number", typeof src?.value === "number"];
    this.dst[2 * row] = isDst ? (dst!.value as number) : 0;
    this.dst[2 * row + 1] = isDst ? (dst!.mask as number) : 0;
    this.src[2 * row] = isSrc ? (src!.value as number) : 0;
    this.src[2 * row + 1] = isSrc ? (src!.mask as number) : 0;
    this.protocol[row] = head.protocol;
    [this.sportFirst[row], this.sportLast[row]] = head.sport ?? ANY_PORT;
    [this.dportFirst[row], this.dportLast[row]] = head.dport ?? ANY_PORT;
    this.more[row] = head.src || head.protocol || head.sport || head.dport ? 1 : 0;
  }
}

/** Of all columns of a row, code left out. */
const ROW_BYTES = 34;
const ANY_PORT = [0, 0xffff] as const;
/** Words of code that a rule takes, about. */
const USUAL_CODE = 16;

/** Lays out the rules of a rule set: of all its chains, or of those that packets get to. */
export function layOut(resolved: ResolvedRuleSet, pruned?: Pruned): Columns {
  const columns = new Columns((table, name) => resolved.findChain(table, name));
  const chains = resolved.chains.filter(({ id }) => pruned === undefined || pruned.reached[id] === 1);
  const rows = chains.reduce((sum, chain) => sum + chain.rules.length, 0);
  columns.reserve(resolved.chains.length, rows, rows * USUAL_CODE);
  for (const chain of chains) columns.write(chain);
  columns.trim();
  return columns;
}
