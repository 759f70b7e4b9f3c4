/**
 * The ways a statement's draws can go: outcomes() follows each. Values that a statement cannot tell apart are one way, so `numgen random mod
 * 2147483648 < T` has two, and a map over `numgen random mod 1000` as many as it has different elements.
 */
import type { BitwiseExpression, Expression, KeyPart, SetElement, Statement } from "../ruleset/types.js";
import { indexOf } from "./element-index.js";
import { type Fraction, multiply, ONE, add, dyadic } from "./fraction.js";
import { type Found, setOfRule } from "./named-set.js";
import { type Place, refuse } from "./place.js";
import {
  bitsSpread,
  everyShare,
  listSpread,
  maskSpread,
  MOST_VALUES,
  numgenSpread,
  type Share,
  sharesBetween,
  type Spread,
} from "./spread.js";
import type { View } from "./state.js";
import { constantOf, spanOf } from "./value.js";

/** One way: what is drawn, in the order the statement draws it, and how likely that is. */
export interface Case {
  readonly numbers: readonly number[];
  readonly probability: Fraction;
}

const CERTAIN = 2 ** 31;

/** All ways the draws of a statement can go, of which no two are alike; none where it draws nothing. */
export function casesOf(statement: Statement, place: Place, view: View): readonly Case[] {
  switch (statement.kind) {
    case "random":
      return thresholdCases(statement.threshold);
    case "compare":
      return draws(statement.left) ? partCases(statement.left, cutsOf([statement.right]), place, view) : [];
    case "lookup":
      return keyCases(statement.key, statement.set, place, view);
    case "verdict-map":
      return keyCases(statement.key, statement.map, place, view);
    case "assign":
      return draws(statement.value) ? partCases(statement.value, undefined, place, view) : [];
    case "dnat":
    case "snat":
    case "redirect": {
      const { addresses, ports } = statement.mapped ?? {};
      return together([addresses, ports].map((map) => (map ? keyCases(map.key, map.map, place, view) : [])));
    }
    case "set-update": {
      const parts = [...statement.key, ...(statement.data ?? [])].filter(draws);
      return together(parts.map((part) => partCases(part, undefined, place, view)));
    }
    default:
      return [];
  }
}

/** Whether a random number has a part in an expression. */
export function draws(expression: Expression): boolean {
  switch (expression.kind) {
    case "field":
      return expression.field === "random";
    case "numgen":
      return expression.mode === "random";
    case "hash":
      return expression.inputs.some(draws);
    case "bitwise":
      return draws(expression.of);
    case "map":
      return expression.key.some(draws);
    case "value":
      return false;
  }
}

/** xt_statistic: below the threshold and not. */
function thresholdCases(threshold: number): Case[] {
  return [
    { numbers: [0], probability: dyadic(BigInt(threshold), 31) },
    { numbers: [threshold], probability: dyadic(BigInt(CERTAIN - threshold), 31) },
  ].filter(({ probability }) => probability.numerator > 0n);
}

/** Every combination of the ways of several expressions, which draw one after the other. */
function together(lists: readonly (readonly Case[])[]): readonly Case[] {
  const all = lists.filter((list) => list.length > 0);
  if (all.length < 2) return all[0] ?? [];
  return all.reduce((before, list) =>
    before.flatMap((one) =>
      list.map((other) => ({
        numbers: [...one.numbers, ...other.numbers],
        probability: multiply(one.probability, other.probability),
      })),
    ),
  );
}

/** The ways of a key that is looked up: where it has one part only, those that find alike elements are one. */
function keyCases(
  key: readonly Expression[],
  set: string | readonly (SetElement & Found)[],
  place: Place,
  view: View,
): readonly Case[] {
  if (!key.some(draws)) return [];
  const elements = elementsOf(set, place, view);
  const [first] = key;
  const spread = key.length === 1 ? spreadOf(first!) : undefined;
  const cuts = cutsOf(elements.map((element) => element.key[0]!));
  if (spread !== undefined && cuts !== undefined) return mergeAlike(sharesBetween(spread, cuts), elements);
  return together(
    key.map((part, i) =>
      draws(part) ? partCases(part, cutsOf(elements.map((element) => element.key[i]!)), place, view) : [],
    ),
  );
}

