/** Matches: the statements that ask. Part of the language: see types.ts. */
import type { Address } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";
import type { Expression } from "./expressions.js";
import type { KeyPart, SetElement } from "./values.js";

export type Match =
  | AddressMatch
  | AddressRangeMatch
  | InterfaceMatch
  | ProtocolMatch
  | FragmentMatch
  | TransportMatch
  | MultiportMatch
  | IcmpMatch
  | CommentMatch
  | RandomMatch
  | NthMatch
  | MarkMatch
  | ConntrackMatch
  | AddressTypeMatch
  | RecentMatch
  | PhysdevMatch
  | SetMatch
  | LimitMatch
  | MacMatch
  | AccountingMatch
  | CompareMatch
  | LookupMatch
  | OpaqueMatch;

/** `-s`, `-d`; nft `ip saddr`. */
export interface AddressMatch extends MaskedAddress {
  readonly kind: "address";
  readonly field: "saddr" | "daddr";
  readonly negate: boolean;
}

/** `-m iprange`; nft `ip saddr A-B`. Both ends belong to the range. */
export interface AddressRangeMatch {
  readonly kind: "address-range";
  readonly field: "saddr" | "daddr";
  readonly first: Address;
  readonly last: Address;
  readonly negate: boolean;
}

/** `-i`, `-o`; nft `iifname`, `oifname`. With `prefix` every interface whose name begins so (`eth+`). */
export interface InterfaceMatch {
  readonly kind: "interface";
  readonly field: "iif" | "oif";
  readonly name: string;
  readonly prefix: boolean;
  readonly negate: boolean;
  /** nft `iif`, `oif`: the kernel keeps the index, so that the interface must be there when the rule is loaded. */
  readonly byIndex?: true;
}

/** `-p`; nft `meta l4proto`. */
export interface ProtocolMatch {
  readonly kind: "protocol";
  readonly protocol: number;
  readonly negate: boolean;
  /** Another spelling of nft in a table of that one family. */
  readonly spelled?: "ip protocol" | "ip6 nexthdr";
}

/** `-f`: a fragment other than the first. */
export interface FragmentMatch {
  readonly kind: "fragment";
  readonly negate: boolean;
}

export type PortRange = readonly [first: number, last: number];

export interface PortTest {
  readonly ranges: readonly PortRange[];
  readonly negate: boolean;
  /** How nft wrote its one range. */
  readonly spelled?: "<" | ">" | "<=" | ">=";
}

export interface FlagTest {
  readonly mask: number;
  readonly value: number;
  readonly negate: boolean;
}

/**
 * One `-m tcp`, `-m udp` or `-m sctp` with all its tests (none at all is legal); nft `tcp dport`, `th dport`.
 * True when the packet is of this protocol, or of any with ports where null, and every test holds.
 */
export interface TransportMatch {
  readonly kind: "transport";
  readonly protocol: number | null;
  readonly sport?: PortTest;
  readonly dport?: PortTest;
  /** Bits of TcpFlag: `(flags & mask) === value`. */
  readonly flags?: FlagTest;
}

/** `-m multiport`: the port of one side, or either, is in a range. */
export interface MultiportMatch {
  readonly kind: "multiport";
  readonly side: "source" | "destination" | "either";
  readonly ranges: readonly PortRange[];
  readonly negate: boolean;
}

/** `-m icmp --icmp-type`, `-m icmp6 --icmpv6-type`. Type 255 is any ICMP type. */
export interface IcmpMatch {
  readonly kind: "icmp";
  readonly protocol: 1 | 58;
  readonly type: number;
  /** Both ends belong to the range; 0..255 is any code. */
  readonly codes: readonly [first: number, last: number];
  readonly negate: boolean;
}

/** Always true. */
export interface CommentMatch {
  readonly kind: "comment";
  readonly text: string;
}

/** xt_statistic random: true iff (u32 & 0x7fffffff) < threshold, then negated. The threshold is 0..2^31. */
export interface RandomMatch {
  readonly kind: "random";
  readonly threshold: number;
  readonly negate: boolean;
}

/** xt_statistic nth: the packet numbered `packet` (from 0) that reaches the match is the first to match, then every n-th. */
export interface NthMatch {
  readonly kind: "nth";
  readonly every: number;
  readonly packet: number;
  readonly negate: boolean;
}

/** `-m mark`, `-m connmark`; nft `meta mark`, `ct mark`: (mark & mask) === value. All are uint32. */
export interface MarkMatch {
  readonly kind: "mark";
  readonly field: "mark" | "ctmark";
  readonly value: number;
  readonly mask: number;
  readonly negate: boolean;
}

export interface BitsTest {
  readonly bits: number;
  readonly negate: boolean;
}

export interface AddressTest extends MaskedAddress {
  readonly negate: boolean;
}

export interface ProtocolTest {
  readonly protocol: number;
  readonly negate: boolean;
}

