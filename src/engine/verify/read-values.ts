/**
 * Expressions of nftables as sets: for which packets the value of one is held by a constant. It says again, in sets, what engine/field.ts and
 * engine/expression.ts say packet by packet. What is drawn is parted into shares, each a bit of its own; what a proof need not know (a hash, the
 * length of the packet, counters) is one unknown bit for each constant it is held against.
 */
import { addressWords } from "../../packet/address.js";
import { ICMP, ICMPV6, TCP } from "../../packet/protocol.js";
import { CtState } from "../../packet/connection.js";
import type { Expression, FieldExpression, KeyPart } from "../../ruleset/types.js";
import { draws, spreadOf } from "../cases.js";
import { sharesBetween } from "../spread.js";
import { holds, singleValue, spanOf, type Value } from "../value.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import { markBit } from "./mark-bits.js";
import type { MatchReader } from "./read-matches.js";
import type { Sight } from "./rows.js";
import { bitAt, type Field, type Space } from "./space.js";

/** Where an expression stands. */
export interface ValuePlace {
  readonly rule: number;
  readonly statement: number;
  /** Draws of the rule that stand before it. */
  readonly draws: number;
  /** Its number among those of the statement. */
  readonly part: number;
}

/** What is known of a value. */
export interface ReadValue {
  /** Packets that have it; the others fail the rule. */
  readonly present: DiagramNode;
  /** Packets for which the walk stops here. */
  readonly refused: DiagramNode;
  /** Packets for which it is bytes that are not modelled. */
  readonly unknown: DiagramNode;
  /** Constants do not part the packets: two may seem to hold the same value. */
  readonly vague: boolean;
  /** Packets whose value a constant holds. */
  readonly holds: (part: KeyPart) => DiagramNode;
}

/** A number as bits, the most significant first. */
interface Bits extends Pick<ReadValue, "present" | "refused" | "unknown"> {
  readonly bits: readonly DiagramNode[];
}

/** A value that is one of a few: by sets of packets. */
interface Few extends Pick<ReadValue, "present" | "refused"> {
  readonly values: readonly { readonly set: DiagramNode; readonly value: Value }[];
}

/** The elements of a map with single values, in sets; undefined where a proof cannot tell them. */
export type MapReader = (expression: Extract<Expression, { kind: "map" }>, place: ValuePlace) => Few | undefined;

const TUPLE_FIELDS: Readonly<Partial<Record<FieldExpression["field"], readonly [Field, "hasOriginal" | "hasReply"]>>> =
  {
    "ct-protocol": ["originalProtocol", "hasOriginal"],
    "ct-original-saddr": ["originalSrc", "hasOriginal"],
    "ct-original-daddr": ["originalDst", "hasOriginal"],
    "ct-original-sport": ["originalSport", "hasOriginal"],
    "ct-original-dport": ["originalDport", "hasOriginal"],
    "ct-reply-saddr": ["replySrc", "hasReply"],
    "ct-reply-daddr": ["replyDst", "hasReply"],
    "ct-reply-sport": ["replySport", "hasReply"],
    "ct-reply-dport": ["replyDport", "hasReply"],
  };

export class ValueReader {
  constructor(
    private readonly space: Space,
    private readonly reader: MatchReader,
    private readonly sight: Sight,
    private readonly readMap: MapReader,
  ) {}