function mergeAlike(shares: readonly Share[], elements: readonly (SetElement & Found)[]): Case[] {
  const index = indexOf(elements);
  const merged = new Map<string, Case>();
  for (const { value, draw, probability } of shares) {
    const found = index.find([value]);
    const text = found === undefined ? "" : JSON.stringify([found.verdict, found.data]);
    const same = merged.get(text);
    merged.set(
      text,
      same === undefined
        ? { numbers: [draw], probability }
        : { ...same, probability: add(same.probability, probability) },
    );
  }
  return [...merged.values()];
}

/** The elements of a set, those that rules have written included. */
function elementsOf(
  set: string | readonly (SetElement & Found)[],
  place: Place,
  view: View,
): readonly (SetElement & Found)[] {
  if (typeof set !== "string") return set;
  const named = setOfRule(place.at, set);
  const written = [...(view.set(named?.id ?? "")?.live(-Infinity) ?? [])].map(({ key, data }): SetElement & Found => ({
    key: key.map(constantOf),
    ...(data === undefined ? {} : { data }),
  }));
  return written.length === 0 ? (named?.index.elements ?? []) : [...(named?.index.elements ?? []), ...written];
}

/** The ways of one expression; without cuts every value is a way of its own. */
function partCases(
  expression: Expression,
  cuts: readonly number[] | undefined,
  place: Place,
  view: View,
): readonly Case[] {
  const spread = spreadOf(expression);
  if (spread !== undefined) {
    const shares = cuts === undefined ? everyShare(spread) : sharesBetween(spread, cuts);
    if (shares === undefined)
      return refuse(place, `its outcomes are too many to tell: ${spread.count} values are equally likely`);
    return shares.map(({ draw, probability }) => ({ numbers: [draw], probability }));
  }
  switch (expression.kind) {
    case "map":
      return keyCases(expression.key, expression.map, place, view);
    case "bitwise":
      return partCases(expression.of, undefined, place, view);
    case "hash":
      return together(expression.inputs.filter(draws).map((input) => partCases(input, undefined, place, view)));
    default:
      return [{ numbers: [], probability: ONE }];
  }
}

/** The numbers at which constants begin, and those right behind their ends; undefined where one of them is no range. */
export function cutsOf(parts: readonly KeyPart[]): number[] | undefined {
  const cuts: number[] = [];
  for (const part of parts) {
    const span = spanOf(part);
    if (typeof span?.first !== "number" || typeof span.last !== "number") return undefined;
    cuts.push(span.first, span.last + 1);
  }
  return cuts;
}

/** How the values of an expression are spread; undefined where it is no plain random number. */
export function spreadOf(expression: Expression): Spread | undefined {
  const bits = bitsOf(expression);
  if (bits !== undefined) return bitsSpread(bits.free, bits.fixed, bits.drawFor);
  if (expression.kind === "numgen" && expression.mode === "random")
    return numgenSpread(expression.mod, expression.offset);
  if (expression.kind !== "bitwise") return undefined;
  const inner = spreadOf(expression.of);
  if (inner === undefined || inner.count > MOST_VALUES) return undefined;
  const values = Array.from({ length: inner.count }, (_, i) => inner.at(i));
  return listSpread(values.map((value) => ({ value: masked(expression, value), draw: inner.drawFor(value) })));
}

interface Bits {
  readonly free: number;
  readonly fixed: number;
  readonly drawFor: (value: number) => number;
}

/** A random number made of independent bits: meta random, a numgen over a power of two, and what masks leave of them. */
function bitsOf(expression: Expression): Bits | undefined {
  if (expression.kind === "field" && expression.field === "random")
    return { free: 0xffffffff, fixed: 0, drawFor: (value) => value };
  if (expression.kind === "numgen" && expression.mode === "random" && expression.offset === 0) {
    const bits = Math.log2(expression.mod);
    if (!Number.isInteger(bits) || bits > 32) return undefined;
    const free = bits === 0 ? 0 : 0xffffffff >>> (32 - bits);
    return { free, fixed: 0, drawFor: numgenSpread(expression.mod, 0).drawFor };
  }
  if (expression.kind !== "bitwise") return undefined;
  const inner = bitsOf(expression.of);
  if (inner === undefined) return undefined;
  const { mask, xor } = expression;
  if (typeof mask !== "number" || typeof xor !== "number") return undefined;
  const left = maskSpread(inner.free, inner.fixed, mask, xor);
  const drawFor = (value: number): number => inner.drawFor((((value ^ xor) & left.free) | inner.fixed) >>> 0);
  return { ...left, drawFor };
}

function masked({ mask, xor }: BitwiseExpression, value: number): number {
  return ((value & (mask as number)) ^ (xor as number)) >>> 0;
}
