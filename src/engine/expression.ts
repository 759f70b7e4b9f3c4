/**
 * What the expressions of nftables yield for a packet. An expression that cannot be had (a field the packet lacks, a key no map holds) yields
 * undefined, and the rule fails, negated or not: NFT_BREAK (include/uapi/linux/netfilter/nf_tables.h). Named after the kernel file each follows.
 */
import { addressWords } from "../packet/address.js";
import { jhash2, reciprocalScale, swapBytes } from "../packet/jhash.js";
import type { BitwiseExpression, Expression, HashExpression, NumgenExpression, SetElement } from "../ruleset/types.js";
import { fieldOf } from "./field.js";
import { findKey, UNKNOWN_PORT } from "./lookup.js";
import type { Found } from "./named-set.js";
import { describe, type Place, refuse } from "./place.js";
import { singleValue, UNKNOWN, type Value } from "./value.js";
import type { Walk } from "./walk.js";

/** The value of an expression; undefined fails the rule. */
export function evaluate(expression: Expression, walk: Walk, place: Place): Value | undefined {
  switch (expression.kind) {
    case "field":
      return fieldOf(expression, walk);
    case "numgen":
      return numgen(expression, walk, place);
    case "hash":
      return hash(expression, walk, place);
    case "bitwise":
      return bitwise(expression, walk, place);
    case "map": {
      const data = lookUp(expression.key, expression.map, walk, place)?.data;
      return data && known(singleValue(data[0]!), place);
    }
    case "value":
      return known(singleValue(expression.value), place);
  }
}

function known(value: Value | undefined, place: Place): Value {
  return value ?? refuse(place, "a range stands where one value is wanted");
}

/** The value of an expression that must be a number, as every field and map but those of addresses and names is. */
export function evaluateNumber(expression: Expression, walk: Walk, place: Place): number | undefined {
  const value = evaluate(expression, walk, place);
  if (value === undefined || (typeof value === "number" && value !== UNKNOWN)) return value;
  return refuse(place, "a number is wanted here, and an address or name stands here");
}

/** A concatenated key. */
export function evaluateKey(key: readonly Expression[], walk: Walk, place: Place): Value[] | undefined {
  const values: Value[] = [];
  for (const expression of key) {
    const value = evaluate(expression, walk, place);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** Looks a key up in a set or map, named or anonymous (net/netfilter/nft_lookup.c). No key, or no element: undefined. */
export function lookUp<E extends SetElement & Found>(
  key: readonly Expression[],
  set: string | readonly E[],
  walk: Walk,
  place: Place,
): Found | undefined {
  const values = evaluateKey(key, walk, place);
  return values && findKey(key, values, set, walk, place);
}

/** net/netfilter/nft_numgen.c. */
function numgen({ mode, mod, offset }: NumgenExpression, walk: Walk, place: Place): number {
  if (mode === "random") return reciprocalScale(walk.random(), mod) + offset;
  const id = { rule: place.rule, statement: place.statement, expression: walk.counters++ };
  const before = walk.view.numgen(id);
  if (before === undefined) walk.given.add(`numgen inc of rule ${describe(place)} has seen no packet`);
  const count = before === undefined || before + 1 >= mod ? 0 : before + 1;
  walk.view.change({ kind: "numgen", ...id, count });
  return count + offset;
}

/** net/netfilter/nft_hash.c: over the registers of the inputs, each filled up to whole words where there are several. */
function hash({ inputs, mod, seed, offset }: HashExpression, walk: Walk, place: Place): number | undefined {
  if (seed === undefined)
    refuse(
      place,
      "the kernel draws the seed of this jhash when the rule is loaded, so its values cannot be told; give it a seed",
    );
  const words: number[] = [];
  let bytes = 0;
  for (const input of inputs) {
    const value = evaluate(input, walk, place);
    if (value === undefined) return undefined;
    if (value === UNKNOWN) refuse(place, UNKNOWN_PORT);
    const register = registerOf(input, value);
    words.push(...register.words);
    bytes += inputs.length > 1 ? register.words.length * 4 : register.bytes;
  }
  return reciprocalScale(jhash2(words, seed, bytes), mod) + offset;
}

/** A value as it lies in the registers of a little-endian machine: addresses and ports in network order. */
function registerOf(expression: Expression, value: Value): { words: readonly number[]; bytes: number } {
  if (typeof value === "string") {
    // Four letters a word, the first lowest, up to IFNAMSIZ.
    const word = (at: number): number =>
      [3, 2, 1, 0].reduce((sum, i) => (sum << 8) | (value.charCodeAt(at + i) || 0), 0) >>> 0;
    return { words: [0, 4, 8, 12].map(word), bytes: 16 };
  }
  if (typeof value !== "number") return { words: value.map(swapBytes), bytes: 16 };
  const field = fieldBehind(expression);
  if (field.endsWith("addr")) return { words: addressWords(value).map(swapBytes), bytes: 4 };
  if (field.endsWith("port")) return { words: [((value & 255) << 8) | (value >>> 8)], bytes: 2 };
  const small = ["protocol", "ct-protocol", "icmp-type", "icmp-code", "tcp-flags", "nfproto", "ct-direction"];
  return { words: [value], bytes: small.includes(field) ? 1 : 4 };
}

function fieldBehind(expression: Expression): string {
  if (expression.kind === "bitwise") return fieldBehind(expression.of);
  return expression.kind === "field" ? expression.field : "";
}

/** net/netfilter/nft_bitwise.c. */
function bitwise({ of, mask, xor }: BitwiseExpression, walk: Walk, place: Place): Value | undefined {
  const value = evaluate(of, walk, place);
  if (value === undefined) return undefined;
  if (value === UNKNOWN) refuse(place, UNKNOWN_PORT);
  if (typeof value === "string") return refuse(place, "a name has no bits to mask");
  const [words, masks, xors] = [addressWords(value), addressWords(mask), addressWords(xor)];
  const result = words.map((word, i) => ((word & (masks[i] ?? 0)) ^ (xors[i] ?? 0)) >>> 0);
  return typeof value === "number" ? result[0]! : (result as unknown as Value);
}
