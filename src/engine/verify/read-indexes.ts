/** Chain indexes as sets: which packets an index leads to each rule, read off its arrays. */
import type { Address } from "../../packet/address.js";
import type { ChainIndex } from "../compile/partition.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import type { Space } from "./space.js";

/** One key of a table of an index, and the rules that have it. */
export interface IndexEntry {
  readonly dst: Masked;
  readonly src: Masked;
  /** Absent: not part of the key. */
  readonly protocol?: number;
  readonly sport?: number;
  readonly dport?: number;
  /** Ascending. */
  readonly rules: readonly number[];
}

interface Masked {
  readonly value: Address;
  readonly mask: Address;
}

/** The arrays of a hash table of an index. */
interface TableArrays {
  readonly width: number;
  readonly slots: Int32Array;
  readonly keys: Uint32Array;
  readonly rules: Int32Array;
  readonly more: Int32Array;
}

interface IndexArrays {
  readonly nextRest: Int32Array;
  readonly words: 1 | 4;
}

/** The rule to go to from each position, for packets that are in no table. */
export function restOf(index: ChainIndex): Int32Array {
  return (index as unknown as IndexArrays).nextRest;
}

/** Every key of every table of an index. */
export function indexEntries(index: ChainIndex): IndexEntry[] {
  const { words } = index as unknown as IndexArrays;
  return index.signatures.flatMap((signature) => {
    const { width, slots, keys, rules, more } = signature.table as unknown as TableArrays;
    const entries: IndexEntry[] = [];
    for (const slot of slots) {
      if (slot === 0) continue;
      const own: number[] = [];
      for (let e = slot - 1; e >= 0; e = more[e]!) own.push(rules[e]!);
      const at = (slot - 1) * width;
      const ports = keys[at + 2 * words + 1]!;
      entries.push({
        dst: { value: addressOf(keys, at, words), mask: addressOf(signature.dstMask, 0, words) },
        src: { value: addressOf(keys, at + words, words), mask: addressOf(signature.srcMask, 0, words) },
        ...(signature.protocol ? { protocol: keys[at + 2 * words]! } : {}),
        ...(signature.sport ? { sport: ports >>> 16 } : {}),
        ...(signature.dport ? { dport: ports & 0xffff } : {}),
        rules: own,
      });
    }
    return entries;
  });
}

function addressOf(words: ArrayLike<number>, at: number, count: 1 | 4): Address {
  return count === 1 ? words[at]! : [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
}

/** Packets with the key of an entry. */
export function entrySet(entry: IndexEntry, space: Space): DiagramNode {
  const { dst, src, protocol, sport, dport } = entry;
  return space.all([
    space.masked("dst", dst.value, dst.mask),
    protocol === undefined ? ALL : space.equals("protocol", protocol),
    dport === undefined ? ALL : space.equals("dport", dport),
    space.masked("src", src.value, src.mask),
    sport === undefined ? ALL : space.equals("sport", sport),
  ]);
}

/**
 * For each rule of an indexed chain the packets that come to it. Where the array of what is in no table is of a piece (each position
 * leads where the one behind it leads, or to itself), a rule is met by the packets of its keys, or by all; else the way of every packet
 * is followed from position to position.
 */
export function visitedSets(index: ChainIndex, space: Space): readonly DiagramNode[] {
  const { diagrams } = space;
  const rest = restOf(index);
  const length = index.chain.rules.length;
  const inTable: DiagramNode[] = Array.from({ length }, () => NOTHING);
  for (const entry of indexEntries(index)) {
    const set = entrySet(entry, space);
    for (const rule of entry.rules) if (rule < length) inTable[rule] = diagrams.or(inTable[rule]!, set);
  }
  const whole = inTable.every((_, i) => rest[i] === i || rest[i] === (rest[i + 1] ?? length));
  if (whole) return inTable.map((set, i) => (rest[i] === i ? ALL : set));

  const visited: DiagramNode[] = Array.from({ length }, () => NOTHING);
  const come: DiagramNode[] = Array.from({ length: length + 1 }, (_, i) => (i === 0 ? ALL : NOTHING));
  const lead = (packets: DiagramNode, to: number): void => {
    if (to >= length) return;
    visited[to] = diagrams.or(visited[to]!, packets);
    come[to + 1] = diagrams.or(come[to + 1]!, packets);
  };
  for (let at = 0; at < length; at++) {
    let packets = come[at]!;
    for (let rule = at; rule < Math.min(rest[at]!, length) && packets !== NOTHING; rule++) {
      lead(diagrams.and(packets, inTable[rule]!), rule);
      packets = diagrams.minus(packets, inTable[rule]!);
    }
    lead(packets, rest[at]!);
  }
  return visited;
}