  /** A value, to be held against some constants. */
  read(expression: Expression, constants: readonly KeyPart[], place: ValuePlace): ReadValue {
    const { space } = this;
    if (expression.kind === "field" && (expression.field === "iif" || expression.field === "oif")) {
      const { field } = expression;
      const named = (part: KeyPart): DiagramNode => space.whereName(field, (name) => holds(part, name));
      return { present: ALL, refused: NOTHING, unknown: NOTHING, vague: false, holds: named };
    }
    const few = this.few(expression, constants, place);
    if (few !== undefined)
      return {
        ...few,
        unknown: NOTHING,
        vague: false,
        holds: (part) => space.any(few.values.filter(({ value }) => holds(part, value)).map(({ set }) => set)),
      };
    const read = this.bits(expression, place);
    if (read !== undefined)
      return {
        ...read,
        vague: false,
        holds: (part) => space.diagrams.minus(this.within(read.bits, part), read.unknown),
      };
    const name = `unknown ${place.rule} ${place.statement} ${this.sight.visit} ${place.part}`;
    return {
      present: expression.kind === "hash" && !this.hasAll(expression.inputs, place) ? space.bit(`${name} there`) : ALL,
      refused: expression.kind === "hash" && expression.seed === undefined ? ALL : NOTHING,
      unknown: NOTHING,
      vague: true,
      holds: (part) => space.bit(`${name} ${JSON.stringify(part)}`),
    };
  }

  /** The values an expression can have, where those are few: constants, shares of a draw, data of a map. */
  few(expression: Expression, constants: readonly KeyPart[] | undefined, place: ValuePlace): Few | undefined {
    if (expression.kind === "value") {
      const value = singleValue(expression.value);
      return value === undefined
        ? { present: ALL, refused: ALL, values: [] }
        : { present: ALL, refused: NOTHING, values: [{ set: ALL, value }] };
    }
    if (expression.kind === "map") return this.readMap(expression, place);
    const spread = draws(expression) ? spreadOf(expression) : undefined;
    const cuts = spread && constants && cutsOf(constants);
    if (spread === undefined || cuts === undefined) return undefined;
    const shares = sharesBetween(spread, cuts);
    const last = shares.at(-1)!.draw;
    let left: DiagramNode = ALL;
    const values = shares.map(({ value, draw }, i) => {
      const own =
        i === shares.length - 1
          ? ALL
          : this.space.bit(shareName(place.rule, this.sight.visit, place.draws, draw, last));
      const set = this.space.diagrams.and(left, own);
      left = this.space.diagrams.minus(left, own);
      return { set, value };
    });
    return { present: ALL, refused: NOTHING, values };
  }

  private hasAll(inputs: readonly Expression[], place: ValuePlace): boolean {
    return inputs.every((input) => {
      const read = this.bits(input, place);
      return read !== undefined && read.present === ALL && read.unknown === NOTHING;
    });
  }

  private bits(expression: Expression, place: ValuePlace): Bits | undefined {
    const { diagrams } = this.space;
    if (expression.kind === "field") return this.field(expression, place);
    if (expression.kind !== "bitwise") return undefined;
    const inner = this.bits(expression.of, place);
    if (inner === undefined) return undefined;
    const [mask, xor] = [addressWords(expression.mask), addressWords(expression.xor)];
    // A narrow field is widened: bits of the xor above it are set all the same.
    const width = inner.bits.length <= 32 ? 32 : 128;
    const wide = [...Array<DiagramNode>(width - inner.bits.length).fill(NOTHING), ...inner.bits];
    const bits = wide.map((bit, i) => {
      const kept = ((mask[i >> 5] ?? 0) >>> (31 - (i & 31))) & 1 ? bit : NOTHING;
      return ((xor[i >> 5] ?? 0) >>> (31 - (i & 31))) & 1 ? diagrams.not(kept) : kept;
    });
    const refused = diagrams.or(inner.refused, inner.unknown);
    return { ...inner, bits, refused, unknown: NOTHING };
  }

  private field(expression: FieldExpression, place: ValuePlace): Bits | undefined {
    const { space } = this;
    const { field, family, protocol } = expression;
    const own = family === undefined || family === space.family ? ALL : NOTHING;
    const given = protocol === undefined ? own : space.diagrams.and(own, space.equals("protocol", protocol));
    const read = this.plain(field, place);
    return read && { ...read, present: space.diagrams.and(given, read.present) };
  }

