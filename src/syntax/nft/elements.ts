/** Elements of sets and maps, in braces: read by the types of their parts, brought into nft's order, printed. */
import { addressWords, compareAddresses, familyOf } from "../../packet/address.js";
import { addressToInteger, integerToAddress, intervalOf, mergeIntervals, prefixOf } from "../../packet/interval.js";
import type { DataElement, KeyPart, MapElement, SetElement } from "../../ruleset/types.js";
import { readComment } from "./comment.js";
import type { DataType } from "./data-types.js";
import type { Lexer } from "./lexer.js";
import { readNumber } from "./expression.js";
import { readVerdict, printVerdict, type SimpleVerdict } from "./statements/verdict.js";
import { formatTime, readTime } from "./time.js";
import { isHost, isMasked, isNumbers, isSpan, markPrefix, printPart, readPart } from "./values.js";

/** What stands after the colon of an element: nothing, a verdict, or values of these types. */
export type ElementValue = "none" | "verdict" | readonly DataType[];
export type AnyElement = SetElement | MapElement | DataElement;

/** `{ a, b, c }`; sets of definitions (`$name`) may stand inside. `spanAt` gives the place of each, where it is wanted. */
export function readElements(
  lexer: Lexer,
  types: readonly DataType[],
  value: ElementValue,
  spanAt?: (offset: number) => SetElement["span"],
): AnyElement[] {
  const elements: AnyElement[] = [];
  lexer.expect("{", "before the elements");
  lexer.skipBreaks();
  while (!lexer.accept("}")) {
    if (lexer.is("{"))
      for (const element of lexer.nested(() => readElements(lexer, types, value, spanAt))) elements.push(element);
    else elements.push(readElement(lexer, types, value, spanAt));
    lexer.skipBreaks();
    if (!lexer.is("}")) lexer.expect(",", 'or "}" after an element');
    lexer.skipBreaks();
  }
  return elements;
}

function readElement(
  lexer: Lexer,
  types: readonly DataType[],
  value: ElementValue,
  spanAt?: (offset: number) => SetElement["span"],
): AnyElement {
  if (lexer.is("*"))
    lexer.fail("catch-all-element", 'the element "*", which catches all others, is not in the language');
  const span = spanAt?.(lexer.start);
  const element: { -readonly [K in keyof SetElement]: SetElement[K] } & { verdict?: SimpleVerdict; data?: KeyPart[] } =
    {
      key: readTuple(lexer, types, "key"),
    };
  for (;;) {
    if (lexer.accept("timeout")) element.timeout = readTime(lexer);
    else if (lexer.accept("expires")) element.expires = readTime(lexer);
    else if (lexer.accept("comment")) element.comment = readComment(lexer);
    else if (lexer.accept("counter")) element.counters = readCounters(lexer);
    else if (lexer.is("limit") || lexer.is("quota") || lexer.is("ct"))
      lexer.fail("stateful-element", `${lexer.describe()} of an element is not in the language: only a counter is`);
    else break;
  }
  if (value !== "none") {
    lexer.expect(":", value === "verdict" ? "and a verdict: this is a map of verdicts" : "and a value: this is a map");
    if (value === "verdict") element.verdict = readVerdict(lexer);
    else element.data = readTuple(lexer, value, "value");
  } else if (lexer.is(":")) lexer.fail("not-a-map", "an element of a set has no value: only those of a map have");
  if (span !== undefined) element.span = span;
  return element as AnyElement;
}

function readTuple(lexer: Lexer, types: readonly DataType[], what: string): KeyPart[] {
  const parts: KeyPart[] = [readPart(lexer, types[0]!, false)];
  while (lexer.is(".")) {
    const type = types[parts.length];
    if (type === undefined) lexer.fail("wrong-parts", `the ${what} has ${types.length} parts here, not more`);
    lexer.next();
    parts.push(readPart(lexer, type, false));
  }
  if (parts.length < types.length)
    lexer.fail(
      "wrong-parts",
      `the ${what} has ${types.length} parts here (${types.map((t) => t.name).join(" . ")}), not ${parts.length}`,
    );
  return parts;
}

function readCounters(lexer: Lexer): { packets: number; bytes: number } {
  if (!lexer.accept("packets")) return { packets: 0, bytes: 0 };
  const packets = readNumber(lexer, "a number of packets", Number.MAX_SAFE_INTEGER);
  lexer.expect("bytes", "after the packets of a counter");
  return { packets, bytes: readNumber(lexer, "a number of bytes", Number.MAX_SAFE_INTEGER) };
}

/** Whether a part is one value, not several. */
function isOne(part: KeyPart): boolean {
  if (typeof part === "string") return !part.endsWith("*") || part.endsWith("\\*");
  if (isNumbers(part)) return part[0] === part[1];
  return isMasked(part) && isHost(part);
}

