/**
 * The elements of a set or map, indexed once: a hash table for exact keys, sorted intervals for keys of one part, and for concatenated keys with
 * ranges one hash table for each combination of prefix lengths (as partition.ts does for rules; the kernel has bit maps, nft_set_pipapo.c). So a lookup
 * costs the same however many elements there are. The kernel lets no two elements overlap, so at most one is found.
 */
import { type Address, addressWords, compareAddresses, type IPv6 } from "../packet/address.js";
import { maskAddress, prefixMask } from "../packet/prefix.js";
import type { KeyPart, SetElement } from "../ruleset/types.js";
import { holds, keyText, namePattern, singleValue, spanOf, type Value } from "./value.js";

interface Interval<E> {
  readonly first: Address;
  readonly last: Address;
  readonly element: E;
}

/** What counts of one part of a key: all of it, the first `length` bits, or of a name the first `length` letters. */
type Shape = { readonly kind: "exact" } | { readonly kind: "prefix" | "letters"; readonly length: number };

interface Combination<E> {
  readonly shapes: readonly Shape[];
  readonly table: Map<string, E>;
}

/** A part of an element, cut down to a shape. */
interface Piece {
  readonly shape: Shape;
  readonly value: Value;
}

const EXACT: Shape = { kind: "exact" };

export class ElementIndex<E extends SetElement> {
  private readonly exact = new Map<string, E>();
  private readonly intervals: Interval<E>[] = [];
  private readonly combinations = new Map<string, Combination<E>>();

  constructor(readonly elements: readonly E[]) {
    for (const element of elements) this.add(element);
    this.intervals.sort((a, b) => compareAddresses(a.first, b.first));
  }

  /** The element that holds the key; undefined where none does. */
  find(key: readonly Value[]): E | undefined {
    const text = keyText(key);
    const exact = this.exact.get(text);
    if (exact !== undefined) return exact;
    if (this.intervals.length > 0) {
      const found = this.interval(key[0]!);
      if (found !== undefined) return found;
    }
    for (const { shapes, table } of this.combinations.values()) {
      const found = table.get(keyText(shapes.map((shape, i) => cutDown(shape, key[i]!))));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether an element with a range in some part could hold the key, were the parts of it that are `unknown` known. */
  couldHold(key: readonly Value[], unknown: Value): boolean {
    return this.elements.some((element) =>
      element.key.every((part, i) => (key[i] === unknown ? singleValue(part) === undefined : holds(part, key[i]!))),
    );
  }

  private add(element: E): void {
    const values = element.key.map(singleValue);
    if (values.every((value) => value !== undefined)) {
      this.exact.set(keyText(values as readonly Value[]), element);
      return;
    }
    const span = element.key.length === 1 ? spanOf(element.key[0]!) : undefined;
    if (span !== undefined) {
      this.intervals.push({ ...span, element });
      return;
    }
    for (const pieces of product(element.key.map(piecesOf))) {
      const name = pieces.map(({ shape }) => (shape.kind === "exact" ? "*" : `${shape.kind}${shape.length}`)).join();
      let combination = this.combinations.get(name);
      if (combination === undefined) {
        combination = { shapes: pieces.map(({ shape }) => shape), table: new Map() };
        this.combinations.set(name, combination);
      }
      combination.table.set(keyText(pieces.map(({ value }) => value)), element);
    }
  }

  /** Binary search for the last interval that does not begin behind the value. */
  private interval(value: Value): E | undefined {
    if (typeof value === "string") return undefined;
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareAddresses(this.intervals[middle]!.first, value) <= 0) low = middle + 1;
      else high = middle;
    }
    const found = this.intervals[low - 1];
    return found !== undefined && compareAddresses(value, found.last) <= 0 ? found.element : undefined;
  }
}

const indexes = new WeakMap<readonly SetElement[], ElementIndex<SetElement>>();

/** The index of a list of elements, made when it is first asked for; lists of a rule set never change. */
export function indexOf<E extends SetElement>(elements: readonly E[]): ElementIndex<E> {
  let index = indexes.get(elements);
  if (index === undefined) indexes.set(elements, (index = new ElementIndex<SetElement>(elements)));
  return index as ElementIndex<E>;
}

function cutDown(shape: Shape, value: Value): Value {
  if (shape.kind === "exact") return value;
  if (shape.kind === "letters") return typeof value === "string" ? value.slice(0, shape.length) : "";
  if (typeof value === "string") return value;
  return maskAddress(value, prefixMask(typeof value === "number" ? "ip" : "ip6", shape.length));
}

/** A part as pieces of one shape each: a range falls into prefixes, at most twice its bits. */
function piecesOf(part: KeyPart): Piece[] {
  const single = singleValue(part);
  if (single !== undefined) return [{ shape: EXACT, value: single }];
  if (typeof part === "string") {
    const { text } = namePattern(part);
    return [{ shape: { kind: "letters", length: text.length }, value: text }];
  }
  const span = spanOf(part);
  if (span === undefined) throw new RangeError("a set element's mask is no prefix");
  const six = typeof span.first !== "number";
  const bits = six ? 128 : 32;
  const [first, last] = [wide(span.first), wide(span.last)];
  const pieces: Piece[] = [];
  for (let at = first; at <= last;) {
    let size = 0n; // of a prefix that begins here and does not reach behind the end
    while (size < BigInt(bits) && (at & ((2n << size) - 1n)) === 0n && at + (2n << size) - 1n <= last) size++;
    const length = bits - Number(size);
    pieces.push({ shape: length === bits ? EXACT : { kind: "prefix", length }, value: narrow(at, six) });
    at += 1n << size;
  }
  return pieces;
}

function wide(address: Address): bigint {
  return addressWords(address).reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

function narrow(bits: bigint, six: boolean): Address {
  const word = (at: number): number => Number((bits >> BigInt(32 * (3 - at))) & 0xffffffffn);
  return six ? ([word(0), word(1), word(2), word(3)] satisfies IPv6) : word(3);
}

function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((head) => list.map((item) => [...head, item])), [[]]);
}