/** One `-m conntrack` (or the older `-m state`) with all its tests; nft `ct state`, `ct status`, `ct original ...`. */
export interface ConntrackMatch {
  readonly kind: "conntrack";
  /** How it is spelled. */
  readonly module: "conntrack" | "state";
  /** Bits of CtState. */
  readonly state?: BitsTest;
  /** Bits of CtStatus; 0 with the meaning `NONE`. */
  readonly status?: BitsTest;
  readonly protocol?: ProtocolTest;
  readonly originalSource?: AddressTest;
  readonly originalDestination?: AddressTest;
  readonly replySource?: AddressTest;
  readonly replyDestination?: AddressTest;
  readonly originalSourcePort?: PortTest;
  readonly originalDestinationPort?: PortTest;
  readonly replySourcePort?: PortTest;
  readonly replyDestinationPort?: PortTest;
  readonly direction?: "original" | "reply";
}

/** The names xt_addrtype knows, in the order of its bits. */
export type AddressTypeName =
  | "UNSPEC"
  | "UNICAST"
  | "LOCAL"
  | "BROADCAST"
  | "ANYCAST"
  | "MULTICAST"
  | "BLACKHOLE"
  | "UNREACHABLE"
  | "PROHIBIT"
  | "THROW"
  | "NAT"
  | "XRESOLVE";

export interface AddressTypeTest {
  readonly types: readonly AddressTypeName[];
  readonly negate: boolean;
}

/** `-m addrtype`; nft `fib saddr type`, `fib daddr type`. */
export interface AddressTypeMatch {
  readonly kind: "address-type";
  readonly source?: AddressTypeTest;
  readonly destination?: AddressTypeTest;
  /** Ask about the incoming or outgoing interface only. */
  readonly limit?: "in" | "out";
}

/** xt_recent: lists of addresses seen, by name. `set` and `update` write; `rcheck` only reads; `remove` takes out. */
export interface RecentMatch {
  readonly kind: "recent";
  readonly action: "set" | "rcheck" | "update" | "remove";
  readonly name: string;
  readonly side: "source" | "destination";
  /** Applied to the address before it is looked up. */
  readonly mask: Address;
  readonly seconds?: number;
  readonly reap?: boolean;
  readonly hitcount?: number;
  readonly ttl?: boolean;
  readonly negate: boolean;
}

export interface InterfaceTest {
  readonly name: string;
  readonly prefix: boolean;
  readonly negate: boolean;
}

/** `-m physdev`: bridge ports. Each flag test, where present, says whether it is negated. */
export interface PhysdevMatch {
  readonly kind: "physdev";
  readonly in?: InterfaceTest;
  readonly out?: InterfaceTest;
  readonly isIn?: { readonly negate: boolean };
  readonly isOut?: { readonly negate: boolean };
  readonly isBridged?: { readonly negate: boolean };
}

/** `-m set --match-set NAME src,dst`: an ipset, one direction for each dimension of it. */
export interface SetMatch {
  readonly kind: "set";
  readonly set: string;
  readonly directions: readonly ("src" | "dst")[];
  readonly negate: boolean;
  /** `--return-nomatch`, `--update-counters` and the like, as written; a set test that has some cannot be evaluated. */
  readonly options?: string;
}

/** A token bucket: `rate` packets per `unit`, `burst` at once (xt_limit; nft `limit rate`, where `over` is the negation). */
export interface LimitMatch {
  readonly kind: "limit";
  /** Kept as nft_limit.c keeps it, in nanoseconds. */
  readonly nft?: true;
  readonly rate: number;
  readonly unit: "second" | "minute" | "hour" | "day";
  readonly burst: number;
  readonly negate: boolean;
}

/** `-m mac --mac-source`: six bytes, `AA:BB:CC:DD:EE:FF`. */
export interface MacMatch {
  readonly kind: "mac";
  readonly address: string;
  readonly negate: boolean;
}

/** `-m nfacct --nfacct-name`: always true, counts. */
export interface AccountingMatch {
  readonly kind: "accounting";
  readonly name: string;
}

/**
 * nft `left == right` where no other match says it: (left in right) !== negate. The order operators are ranges; `spelled` keeps how they were
 * written. Where the packet has no such field the rule fails, negated or not.
 */
export interface CompareMatch {
  readonly kind: "compare";
  readonly left: Expression;
  readonly right: KeyPart;
  readonly negate: boolean;
  readonly spelled?: "<" | ">" | "<=" | ">=";
}

/** nft `ip daddr . meta l4proto . th dport @set`: a concatenated key is an element of a set. */
export interface LookupMatch {
  readonly kind: "lookup";
  readonly key: readonly Expression[];
  /** A named set, or the elements of an anonymous one. */
  readonly set: string | readonly SetElement[];
  readonly negate: boolean;
}

/** What cannot be evaluated: it loads, prints back, and stops a command only when a walk reaches it. */
export interface OpaqueMatch {
  readonly kind: "opaque-match";
  readonly module: string;
  /** Its source text from `-m` on, the one statement that keeps it. */
  readonly text: string;
}

export type MatchKind = Match["kind"];