export function hasIntervals(elements: readonly AnyElement[]): boolean {
  return elements.some((element) => !element.key.every(isOne));
}

/** How a set keeps its elements: a hash (in the order of their bytes), intervals (ascending), or ranges of concatenations (as they came). */
export type Order = "hash" | "interval" | "as-written";

/** The elements as nft lists them: ordered, equal ones once, where `merge` intervals that touch made one. */
export function arrange<E extends AnyElement>(
  elements: readonly E[],
  types: readonly DataType[],
  order: Order,
  merge: boolean,
): E[] {
  if (order === "as-written") return unrepeated(elements.map(aligned));
  if (order === "hash") {
    const compare = (a: E, b: E): number => compareBytes(a.key, b.key, types);
    return isSorted(elements, compare) ? [...elements] : withoutTwins([...elements].sort(compare), compare);
  }
  const compare = (a: E, b: E): number => compareStarts(a.key[0]!, b.key[0]!);
  const sorted = isSorted(elements, compare) ? elements.map(aligned) : [...elements].sort(compare).map(aligned);
  return merge ? merged(sorted) : withoutTwins(sorted, compare);
}

/** Spans of addresses that are prefixes become prefixes. */
function aligned<E extends AnyElement>(element: E): E {
  if (!element.key.some(isSpan)) return element;
  return { ...element, key: element.key.map((part) => (isSpan(part) ? (prefixOfSpan(part) ?? part) : part)) };
}

function prefixOfSpan({
  first,
  last,
}: {
  first: number | readonly number[];
  last: number | readonly number[];
}): KeyPart | undefined {
  return prefixOf(
    { first: addressToInteger(first as number), last: addressToInteger(last as number) },
    familyOf(first as number),
  );
}

function isSorted<E>(elements: readonly E[], compare: (a: E, b: E) => number): boolean {
  for (let i = 1; i < elements.length; i++) if (compare(elements[i - 1]!, elements[i]!) >= 0) return false;
  return true;
}

function withoutTwins<E>(sorted: readonly E[], compare: (a: E, b: E) => number): E[] {
  return sorted.filter((element, i) => i === 0 || compare(sorted[i - 1]!, element) !== 0);
}

function unrepeated<E extends AnyElement>(elements: readonly E[]): E[] {
  const seen = new Set<string>();
  return elements.filter(({ key }) => {
    const text = JSON.stringify(key);
    return !seen.has(text) && seen.add(text);
  });
}

function merged<E extends AnyElement>(sorted: readonly E[]): E[] {
  const first = sorted[0]?.key[0];
  if (first === undefined || typeof first === "string") return [...sorted];
  if (isNumbers(first)) {
    const ranges: [number, number][] = [];
    for (const { key } of sorted) {
      const [low, high] = key[0] as readonly [number, number];
      const top = ranges[ranges.length - 1];
      if (top === undefined || low > top[1] + 1) ranges.push([low, high]);
      else top[1] = Math.max(top[1], high);
    }
    return ranges.length === sorted.length ? [...sorted] : ranges.map((range) => ({ key: [range] }) as unknown as E);
  }
  const family = familyOf(isMasked(first) ? first.value : (first as { first: number }).first);
  const intervals = mergeIntervals(sorted.map(({ key }) => intervalOfPart(key[0]!)));
  if (intervals.length === sorted.length) return [...sorted];
  return intervals.map((interval) => {
    const span = { first: integerToAddress(interval.first, family), last: integerToAddress(interval.last, family) };
    return { key: [prefixOf(interval, family) ?? span] } as unknown as E;
  });
}

function intervalOfPart(part: KeyPart): { first: bigint; last: bigint } {
  if (isMasked(part)) return intervalOf(part);
  const { first, last } = part as { first: number; last: number };
  return { first: addressToInteger(first), last: addressToInteger(last) };
}

/** Whether two neighbours of a sorted list share a value; the later of them. */
export function overlapping<E extends AnyElement>(sorted: readonly E[]): E | undefined {
  return sorted.find((element, i) => i > 0 && startsWithin(element.key[0]!, sorted[i - 1]!.key[0]!));
}

/** The first element of a map whose key stands before it with another value. */
export function contradiction<E extends AnyElement>(elements: readonly E[]): E | undefined {
  const seen = new Map<string, string>();
  return elements.find((element) => {
    const key = JSON.stringify(element.key);
    const value = JSON.stringify("verdict" in element ? element.verdict : (element as DataElement).data);
    const before = seen.get(key);
    seen.set(key, value);
    return before !== undefined && before !== value;
  });
}

