/** Sets: what a key may be made of, and what holds keys. Part of the language: see types.ts. */
import type { MaskedAddress } from "../packet/prefix.js";

/** Where a line of input stands: both counted from 1. */
export interface Span {
  readonly line: number;
  readonly column: number;
}

/** Fields a key of sets, maps and lookups may be made of, named as nft names them. */
export type KeyField =
  "saddr" | "daddr" | "protocol" | "sport" | "dport" | "iif" | "oif" | "mark" | "ctmark" | "random" | "increment";

/** One component of an element: an address with its mask, a number or range (protocol, port, mark), a name (interface). */
export type KeyPart = MaskedAddress | readonly [first: number, last: number] | string;

export interface SetElement {
  readonly key: readonly KeyPart[];
  /** Seconds. */
  readonly timeout?: number;
  readonly comment?: string;
  readonly span?: Span;
}

export type KeyType = "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service" | "ifname" | "mark";

export interface SetDefinition {
  readonly name: string;
  readonly type: readonly KeyType[];
  readonly flags: readonly ("constant" | "interval" | "timeout" | "dynamic")[];
  /** Seconds. */
  readonly timeout?: number;
  readonly size?: number;
  readonly comment?: string;
  readonly elements: readonly SetElement[];
  readonly span?: Span;
}
