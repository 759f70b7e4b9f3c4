import { type Address, addressWords, type Family, familyOf } from "./address.js";
import { type MaskedAddress, prefixMask } from "./prefix.js";

/** Addresses of one family from the first to the last, as unsigned integers. Both ends belong to it. */
export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

export function addressToInteger(address: Address): bigint {
  return addressWords(address).reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

export function integerToAddress(value: bigint, family: Family): Address {
  const word = (at: number): number => Number((value >> BigInt(32 * at)) & 0xffffffffn);
  return family === "ip" ? word(0) : [word(3), word(2), word(1), word(0)];
}

/** The addresses of a prefix; the mask must be one. */
export function intervalOf({ value, mask }: MaskedAddress): Interval {
  const width = familyOf(value) === "ip" ? 32n : 128n;
  const first = addressToInteger(value);
  return { first, last: first | (((1n << width) - 1n) ^ addressToInteger(mask)) };
}

/** The same addresses as few intervals as possible, in order: what overlaps or touches becomes one. */
export function mergeIntervals(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { first, last } of [...intervals].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const top = merged[merged.length - 1];
    if (top === undefined || first > top.last + 1n) merged.push({ first, last });
    else if (last > top.last) merged[merged.length - 1] = { first: top.first, last };
  }
  return merged;
}

/** The prefix that holds exactly these addresses; undefined where none does. */
export function prefixOf({ first, last }: Interval, family: Family): MaskedAddress | undefined {
  const size = last - first + 1n;
  if ((size & (size - 1n)) !== 0n || first % size !== 0n) return undefined;
  const length = (family === "ip" ? 32 : 128) - (size.toString(2).length - 1);
  return { value: integerToAddress(first, family), mask: prefixMask(family, length) };
}