function startsWithin(part: KeyPart, before: KeyPart): boolean {
  if (typeof part === "string" || typeof before === "string") return false;
  if (isNumbers(part)) return part[0] <= (before as readonly [number, number])[1];
  return intervalOfPart(part).first <= intervalOfPart(before).last;
}

function compareStarts(a: KeyPart, b: KeyPart): number {
  if (typeof a === "string" || typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  if (isNumbers(a)) return a[0] - (b as readonly [number, number])[0];
  return compareAddresses(
    isMasked(a) ? a.value : (a as { first: number }).first,
    isMasked(b) ? b.value : (b as { first: number }).first,
  );
}

/**
 * The order of nft's list_expr_sort (src/mergesort.c). A single value counts as a number, a name as one with its last character first; the
 * parts of a concatenation as one little-endian number of all bytes.
 */
function compareBytes(a: readonly KeyPart[], b: readonly KeyPart[], types: readonly DataType[]): number {
  if (a.length === 1 && typeof a[0] !== "string") {
    const type = types[0]!;
    return type.bits === undefined ? compareStarts(a[0]!, b[0]!) : lowestBits(a[0]!, b[0]!, type);
  }
  for (let i = a.length - 1; i >= 0; i--) {
    const order = comparePart(a[i]!, b[i]!, types[i]!);
    if (order !== 0) return order;
  }
  return 0;
}

/** Several bits count as their lowest; among those that have the same one, as numbers. */
function lowestBits(a: KeyPart, b: KeyPart, type: DataType): number {
  const order = type.bits!.map(([, bit]) => bit);
  const rank = (part: KeyPart): number =>
    order.findIndex((bit) => ((part as readonly [number, number])[0] & bit) !== 0);
  return rank(a) - rank(b) || (b as readonly [number, number])[0] - (a as readonly [number, number])[0];
}

function comparePart(a: KeyPart, b: KeyPart, type: DataType): number {
  if (typeof a === "string" || typeof b === "string") return compareNames(a as string, b as string);
  if (isNumbers(a)) {
    const [x] = a;
    const [y] = b as readonly [number, number];
    if (type.bits !== undefined) return lowestBits(a, b, type);
    return type.bigEndian ? reverseBytes(x, type.bytes) - reverseBytes(y, type.bytes) : x - y;
  }
  const left = addressWords((a as { value: number }).value);
  const right = addressWords((b as { value: number }).value);
  for (let i = left.length - 1; i >= 0; i--) {
    const order = reverseBytes(left[i]!, 4) - reverseBytes(right[i]!, 4);
    if (order !== 0) return order;
  }
  return 0;
}

function compareNames(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = a.length - 1; i >= 0; i--) {
    const order = a.charCodeAt(i) - b.charCodeAt(i);
    if (order !== 0) return order;
  }
  return 0;
}

function reverseBytes(value: number, bytes: number): number {
  let reversed = 0;
  for (let rest = value, i = 0; i < bytes; i++, rest = Math.floor(rest / 256)) reversed = reversed * 256 + (rest % 256);
  return reversed;
}

/** One element as nft prints it; `interval`: in an interval set, where marks show as prefixes. */
export function printElement(
  element: AnyElement,
  types: readonly DataType[],
  value: ElementValue,
  interval: boolean,
): string {
  let text = element.key.map((part, i) => printKeyPart(part, types[i]!, interval)).join(" . ");
  if (element.counters) text += ` counter packets ${element.counters.packets} bytes ${element.counters.bytes}`;
  if (element.timeout !== undefined) text += ` timeout ${formatTime(element.timeout)}`;
  if (element.expires !== undefined) text += ` expires ${formatTime(element.expires)}`;
  if (element.comment !== undefined) text += ` comment "${element.comment}"`;
  if (value === "verdict") text += ` : ${printVerdict((element as MapElement).verdict as SimpleVerdict)}`;
  else if (value !== "none") text += ` : ${printTuple((element as DataElement).data, value)}`;
  return text;
}

export function printTuple(parts: readonly KeyPart[], types: readonly DataType[]): string {
  return parts.map((part, i) => printPart(part, types[i]!)).join(" . ");
}

function printKeyPart(part: KeyPart, type: DataType, interval: boolean): string {
  if (interval && type.name === "mark" && isNumbers(part)) {
    const length = markPrefix(part[0], part[1]);
    if (length !== undefined) return `${type.formatNumber(part[0])}${length}`;
  }
  return printPart(part, type);
}

/** Elements of an anonymous set or map. */
export function printElements(
  elements: readonly AnyElement[],
  types: readonly DataType[],
  value: ElementValue,
): string {
  const interval = hasIntervals(elements);
  return `{ ${elements.map((element) => printElement(element, types, value, interval)).join(", ")} }`;
}
