/**
 * Sets, maps and verdict maps of nftables as flat tables: a hash table for exact keys, or sorted intervals where the key has one part. IPv4, as the
 * columns. Which fields of a packet make the key stands with the table, so that a lookup needs nothing else.
 */
import type { Expression, FieldName, KeyPart, SetElement } from "../../ruleset/types.js";
import { singleValue, spanOf } from "../value.js";

/** Where a part of a key comes from. */
export const Source = {
  src: 0,
  dst: 1,
  protocol: 2,
  sport: 3,
  dport: 4,
  mark: 5,
  state: 6,
  numgen: 7,
  random: 8,
} as const;

/** A part of a key: `(value & mask) ^ xor`. All int32. */
export interface KeyField {
  readonly source: number;
  /** Only packets of this protocol have it; 0: any. */
  readonly protocol: number;
  readonly mask: number;
  readonly xor: number;
  /** Of numgen. */
  readonly mod: number;
  readonly offset: number;
}

/** What a lookup may give besides the value of an element. */
export const NOT_FOUND = -1;

const sources: Partial<Record<FieldName, number>> = {
  saddr: Source.src,
  daddr: Source.dst,
  protocol: Source.protocol,
  sport: Source.sport,
  dport: Source.dport,
  mark: Source.mark,
  "ct-state": Source.state,
  random: Source.random,
};

/** The fields of a key; `never` where no IPv4 packet has one of them, undefined where one is not to be had from the columns. */
export function keyFields(key: readonly Expression[]): readonly KeyField[] | "never" | undefined {
  const fields = key.map(keyField);
  if (fields.includes(undefined)) return undefined;
  return fields.includes("never") ? "never" : (fields as readonly KeyField[]);
}

function keyField(expression: Expression): KeyField | "never" | undefined {
  switch (expression.kind) {
    case "field": {
      const { field, family, protocol } = expression;
      const source = sources[field];
      if (family === "ip6") return "never";
      return source === undefined ? undefined : { ...PLAIN, source, protocol: protocol ?? 0 };
    }
    case "numgen": {
      const { mode, mod, offset } = expression;
      return mode === "random" ? { ...PLAIN, source: Source.numgen, mod, offset } : undefined;
    }
    case "bitwise": {
      const { of, mask, xor } = expression;
      const inner = keyField(of);
      if (typeof mask !== "number" || typeof xor !== "number" || inner === undefined || inner === "never") return inner;
      return { ...inner, mask: inner.mask & mask, xor: (inner.xor & mask) ^ xor };
    }
    default:
      return undefined;
  }
}

const PLAIN = { protocol: 0, mask: -1, xor: 0, mod: 0, offset: 0 } as const;

/** Whether a field draws a random number. */
export function isDrawn({ source }: KeyField): boolean {
  return source === Source.numgen || source === Source.random;
}

export class KeyTable {
  /** The key to look up is written here. */
  readonly key: Int32Array;
  /** Of the interval form: begins, ends and values in ascending order. */
  private readonly first: Uint32Array;
  private readonly last: Uint32Array;
  private readonly spanValues: Int32Array;
  /** Of the hash form: rows of a key and a value; `used` tells which slots are taken. */
  private readonly rows: Int32Array;
  private readonly used: Uint8Array;

  /** Some part of the key is masked. */
  readonly hasMasks: boolean;

  private constructor(
    readonly fields: readonly KeyField[],
    /** A lookup in it counts as one; a comparison does not. */
    readonly counted: boolean,
    readonly exact: readonly { readonly key: readonly number[]; readonly value: number }[],
    spans: readonly { readonly first: number; readonly last: number; readonly value: number }[],
  ) {
    this.key = new Int32Array(fields.length);
    this.hasMasks = fields.some(({ mask, xor }) => mask !== -1 || xor !== 0);
    const sorted = [...spans].sort((a, b) => a.first - b.first);
    this.first = Uint32Array.from(sorted, (span) => span.first);
    this.last = Uint32Array.from(sorted, (span) => span.last);
    this.spanValues = Int32Array.from(sorted, (span) => span.value);
    let slots = 4;
    while (slots < exact.length * 2) slots *= 2;
    const width = fields.length + 1;
    this.rows = new Int32Array(slots * width);
    this.used = new Uint8Array(slots);
    for (const { key, value } of exact) {
      this.key.set(key);
      const slot = this.slot();
      this.used[slot] = 1;
      this.rows.set(this.key, slot * width);
      this.rows[slot * width + fields.length] = value;
    }
  }

  /** The table of some elements with their values; undefined where a key of several parts holds a range, which no flat table has room for. */
  static of<E extends SetElement>(
    fields: readonly KeyField[],
    elements: readonly E[],
    valueOf: (element: E, at: number) => number,
    counted = true,
  ): KeyTable | undefined {
    const exact: { key: number[]; value: number }[] = [];
    const spans: { first: number; last: number; value: number }[] = [];
    for (const [at, element] of elements.entries()) {
      const key = element.key.map(singleValue);
      if (key.every((value) => typeof value === "number")) {
        exact.push({ key, value: valueOf(element, at) });
        continue;
      }
      if (!element.key.every(isOfIPv4)) continue;
      const span = spanOf(element.key[0]!);
      if (element.key.length > 1 || typeof span?.first !== "number" || typeof span.last !== "number") return undefined;
      spans.push({ first: span.first, last: span.last, value: valueOf(element, at) });
    }
    return new KeyTable(fields, counted, exact, spans);
  }

  /** Some element holds more than one value. */
  get hasSpans(): boolean {
    return this.first.length > 0;
  }

  /** The value of the element that holds `key`, NOT_FOUND where none does. */
  find(): number {
    const slot = this.slot();
    if (this.used[slot] === 1) return this.rows[slot * (this.key.length + 1) + this.key.length]!;
    if (this.first.length === 0) return NOT_FOUND;
    const value = this.key[0]! >>> 0;
    let low = 0;
    let high = this.first.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.first[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low > 0 && value <= this.last[low - 1]! ? this.spanValues[low - 1]! : NOT_FOUND;
  }

  /** Where `key` stands, or the free slot where it would. */
  private slot(): number {
    const { key, rows, used } = this;
    const width = key.length + 1;
    const mask = used.length - 1;
    let h = 0x9e3779b9 | 0;
    for (let i = 0; i < key.length; i++) {
      h = Math.imul(h ^ key[i]!, 0x85ebca6b);
      h ^= h >>> 15;
    }
    for (let slot = h & mask; ; slot = (slot + 1) & mask) {
      if (used[slot] === 0) return slot;
      let i = 0;
      while (i < key.length && rows[slot * width + i] === key[i]) i++;
      if (i === key.length) return slot;
    }
  }
}

function isOfIPv4(part: KeyPart): boolean {
  const span = spanOf(part);
  return span === undefined || typeof span.first === "number";
}
