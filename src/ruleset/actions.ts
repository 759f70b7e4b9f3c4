/** Actions and verdicts: the statements that do. Part of the language: see types.ts. */
import type { Address, Family } from "../packet/address.js";
import type { PortRange } from "./matches.js";
import type { Expression, MapExpression } from "./expressions.js";
import type { SetElement } from "./values.js";

export type Action =
  | DnatAction
  | SnatAction
  | MasqueradeAction
  | RedirectAction
  | SetMarkAction
  | CopyMarkAction
  | AssignAction
  | LogAction
  | NotrackAction
  | SetUpdateAction
  | CounterAction
  | OpaqueAction;

/** Where NAT may go: addresses and ports, both ends included. Absent means unchanged. */
export interface NatRange {
  readonly addresses?: readonly [first: Address, last: Address];
  readonly ports?: PortRange;
  /** `--random`: a random port of the range. */
  readonly random?: boolean;
  /** `--random-fully`: a random port, whatever the original was. */
  readonly fullyRandom?: boolean;
  /** `--persistent`: the same address for a client, whatever the destination. */
  readonly persistent?: boolean;
}

/** nft `dnat to ip saddr map @m`: the range is looked up; `to` holds what is fixed of it (a port, the flags). */
export interface MappedRange {
  /** Its data: an address, or an address and a port. No element fails the rule. */
  readonly addresses?: MapExpression;
  /** Its data: a port (`dnat to 10.0.0.1:tcp dport map { 80 : 8080 }`). */
  readonly ports?: MapExpression;
}

/** Ends the base chain as accept, as do the other three translations. */
export interface DnatAction {
  readonly kind: "dnat";
  readonly to: NatRange;
  readonly mapped?: MappedRange;
  /** As nft writes it before `to`, where the elements of the map do not say it. */
  readonly family?: Family;
}

export interface SnatAction {
  readonly kind: "snat";
  readonly to: NatRange;
  readonly mapped?: MappedRange;
  readonly family?: Family;
}

/** SNAT to the address of the outgoing interface. */
export interface MasqueradeAction {
  readonly kind: "masquerade";
  readonly to: NatRange;
}

/** DNAT to the node itself: to the incoming interface's address, or to loopback at output. */
export interface RedirectAction {
  readonly kind: "redirect";
  readonly to: NatRange;
  /** Only its `ports`. */
  readonly mapped?: MappedRange;
}

/** `mark = (mark & ~clear) ^ xor`: every form of MARK and CONNMARK --set-xmark; nft `meta mark set`. All uint32. */
export interface SetMarkAction {
  readonly kind: "set-mark";
  readonly field: "mark" | "ctmark";
  readonly clear: number;
  readonly xor: number;
}

/** CONNMARK --save-mark: `ctmark = (ctmark & ~ctmask) ^ (mark & nfmask)`; --restore-mark the other way round. */
export interface CopyMarkAction {
  readonly kind: "copy-mark";
  readonly direction: "save" | "restore";
  readonly nfmask: number;
  readonly ctmask: number;
}

/** nft `meta mark set EXPRESSION`, `ct mark set EXPRESSION`, where no other action says it. */
export interface AssignAction {
  readonly kind: "assign";
  readonly field: "mark" | "ctmark";
  readonly value: Expression;
}

/** No verdict. The options are kept as words, in the order iptables-save prints them. */
export interface LogAction {
  readonly kind: "log";
  readonly target: "LOG" | "NFLOG" | "TRACE";
  readonly options: readonly string[];
}

/** The connection is not tracked (NOTRACK, CT --notrack). No verdict. */
export interface NotrackAction {
  readonly kind: "notrack";
  readonly target: "NOTRACK" | "CT";
}

/** nft `add|update|delete @set { key }`, of a map `{ key : data }`. No verdict. A full set fails the rule (nft_dynset.c). */
export interface SetUpdateAction {
  readonly kind: "set-update";
  readonly operation: "add" | "update" | "delete";
  readonly set: string;
  readonly key: readonly Expression[];
  readonly data?: readonly Expression[];
  /** Milliseconds; absent: the set's own. */
  readonly timeout?: number;
}

/** nft `counter`. */
export interface CounterAction {
  readonly kind: "counter";
  readonly packets: number;
  readonly bytes: number;
}

export interface OpaqueAction {
  readonly kind: "opaque-target";
  readonly target: string;
  /** Its source text from `-j` or `-g` on. */
  readonly text: string;
}

export type Verdict =
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  | { readonly kind: "reject"; readonly with: string }
  | { readonly kind: "return" }
  | { readonly kind: "continue" }
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "goto"; readonly chain: string }
  | VerdictMap;

/** nft `vmap`: the verdict of the element the key equals; none fails the rule, `continue` goes on with its next statement. */
export interface VerdictMap {
  readonly kind: "verdict-map";
  readonly key: readonly Expression[];
  /** A named map, or the elements of an anonymous one. */
  readonly map: string | readonly MapElement[];
}

/** An element of a verdict map. */
export interface MapElement extends SetElement {
  readonly verdict: Verdict;
}

export type ActionKind = Action["kind"];
export type VerdictKind = Verdict["kind"];
