/** Actions and verdicts: the statements that do. Part of the language: see types.ts. */
import type { Address } from "../packet/address.js";
import type { PortRange } from "./matches.js";
import type { KeyField, SetDefinition, SetElement } from "./sets.js";

export type Action =
  | DnatAction
  | SnatAction
  | MasqueradeAction
  | RedirectAction
  | SetMarkAction
  | CopyMarkAction
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

/** Ends the base chain as accept, as do the other three translations. */
export interface DnatAction {
  readonly kind: "dnat";
  readonly to: NatRange;
}

export interface SnatAction {
  readonly kind: "snat";
  readonly to: NatRange;
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

/** nft `add|update|delete @set { key }`. No verdict. */
export interface SetUpdateAction {
  readonly kind: "set-update";
  readonly operation: "add" | "update" | "delete";
  readonly set: string;
  readonly key: readonly KeyField[];
  /** Seconds; absent: the set's own. */
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

/** nft `vmap`: the verdict of the element the key equals; none: the rule goes on. */
export interface VerdictMap {
  readonly kind: "verdict-map";
  readonly key: readonly KeyField[];
  /** A named map, or the elements of an anonymous one. */
  readonly map: string | readonly MapElement[];
}

export interface MapElement extends SetElement {
  readonly verdict: Verdict;
}

export interface MapDefinition extends Omit<SetDefinition, "elements"> {
  readonly elements: readonly MapElement[];
}

export type ActionKind = Action["kind"];
export type VerdictKind = Verdict["kind"];