  private plain(field: FieldExpression["field"], place: ValuePlace): Bits | undefined {
    const { space, reader } = this;
    const { diagrams } = space;
    const value = (bits: readonly DiagramNode[], present: DiagramNode = ALL, unknown: DiagramNode = NOTHING): Bits => ({
      bits,
      present,
      refused: NOTHING,
      unknown,
    });
    const tuple = TUPLE_FIELDS[field];
    if (tuple !== undefined) {
      const [of, has] = tuple;
      return value(this.fieldBits(of), diagrams.and(reader.marked, space.equals(has, 1)));
    }
    const whole = space.equals("fragment", 0);
    const icmp = diagrams.or(space.equals("protocol", ICMP), space.equals("protocol", ICMPV6));
    switch (field) {
      case "saddr":
        return value(this.fieldBits("src"));
      case "daddr":
        return value(this.fieldBits("dst"));
      case "protocol":
        return value(this.fieldBits("protocol"));
      case "dport":
        return value(this.fieldBits("dport"), whole, diagrams.not(reader.ported));
      case "sport": {
        const [ports, codes] = [this.fieldBits("sport"), this.fieldBits("dport")];
        const bits = ports.map((bit, i) => diagrams.choose(reader.ported, bit, codes[i]!));
        return value(bits, whole, diagrams.not(diagrams.or(reader.ported, icmp)));
      }
      case "icmp-type":
        return value(this.fieldBits("dport").slice(0, 8), diagrams.and(whole, icmp));
      case "icmp-code":
        return value(this.fieldBits("dport").slice(8), diagrams.and(whole, icmp));
      case "tcp-flags":
        return value(this.fieldBits("tcpFlags"), diagrams.and(whole, space.equals("protocol", TCP)));
      case "nfproto":
        return value(constantBits(space.family === "ip" ? 2 : 10, 8));
      case "mark":
        return value(this.markBits(this.sight.mark));
      case "ctmark":
        return value(this.markBits(this.sight.ctmark), reader.marked);
      case "saddr-type":
      case "daddr-type":
        return value(this.typeBits(field === "saddr-type" ? "src" : "dst"));
      case "ct-state": {
        const states = [CtState.untracked, CtState.established, CtState.related, CtState.new, CtState.invalid];
        return value(states.map((state) => reader.connectionState(state)));
      }
      case "ct-status": {
        // Whether the nat chains were asked for each end (IPS_DST_NAT_DONE, IPS_SRC_NAT_DONE) only the walk knows.
        const done = (end: string): DiagramNode =>
          space.bit(`unknown ${place.rule} ${place.statement} ${this.sight.visit} ${place.part} ${end}`);
        return value([done("destination"), done("source"), NOTHING, ...this.fieldBits("status")], reader.marked);
      }
      case "ct-direction":
        return value(this.fieldBits("reply"), reader.marked);
      default:
        return undefined;
    }
  }

  private fieldBits(field: Field): DiagramNode[] {
    const { at, width } = this.space.placeOf(field);
    return Array.from({ length: width }, (_, i) => this.space.diagrams.node(at + i, NOTHING, ALL));
  }

  private markBits(mark: Sight["mark"]): DiagramNode[] {
    return Array.from({ length: 32 }, (_, bit) => markBit(this.space, mark, bit));
  }

  /** RTN_ numbers as field.ts has them: 0 unspecified, 1 unicast, 2 local, 3 broadcast, 5 multicast. */
  private typeBits(field: "src" | "dst"): DiagramNode[] {
    const { space, reader } = this;
    const { diagrams } = space;
    const local = reader.local(field);
    const other = (set: DiagramNode): DiagramNode => diagrams.minus(set, local);
    const ip = space.family === "ip";
    const multicast = other(
      ip
        ? diagrams.minus(space.masked(field, 0xe0000000, 0xf0000000), space.equals(field, 0xffffffff))
        : space.masked(field, [0xff000000, 0, 0, 0], [0xff000000, 0, 0, 0]),
    );
    const broadcast = ip
      ? other(diagrams.or(space.masked(field, 0, 0xff000000), space.equals(field, 0xffffffff)))
      : NOTHING;
    const unspecified = ip ? NOTHING : other(space.equals(field, [0, 0, 0, 0]));
    return [multicast, diagrams.or(local, broadcast), diagrams.not(diagrams.or(local, unspecified))];
  }

