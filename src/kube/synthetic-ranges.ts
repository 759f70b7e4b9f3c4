import { type Address, familyOf } from "../packet/address.js";
import { contains, type MaskedAddress, parsePrefix, prefixLength } from "../packet/prefix.js";
import { error, ProblemError } from "../ruleset/problem.js";

/** A prefix addresses are given out of. */
export interface AddressRange {
  readonly prefix: MaskedAddress;
  readonly first: Address;
  /** Addresses in it, at most 2^32: of a wider IPv6 range the lowest are used. */
  readonly size: number;
}

/** Reads a prefix; throws ProblemError, naming `what`. */
export function addressRange(text: string, what: string): AddressRange {
  const prefix = text.includes("/") ? parsePrefix(text) : undefined;
  const length = prefix === undefined ? -1 : prefixLength(prefix.mask);
  if (prefix === undefined || length < 0)
    throw tooBad("bad-prefix", `${what} ${text} is no prefix: write address/length`);
  const bits = familyOf(prefix.value) === "ip" ? 32 : 128;
  return { prefix, first: prefix.value, size: 2 ** Math.min(32, bits - length) };
}

export function overlap(a: AddressRange, b: AddressRange): boolean {
  return contains(a.prefix, b.first) || contains(b.prefix, a.first);
}

/** The address so many after another, in the lowest 32 bits. */
export function offset(address: Address, by: number): Address {
  return typeof address === "number" ? address + by : [address[0], address[1], address[2], (address[3] + by) >>> 0];
}

/** A permutation of 0..size-1 that needs no memory: i -> (a * i + b) mod size with a prime to size. */
export function scatter(size: number, random: () => number): (i: number) => number {
  const step = BigInt(primeTo(size, Math.floor(size * (0.38 + 0.24 * random()))));
  const start = BigInt(Math.floor(random() * size));
  const modulus = BigInt(size);
  return (i) => Number((step * BigInt(i) + start) % modulus);
}

function primeTo(size: number, near: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let step = Math.max(1, near);
  while (gcd(step, size) !== 1) step++;
  return step;
}

/** Throws ProblemError where the count is no whole number of at least 0. */
export function requireCount(what: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0)
    throw tooBad("bad-count", `${what} must be a whole number of at least 0, not ${count}`);
}

export function tooSmall(what: string, need: string, addresses: number, size: number): ProblemError {
  return tooBad("range-too-small", `the ${what} is too small: ${need} need ${addresses} addresses, it has ${size}`);
}

export function tooBad(code: string, message: string): ProblemError {
  return new ProblemError(error(code, message));
}
