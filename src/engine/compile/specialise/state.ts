/** What is known of a packet on its way to a destination, and how its way through a chain ends. */
import type { ResolvedChain, ResolvedRule } from "../../../ruleset/resolve.js";
import type { InterfaceTest } from "../../../ruleset/types.js";
import { interfaceHolds } from "../../evaluate.js";
import type { SourceTest } from "../services.js";

/** Addresses and marks are int32, as in the columns. */
export interface State {
  readonly protocol: number;
  dst: number;
  dport: number;
  /** The mark of a packet that no source test marked. */
  mark: number;
  /** What one of `tests` does to the mark: the place of the setMark operation in the code, -1: no test so far. */
  marking: number;
  tests: readonly SourceTest[];
  status: number;
  tracked: boolean;
  oif: string;
  masquerade: boolean;
  fullyRandom: boolean;
  /** What is assumed of the packet besides: the answers of tests at which the way was followed in both directions. */
  assumed: readonly Assumption[];
}

/** A test of what is not known: of the source address, of the incoming interface, or of anything else. */
export type OpenTest =
  | { readonly kind: "src"; readonly test: SourceTest }
  | { readonly kind: "iif"; readonly test: InterfaceTest }
  | { readonly kind: "other" };

export interface Assumption {
  readonly open: Exclude<OpenTest, { kind: "other" }>;
  readonly holds: boolean;
}

/** One of the ways a draw decides among. */
export interface Branch {
  /** Of 2^31: how often it is taken of what the earlier branches left; EVEN where all are equally likely. */
  readonly threshold: number;
  /** The rule that draws; undefined for the last, and for all but the first of an even choice. */
  readonly pick: ResolvedRule | undefined;
  readonly state: State;
}

/** How a base chain ends. */
export type End =
  | { readonly kind: "accept" | "translated" }
  | { readonly kind: "stopped"; readonly verdict: "drop" | "reject"; readonly row: number }
  | { readonly kind: "picked"; readonly branches: readonly Branch[]; readonly chain: ResolvedChain };

export const ACCEPT: End = { kind: "accept" };
export const TRANSLATED: End = { kind: "translated" };
/** The threshold of a branch that is taken whenever it is reached. */
export const CERTAIN = 2 ** 31;

/** Thrown where the walk depends on what the tables cannot hold; the destination is then left to the walk. */
export class LeaveToWalk extends Error {}
const leaving = new LeaveToWalk();

export function leave(): never {
  throw leaving;
}

export function sameTest(a: SourceTest, b: SourceTest): boolean {
  return a.value === b.value && a.mask === b.mask && a.negate === b.negate;
}

/** Whether a packet fares the same, whichever of the two ends its chain took. */
export function sameEnd(a: End, b: End): boolean {
  if (a.kind === "stopped") return b.kind === "stopped" && a.verdict === b.verdict && a.row === b.row;
  if (a.kind !== "picked") return a.kind === b.kind;
  if (b.kind !== "picked" || a.chain !== b.chain || a.branches.length !== b.branches.length) return false;
  return a.branches.every(({ threshold, pick, state }, k) => {
    const other = b.branches[k]!;
    return threshold === other.threshold && pick === other.pick && sameState(state, other.state);
  });
}

export function sameState(a: State, b: State): boolean {
  return (
    a.dst === b.dst &&
    a.dport === b.dport &&
    a.mark === b.mark &&
    a.marking === b.marking &&
    a.status === b.status &&
    a.masquerade === b.masquerade &&
    a.fullyRandom === b.fullyRandom &&
    a.tests.length === b.tests.length &&
    a.tests.every((test, i) => sameTest(test, b.tests[i]!))
  );
}

/** What the assumptions say of a test of the source or the incoming interface; undefined where they leave it open. */
export function assumedAnswer({ assumed }: State, open: Assumption["open"]): boolean | undefined {
  for (const { open: known, holds } of assumed) {
    let answer: boolean | undefined;
    if (open.kind === "iif" && known.kind === "iif") answer = impliedByInterface(known.test, holds, open.test);
    else if (open.kind === "src" && known.kind === "src") answer = impliedBySource(known.test, holds, open.test);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** What a test of the source says of another. */
function impliedBySource(known: SourceTest, holds: boolean, asked: SourceTest): boolean | undefined {
  const apart = ((known.value ^ asked.value) & known.mask & asked.mask) !== 0;
  if (known.negate !== holds) {
    // The source is inside of what is known.
    if (apart) return asked.negate;
    return (known.mask & asked.mask) === asked.mask ? !asked.negate : undefined;
  }
  return !apart && (known.mask & asked.mask) === known.mask ? asked.negate : undefined;
}

/** The same for interfaces, of which a test names one or all that begin alike. */
function impliedByInterface(known: InterfaceTest, holds: boolean, asked: InterfaceTest): boolean | undefined {
  const same = known.name === asked.name && known.prefix === asked.prefix;
  if (same) return holds === (known.negate === asked.negate);
  if (known.negate !== holds) return known.prefix ? undefined : interfaceHolds(asked, known.name);
  return known.prefix && asked.name.startsWith(known.name) ? asked.negate : undefined;
}
