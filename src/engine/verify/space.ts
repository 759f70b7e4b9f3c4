/**
 * The header space: every field of a packet that rules can tell packets apart by, as bits of decision diagrams. Destination fields
 * come first: rule sets differ most by them, and what comes after is then small for each of them. What a walk decides by lot or
 * by memory is a bit too, of its own name; such bits are added as they are met, behind all others.
 */
import { type Address, addressWords, type Family } from "../../packet/address.js";
import type { PortRange } from "../../ruleset/types.js";
import { ALL, type DiagramNode, type Diagrams, NOTHING } from "./diagrams.js";

/** Bits of the fields that are numbers, in the order of the diagram. Addresses have 32 or 128. */
const WIDTHS = {
  dst: 0,
  protocol: 8,
  dport: 16,
  src: 0,
  sport: 16,
  oif: 0,
  iif: 0,
  mark: 32,
  fragment: 1,
  tcpFlags: 8,
  /** Index into `CONNECTIONS`. */
  connection: 3,
  /** The packet goes the way of the reply. */
  reply: 1,
  /** Bits of CtStatus. */
  status: 6,
  ctmark: 32,
  physIn: 0,
  physOut: 0,
  mac: 0,
  // The tuples of the connection, as a rule sees them: see `ConntrackMatch`. The first two: whether there is one.
  hasOriginal: 1,
  hasReply: 1,
  originalProtocol: 8,
  originalSrc: 0,
  originalDst: 0,
  originalSport: 16,
  originalDport: 16,
  replySrc: 0,
  replyDst: 0,
  replySport: 16,
  replyDport: 16,
} as const;

export type Field = keyof typeof WIDTHS;
export type AddressField = "dst" | "src" | "originalSrc" | "originalDst" | "replySrc" | "replyDst";
export type NameField = "oif" | "iif" | "physIn" | "physOut" | "mac";

const addressFields = new Set<Field>(["dst", "src", "originalSrc", "originalDst", "replySrc", "replyDst"]);

/** What conntrack can say of a packet: not asked yet, the three answers without an entry, and the three with one. */
export const CONNECTIONS = ["none", "invalid", "untracked", "fresh", "new", "established", "related"] as const;
export type ConnectionKind = (typeof CONNECTIONS)[number];

/** Where a field stands in the diagram: levels `at` to `at + width - 1`, the most significant bit first. */
interface Place {
  readonly at: number;
  readonly width: number;
}

export class Space {
  private readonly places = new Map<Field, Place>();
  private readonly named = new Map<string, number>();
  private readonly bitNames: string[] = [];
  private levels = 0;

  /**
   * `names`: the values that fields of names are told apart by, each with one more that no rule names. The empty name is "none".
   */
  constructor(
    readonly diagrams: Diagrams,
    readonly family: Family,
    private readonly names: Readonly<Record<NameField, readonly string[]>>,
  ) {
    const address = family === "ip" ? 32 : 128;
    for (const field of Object.keys(WIDTHS) as Field[]) {
      const width = addressFields.has(field)
        ? address
        : field in names
          ? bitsFor(names[field as NameField].length)
          : WIDTHS[field];
      this.places.set(field, { at: this.levels, width });
      this.levels += width;
    }
  }

  /** Level of the first bit of a field, and how many it has. */
  placeOf(field: Field): Place {
    return this.places.get(field)!;
  }

  /** The names a field of names is told apart by. */
  namesOf(field: NameField): readonly string[] {
    return this.names[field];
  }

  /** The bit of a name of its own: what is decided by lot, memory or assumption. */
  bit(name: string): DiagramNode {
    let level = this.named.get(name);
    if (level === undefined) {
      this.named.set(name, (level = this.levels++));
      this.bitNames.push(name);
    }
    return this.diagrams.node(level, NOTHING, ALL);
  }

  /** The name of a named bit, by its level; undefined for a bit of a field. */
  nameOfBit(level: number): string | undefined {
    return this.bitNames[level - (this.levels - this.bitNames.length)];
  }

  /** The names of named bits in the order in which they were first asked for, without so many of the first. */
  namesOfBits(skip: number): readonly string[] {
    return skip === this.bitNames.length ? [] : this.bitNames.slice(skip);
  }

  /** Packets whose field, under the mask, has the value. */
  masked(field: Field, value: Address, mask: Address): DiagramNode {
    const { at, width } = this.placeOf(field);
    const [values, masks] = [addressWords(value), addressWords(mask)];
    let node: DiagramNode = ALL;
    for (let i = width - 1; i >= 0; i--) {
      if (bitAt(masks, width, i) === 0) {
        if (bitAt(values, width, i) === 1) return NOTHING;
        continue;
      }
      node =
        bitAt(values, width, i) === 1
          ? this.diagrams.node(at + i, NOTHING, node)
          : this.diagrams.node(at + i, node, NOTHING);
    }
    return node;
  }

