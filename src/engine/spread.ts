/** How a random expression is spread over its values, all of which are equally likely, and which u32 draws each. */
import { ratio } from "./fraction.js";
import type { Fraction } from "./fraction.js";

/** Equally likely values, in ascending order. `at(i)` is the i-th; `below(x)` says how many are smaller than x. */
export interface Spread {
  readonly count: number;
  at(i: number): number;
  below(x: number): number;
  /** A u32 that yields the value. */
  drawFor(value: number): number;
}

/** More values than this are not taken one by one. */
export const MOST_VALUES = 0x10000;

/** `numgen random mod N offset M`: the reciprocal scale of a u32. */
export function numgenSpread(mod: number, offset: number): Spread {
  return {
    count: mod,
    at: (i) => offset + i,
    below: (x) => Math.min(Math.max(x - offset, 0), mod),
    drawFor: (value) => Number(((BigInt(value - offset) << 32n) + BigInt(mod) - 1n) / BigInt(mod)),
  };
}

/** A u32, masked and xored: each bit of `free` is 0 or 1, the others are those of `fixed`. `drawFor` undoes what was done to the u32. */
export function bitsSpread(free: number, fixed: number, drawFor: (value: number) => number): Spread {
  const places = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((free >>> bit) & 1) === 1);
  return {
    count: 2 ** places.length,
    at: (i) => places.reduce((value, bit, k) => value | ((Math.floor(i / 2 ** k) % 2) << bit), fixed) >>> 0,
    below: (x) => countBelow(free, fixed, x),
    drawFor,
  };
}

/** `(u32 & mask) ^ xor` of a spread over bits. */
export function maskSpread(free: number, fixed: number, mask: number, xor: number): { free: number; fixed: number } {
  const left = (free & mask) >>> 0;
  return { free: left, fixed: (((fixed & mask) ^ xor) & ~left) >>> 0 };
}

/** How many of the values that free and fixed bits make are below x: from the highest bit on, those that are smaller there for the first time. */
function countBelow(free: number, fixed: number, x: number): number {
  if (x > 0xffffffff) return 2 ** ones(free);
  if (x <= 0) return 0;
  let count = 0;
  for (let bit = 31; bit >= 0; bit--) {
    const wanted = (x >>> bit) & 1;
    const isFree = ((free >>> bit) & 1) === 1;
    const rest = bit === 0 ? 0 : free & (0xffffffff >>> (32 - bit));
    const smallest = isFree ? 0 : (fixed >>> bit) & 1;
    if (wanted === 1 && smallest === 0) count += 2 ** ones(rest);
    if (!isFree && smallest !== wanted) return count;
  }
  return count;
}

function ones(bits: number): number {
  let count = 0;
  for (let left = bits >>> 0; left !== 0; left &= left - 1) count++;
  return count;
}

/** Values given one by one: each is the outcome of one u32, all u32 equally likely. */
export function listSpread(values: readonly { readonly value: number; readonly draw: number }[]): Spread {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  return {
    count: sorted.length,
    at: (i) => sorted[i]!.value,
    below: (x) => {
      let low = 0;
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (sorted[middle]!.value < x) low = middle + 1;
        else high = middle;
      }
      return low;
    },
    drawFor: (value) => sorted.find((one) => one.value === value)!.draw,
  };
}

/** A share of a spread within which a statement cannot tell values apart. */
export interface Share {
  readonly probability: Fraction;
  /** One of its values, and a u32 that yields it. */
  readonly value: number;
  readonly draw: number;
}

/** The shares between cuts; a cut x parts the values below x from the others. */
export function sharesBetween(spread: Spread, cuts: Iterable<number>): Share[] {
  const shares: Share[] = [];
  let from = 0;
  for (const cut of [...[...new Set(cuts)].sort((a, b) => a - b), Infinity]) {
    const to = cut === Infinity ? spread.count : spread.below(cut);
    if (to <= from) continue;
    const value = spread.at(from);
    shares.push({ probability: ratio(to - from, spread.count), value, draw: spread.drawFor(value) });
    from = to;
  }
  return shares;
}

/** Every value a share of its own; undefined where there are too many. */
export function everyShare(spread: Spread): Share[] | undefined {
  if (spread.count > MOST_VALUES) return undefined;
  const cuts = Array.from({ length: spread.count }, (_, i) => spread.at(i));
  return sharesBetween(spread, cuts);
}
