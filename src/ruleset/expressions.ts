/**
 * Expressions: what can be read off a packet or made from it, to be compared, looked up or translated to. Part of the language: see
 * types.ts. iptables has none of its own; its matches and the plain nftables tests are members of `Match`.
 */
import type { Address, Family } from "../packet/address.js";
import type { DataElement, KeyPart } from "./values.js";

/**
 * Fields, named after nft's. Addresses are of the packet's family, `protocol` is `meta l4proto`, `icmp-type` that of either ICMP, `iif`
 * and `oif` are names, `saddr-type` is `fib saddr type`, `random` is `meta random` (a u32). Numbers in host order; states and statuses are bits
 * of CtState and CtStatus; ct directions are 0 original, 1 reply; nfproto is 2 for IPv4, 10 for IPv6.
 */
export type FieldName =
  | "saddr"
  | "daddr"
  | "protocol"
  | "sport"
  | "dport"
  | "icmp-type"
  | "icmp-code"
  | "tcp-flags"
  | "length"
  | "nfproto"
  | "iif"
  | "oif"
  | "mark"
  | "ctmark"
  | "ct-state"
  | "ct-status"
  | "ct-direction"
  | "ct-protocol"
  | "ct-original-saddr"
  | "ct-original-daddr"
  | "ct-original-sport"
  | "ct-original-dport"
  | "ct-reply-saddr"
  | "ct-reply-daddr"
  | "ct-reply-sport"
  | "ct-reply-dport"
  | "saddr-type"
  | "daddr-type"
  | "random";

/** A field. A packet that does not have it (no ports, no connection, another family) fails the rule, negated or not (NFT_BREAK). */
export interface FieldExpression {
  readonly kind: "field";
  readonly field: FieldName;
  /** `tcp dport`, `icmp type`: only packets of this protocol have it. Absent: `th dport`, any protocol with ports. */
  readonly protocol?: number;
  /** `ip saddr`, `ip6 daddr`: only packets of this family have it. */
  readonly family?: Family;
  /** Another spelling of the same: `iif` for `iifname`, `ip protocol` for `meta l4proto`. */
  readonly spelled?: string;
}

/** `numgen random|inc mod N offset M`: offset + a number below mod; random by reciprocal scale of a u32, inc by a counter of its own. */
export interface NumgenExpression {
  readonly kind: "numgen";
  readonly mode: "random" | "inc";
  readonly mod: number;
  readonly offset: number;
}

/** `jhash a . b mod N seed S offset M` (net/netfilter/nft_hash.c). Without a seed the kernel draws one when the rule is loaded. */
export interface HashExpression {
  readonly kind: "hash";
  readonly inputs: readonly Expression[];
  readonly mod: number;
  readonly seed?: number;
  readonly offset: number;
}

/** `(of & mask) ^ xor`, of a number or an address (of as many words as its family has). */
export interface BitwiseExpression {
  readonly kind: "bitwise";
  readonly of: Expression;
  readonly mask: number | Address;
  readonly xor: number | Address;
}

/** `key map @name` or `key map { ... }`: the data of the element the key equals; none fails the rule. */
export interface MapExpression {
  readonly kind: "map";
  readonly key: readonly Expression[];
  readonly map: string | readonly DataElement[];
}

/** A constant. */
export interface ValueExpression {
  readonly kind: "value";
  readonly value: KeyPart;
}

export type Expression =
  FieldExpression | NumgenExpression | HashExpression | BitwiseExpression | MapExpression | ValueExpression;