  /** Packets in whose bits a constant of the same kind stands. */
  private within(bits: readonly DiagramNode[], part: KeyPart): DiagramNode {
    if (typeof part === "string") return NOTHING;
    const { diagrams } = this.space;
    const width = bits.length;
    const span = spanOf(part);
    const sample = span?.first ?? ("mask" in part ? part.value : undefined);
    if (sample === undefined || (typeof sample === "number") === width > 32) return NOTHING;
    if (span === undefined) {
      if (!("mask" in part)) return NOTHING;
      const [values, masks] = [addressWords(part.value), addressWords(part.mask)];
      let set: DiagramNode = ALL;
      for (let i = width - 1; i >= 0; i--)
        if (bitAt(masks, width, i) === 1)
          set = diagrams.choose(
            bits[i]!,
            bitAt(values, width, i) ? set : NOTHING,
            bitAt(values, width, i) ? NOTHING : set,
          );
      return set;
    }
    const { first, last } = span;
    if (typeof first === "number" && first >= 2 ** width) return NOTHING;
    const most = typeof last === "number" ? Math.min(last, 2 ** width - 1) : last;
    return diagrams.and(this.bounded(bits, addressWords(first), 1), this.bounded(bits, addressWords(most), 0));
  }

  /** Packets whose bits are at least (`side` 1) or at most (`side` 0) the bound. */
  private bounded(bits: readonly DiagramNode[], bound: readonly number[], side: 0 | 1): DiagramNode {
    const { diagrams } = this.space;
    let set: DiagramNode = ALL;
    for (let i = bits.length - 1; i >= 0; i--) {
      const one = bitAt(bound, bits.length, i) === 1;
      if (side === 1) set = diagrams.choose(bits[i]!, one ? set : ALL, one ? NOTHING : set);
      else set = diagrams.choose(bits[i]!, one ? set : NOTHING, one ? ALL : set);
    }
    return set;
  }
}

/** The name of the bit "this share is drawn, where none of those before it is": with a u32 that draws it, and one that draws the last share. */
export function shareName(rule: number, visit: number, ordinal: number, draw: number, last: number): string {
  return `share ${rule} ${visit} ${ordinal} ${draw} ${last}`;
}

/** How many numbers an expression draws, each time it is evaluated. */
export function drawsIn(expression: Expression): number {
  const all = (list: readonly Expression[]): number => list.reduce((sum, one) => sum + drawsIn(one), 0);
  switch (expression.kind) {
    case "field":
      return expression.field === "random" ? 1 : 0;
    case "numgen":
      return expression.mode === "random" ? 1 : 0;
    case "hash":
      return all(expression.inputs);
    case "bitwise":
      return drawsIn(expression.of);
    case "map":
      return all(expression.key);
    case "value":
      return 0;
  }
}

/** The numbers at which constants begin, and those right behind their ends; undefined where one of them is no range of numbers. */
function cutsOf(constants: readonly KeyPart[]): number[] | undefined {
  const cuts: number[] = [];
  for (const part of constants) {
    const span = spanOf(part);
    if (typeof span?.first !== "number" || typeof span.last !== "number") return undefined;
    cuts.push(span.first, span.last + 1);
  }
  return cuts;
}

function constantBits(value: number, width: number): DiagramNode[] {
  return Array.from({ length: width }, (_, i) => (bitAt([value], width, i) === 1 ? ALL : NOTHING));
}
