/** Constants: one value, a range, a prefix, a list of bits; read by the data type of what they are compared with, and printed. */
import { type Address, compareAddresses, formatAddress } from "../../packet/address.js";
import { maskAddress, type MaskedAddress, prefixLength, prefixMask } from "../../packet/prefix.js";
import type { AddressSpan, KeyPart } from "../../ruleset/types.js";
import { parseNumber } from "../iptables/values.js";
import type { DataType } from "./data-types.js";
import { ctStates, kernelStateBits, type Names } from "./names.js";
import { type Lexer, Token } from "./lexer.js";

export const isNumbers = (part: KeyPart): part is readonly [number, number] => Array.isArray(part);
export const isMasked = (part: KeyPart): part is MaskedAddress => typeof part === "object" && "mask" in part;
export const isSpan = (part: KeyPart): part is AddressSpan =>
  typeof part === "object" && "first" in part && "last" in part;

/** One value of a type: a number, address or name. */
export function readSingle(lexer: Lexer, type: DataType): KeyPart {
  const quoted = lexer.kind === Token.Quoted;
  if (lexer.kind !== Token.Word && !quoted) lexer.unexpected(type.what, "bad-value");
  const part = type.parse(lexer.word, quoted);
  if (part === undefined) lexer.unexpected(type.what, type.bytes > 4 || type.prefixes ? "bad-value" : "bad-value");
  lexer.next();
  return part;
}

/** A value, `A-B`, `A/LENGTH`, or for a type of bits a list of them (`a,b` where `lists`, `a | b`). */
export function readPart(lexer: Lexer, type: DataType, lists = true): KeyPart {
  if (type.bits !== undefined) return readBits(lexer, type, lists);
  const at = lexer.start;
  const first = readSingle(lexer, type);
  if (lexer.is("/") && type.prefixes === true) {
    lexer.next();
    return prefixOf(lexer, type, first);
  }
  if (!lexer.accept("-")) return first;
  const last = readSingle(lexer, type);
  if (isNumbers(first) && isNumbers(last)) {
    if (first[0] > last[0]) lexer.fail("empty-range", "this range is empty: write the lower value first", at);
    return [first[0], last[0]];
  }
  if (!isMasked(first) || !isMasked(last)) return lexer.fail("bad-range", "names have no ranges", at);
  if (compareAddresses(first.value, last.value) > 0)
    lexer.fail("empty-range", "this range is empty: write the lower address first", at);
  return { first: first.value, last: last.value };
}

function prefixOf(lexer: Lexer, type: DataType, of: KeyPart): KeyPart {
  const { start } = lexer;
  const width = type.bytes * 8;
  const length = parseNumber(lexer.take("the length of a prefix"), width);
  if (length === undefined) lexer.fail("bad-prefix", `the length of a prefix is a number from 0 to ${width}`, start);
  if (isNumbers(of)) {
    const mask = prefixMask("ip", length) as number;
    const first = (of[0] & mask) >>> 0;
    return [first, (first | ~mask) >>> 0];
  }
  const mask = prefixMask(width === 32 ? "ip" : "ip6", length);
  return { value: maskAddress((of as MaskedAddress).value, mask), mask };
}

function readBits(lexer: Lexer, type: DataType, lists: boolean): KeyPart {
  const parenthesis = lexer.accept("(");
  const commas = lists || parenthesis;
  let bits = 0;
  for (;;) {
    const part = lexer.is("(") ? lexer.nested(() => readBits(lexer, type, true)) : readSingle(lexer, type);
    bits |= (part as readonly [number, number])[0];
    if (!lexer.accept("|") && !lexer.accept("or") && !(commas && lexer.accept(","))) break;
  }
  if (parenthesis) lexer.expect(")", "after the flags");
  return [bits, bits];
}

/** A constant as nft prints it. `names`: what joins the names of several bits. */
export function printPart(part: KeyPart, type: DataType, join = " | "): string {
  if (typeof part === "string") return quoteName(part);
  if (isMasked(part)) return printMasked(part);
  if (isSpan(part)) return `${formatAddress(part.first)}-${formatAddress(part.last)}`;
  const [first, last] = part as readonly [number, number];
  if (type.bits !== undefined && first === last) return printBits(first, type.bits, join);
  return first === last ? type.formatNumber(first) : `${type.formatNumber(first)}-${type.formatNumber(last)}`;
}

/** `10.0.0.0/8`; an address alone where the whole of it counts. */
export function printMasked({ value, mask }: MaskedAddress): string {
  const length = prefixLength(mask);
  const text = formatAddress(value);
  return length === (typeof value === "number" ? 32 : 128) ? text : `${text}/${length}`;
}

export function isHost({ value, mask }: MaskedAddress): boolean {
  return prefixLength(mask) === (typeof value === "number" ? 32 : 128);
}

export function printBits(bits: number, names: Names, join: string): string {
  const known = names.filter(([, bit]) => (bits & bit) !== 0);
  const rest = known.reduce((left, [, bit]) => left & ~bit, bits) >>> 0;
  const words = known.map(([name]) => name);
  if (rest !== 0 || bits === 0) words.push(`0x${rest.toString(16)}`);
  return words.join(join);
}

/** The kernel's number for bits of a connection state. */
export function kernelBits(bits: number, names: Names): number {
  if (names !== ctStates) return bits;
  let number = 0;
  names.forEach(([, bit], i) => (number |= (bits & bit) !== 0 ? kernelStateBits[i]! : 0));
  return number;
}

export function quoteName(name: string): string {
  return `"${name}"`;
}

/** Numbers that a prefix of a 32-bit mark covers, as nft prints them in an interval set. */
export function markPrefix(first: number, last: number): string | undefined {
  const size = last - first + 1;
  if (size === 1 || first % size !== 0 || !Number.isInteger(Math.log2(size))) return undefined;
  return `/${32 - Math.log2(size)}`;
}

export function addressSize(address: Address): number {
  return typeof address === "number" ? 32 : 128;
}
