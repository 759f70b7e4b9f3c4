/** Values: constants of rules, and the elements that sets and maps hold. Part of the language: see types.ts. */
import type { Address } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";

/** Where a line of input stands: both counted from 1. */
export interface Span {
  readonly line: number;
  readonly column: number;
}

/** Both ends belong to it. */
export interface AddressSpan {
  readonly first: Address;
  readonly last: Address;
}

/**
 * One component of an element: an address with its mask, a span of addresses, a number or range of them, a name (interface; with `*` at
 * its end, a beginning; a star of the name itself is `\\*`). Types of addresses are numbers as in xt_addrtype's list (LOCAL is 2).
 */
export type KeyPart = MaskedAddress | AddressSpan | readonly [first: number, last: number] | string;

export interface SetElement {
  readonly key: readonly KeyPart[];
  /** Milliseconds. */
  readonly timeout?: number;
  /** Milliseconds left when the text was made; absent: the whole time-out. */
  readonly expires?: number;
  readonly comment?: string;
  readonly counters?: { readonly packets: number; readonly bytes: number };
  readonly span?: Span;
}

/** An element of a map to values: as many parts as the map's value has. */
export interface DataElement extends SetElement {
  readonly data: readonly KeyPart[];
}
