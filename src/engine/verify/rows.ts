/**
 * What a rule does to a set of packets: the one small language into which the rules (read-rules.ts) and the compiled columns
 * (read-columns.ts) are both translated, and which follow.ts carries out. The two translations share nothing but this.
 */
import type { NatRange } from "../../ruleset/types.js";
import type { DiagramNode } from "./diagrams.js";

/** A mark on its way: (mark as it came & ofMark) ^ (connection mark as it came & ofCtmark) ^ flip. All uint32. */
export interface Mark {
  readonly ofMark: number;
  readonly ofCtmark: number;
  readonly flip: number;
}

export const MARK: Mark = { ofMark: 0xffffffff, ofCtmark: 0, flip: 0 };
export const CTMARK: Mark = { ofMark: 0, ofCtmark: 0xffffffff, flip: 0 };

/** (mark & keep) ^ flip. */
export function changeMark(mark: Mark, keep: number, flip: number): Mark {
  return {
    ofMark: (mark.ofMark & keep) >>> 0,
    ofCtmark: (mark.ofCtmark & keep) >>> 0,
    flip: ((mark.flip & keep) ^ flip) >>> 0,
  };
}

export function xorMarks(a: Mark, b: Mark): Mark {
  return {
    ofMark: (a.ofMark ^ b.ofMark) >>> 0,
    ofCtmark: (a.ofCtmark ^ b.ofCtmark) >>> 0,
    flip: (a.flip ^ b.flip) >>> 0,
  };
}

/** What a change of the mark (given by how a chain leaves it) makes of a mark that came to the chain so changed already. */
export function composeMarks(change: Mark, mark: Mark, ctmark: Mark): Mark {
  return xorMarks(changeMark(mark, change.ofMark, change.flip), changeMark(ctmark, change.ofCtmark, 0));
}

/** How a packet leaves a base chain. */
export type End =
  | { readonly kind: "accept" | "drop" }
  | { readonly kind: "reject"; readonly with: string }
  /** A walk stops here: the rule cannot be evaluated. */
  | { readonly kind: "refuse"; readonly rule: number; readonly statement: number }
  /** What a walk does from here on is not told: a proof cannot go on. */
  | { readonly kind: "unread"; readonly rule: number; readonly statement: number }
  | { readonly kind: "dnat" | "redirect" | "snat" | "masquerade"; readonly to: NatRange }
  /** Only what the columns say: the readable walk takes the packet over from its start. */
  | { readonly kind: "general" };

/** Tests: where one fails, the rule does. */
export type Test =
  | { readonly kind: "header"; readonly set: DiagramNode }
  /** (mark & mask) === value, negated; of a connection mark, with an entry only. */
  | {
      readonly kind: "mark";
      readonly field: "mark" | "ctmark";
      readonly value: number;
      readonly mask: number;
      readonly negate: boolean;
    }
  /** A draw below the threshold, named by the rule, by how often its chain was entered before, and by how many draws of the rule stand before it. */
  | {
      readonly kind: "chance";
      readonly rule: number;
      readonly ordinal: number;
      readonly threshold: number;
      readonly negate: boolean;
    }
  /**
   * What only state, a set or the user knows: an unknown bit, named by the statement and by how often its chain was entered before.
   * That it is asked counts among the changes of state, whatever the answer: it may change state, draw, or refuse.
   */
  | { readonly kind: "unknown"; readonly rule: number; readonly statement: number };

/** What a flock of packets has become when it comes to a step, and how often the chain was entered before. */
export interface Sight {
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly visit: number;
}

/** Sets of packets, no two of which meet, with what is done to each; `all` is their union. Packets in none of them fail the rule. */
export interface Branches {
  readonly list: readonly { readonly set: DiagramNode; readonly steps: readonly Step[] }[];
  readonly all: DiagramNode;
}

export type Step =
  | Test
  /** By what a key is found to be. */
  | { readonly kind: "choice"; readonly branches: (sight: Sight) => Branches }
  /** The mark becomes what it is made of. */
  | {
      readonly kind: "assign";
      readonly field: "mark" | "ctmark";
      readonly value: (sight: Pick<Sight, "mark" | "ctmark">) => Mark;
    }
  | { readonly kind: "set-mark"; readonly field: "mark" | "ctmark"; readonly clear: number; readonly xor: number }
  | {
      readonly kind: "copy-mark";
      readonly direction: "save" | "restore";
      readonly nfmask: number;
      readonly ctmask: number;
    }
  | { readonly kind: "notrack" }
  /** A change of state, whatever the packet. */
  | { readonly kind: "change"; readonly rule: number; readonly statement: number }
  /** On with the next rule. */
  | { readonly kind: "continue" }
  | { readonly kind: "return" }
  | { readonly kind: "jump" | "goto"; readonly chain: number }
  | { readonly kind: "end"; readonly end: End };

/** One rule. */
export interface Row {
  /** Packets that come to the rule at all; the others were led past it by an index of the chain. */
  readonly visited: DiagramNode;
  readonly steps: readonly Step[];
}

/** Chains as rows. */
export interface Program {
  readonly name: string;
  /** Rows of a chain, by its id. */
  readonly length: (chain: number) => number;
  readonly row: (chain: number, index: number) => Row;
  /** Whether the chain draws or asks for state, so that it counts how often it was entered. */
  readonly counts: (chain: number) => boolean;
}