  equals(field: Field, value: Address): DiagramNode {
    const { width } = this.placeOf(field);
    return this.masked(
      field,
      value,
      typeof value === "number" ? ones(width) : [ones(32), ones(32), ones(32), ones(32)],
    );
  }

  /** Packets whose field is at least `first` and at most `last`. */
  between(field: Field, first: Address, last: Address): DiagramNode {
    return this.diagrams.and(this.bounded(field, first, 1), this.bounded(field, last, 0));
  }

  /** Packets whose field is in one of the ranges. */
  inRanges(field: Field, ranges: readonly PortRange[]): DiagramNode {
    return this.any(ranges.map(([first, last]) => (first > last ? NOTHING : this.between(field, first, last))));
  }

  /** Packets whose field is one of the names for which the test holds. */
  whereName(field: NameField, holds: (name: string) => boolean): DiagramNode {
    return this.any(this.names[field].map((name, i) => (holds(name) ? this.equals(field, i) : NOTHING)));
  }

  connection(...kinds: readonly ConnectionKind[]): DiagramNode {
    return this.any(kinds.map((kind) => this.equals("connection", CONNECTIONS.indexOf(kind))));
  }

  /** A set as it is for packets of which conntrack has said something. */
  assuming(set: DiagramNode, kind: ConnectionKind): DiagramNode {
    const { at, width } = this.places.get("connection")!;
    const bitOf = (level: number): DiagramNode => {
      if (level < at || level >= at + width) return this.diagrams.node(level, NOTHING, ALL);
      return (CONNECTIONS.indexOf(kind) >>> (at + width - 1 - level)) & 1 ? ALL : NOTHING;
    };
    return this.diagrams.compose(set, bitOf, (terminal) => terminal);
  }

  any(sets: readonly DiagramNode[]): DiagramNode {
    return sets.reduce((all, set) => this.diagrams.or(all, set), NOTHING);
  }

  all(sets: readonly DiagramNode[]): DiagramNode {
    return sets.reduceRight((all, set) => this.diagrams.and(set, all), ALL);
  }

  /**
   * Every packet there can be: codes of names and connections that stand for nothing are left out. The first packet of a connection
   * goes its original way, and is itself the original tuple.
   */
  everything(): DiagramNode {
    const names = (Object.keys(this.names) as NameField[]).map((field) => this.whereName(field, () => true));
    const fresh = this.all([this.equals("reply", 0), this.equals("hasOriginal", 1)]);
    const connections = this.diagrams.choose(this.connection("fresh"), fresh, this.connection(...CONNECTIONS));
    return this.all([...names, connections]);
  }

  /** The value of a field in one member of a set; bits that are free are 0. */
  valueIn(bits: ReadonlyMap<number, 0 | 1>, field: Field): Address {
    const { at, width } = this.placeOf(field);
    const words = [0, 0, 0, 0];
    for (let i = 0; i < width; i++) {
      if (bits.get(at + i) === 1) words[i >> 5] = (words[i >> 5]! | (1 << (Math.min(width, 32) - 1 - (i & 31)))) >>> 0;
    }
    return width > 32 ? [words[0]!, words[1]!, words[2]!, words[3]!] : words[0]!;
  }

  /** The bits of fields that are fixed, by level. */
  bitsOf(fields: Readonly<Partial<Record<Field, Address>>>): Map<number, 0 | 1> {
    const bits = new Map<number, 0 | 1>();
    for (const [field, value] of Object.entries(fields) as [Field, Address][]) {
      const { at, width } = this.placeOf(field);
      for (let i = 0; i < width; i++) bits.set(at + i, bitAt(addressWords(value), width, i) as 0 | 1);
    }
    return bits;
  }

  /** Whether a member of a set says anything of a field. */
  saysOf(bits: ReadonlyMap<number, 0 | 1>, field: Field): boolean {
    const { at, width } = this.placeOf(field);
    for (let i = 0; i < width; i++) if (bits.has(at + i)) return true;
    return false;
  }

  /** Packets whose field is at least (`side` 1) or at most (`side` 0) the bound. */
  private bounded(field: Field, bound: Address, side: 0 | 1): DiagramNode {
    const { at, width } = this.placeOf(field);
    const words = addressWords(bound);
    let node: DiagramNode = ALL;
    for (let i = width - 1; i >= 0; i--) {
      const bit = bitAt(words, width, i);
      if (side === 1) node = this.diagrams.node(at + i, bit === 1 ? NOTHING : node, bit === 1 ? node : ALL);
      else node = this.diagrams.node(at + i, bit === 1 ? ALL : node, bit === 1 ? node : NOTHING);
    }
    return node;
  }
}

/** Bit i of a number of `width` bits, the most significant first. */
export function bitAt(words: readonly number[], width: number, i: number): number {
  return (words[i >> 5]! >>> (Math.min(width, 32) - 1 - (i & 31))) & 1;
}

const ones = (width: number): number => (width >= 32 ? 0xffffffff : 2 ** width - 1);

function bitsFor(values: number): number {
  let bits = 0;
  while (2 ** bits < values) bits++;
  return bits;
}
