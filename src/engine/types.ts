/** What every engine takes and gives: see `Engine`. One walk is one packet's whole way through one node. */
import type { Address } from "../packet/address.js";
import type { PacketBatch } from "../packet/batch.js";
import type { Connection } from "../packet/connection.js";
import type { Node } from "../packet/node.js";
import type { Packet } from "../packet/packet.js";
import type { Tuple } from "../packet/tuple.js";
import type { ResolvedRule } from "../ruleset/resolve.js";
import type { Hook, NatRange } from "../ruleset/types.js";
import type { Fraction } from "./fraction.js";
import type { Outcome } from "./outcome.js";
import type { OutcomeBatch } from "./outcome-batch.js";
import type { RuleState } from "./state.js";

export type { FinalVerdict, Outcome, SourceTranslation, Work } from "./outcome.js";

/**
 * A u32 for a random match. A draw has a name, not a place in a stream: the packet, the rule (id of the resolved rule), and how
 * often the walk of this packet had entered the rule's chain before (`drawVisit`, where a rule draws more than once). Equal names give equal numbers.
 */
export interface Draw {
  (packet: number, rule: number, visit: number): number;
  /** Present in a draw made by `namedDraw(seed)`: lets a hot loop hoist the part of the name that stays the same. */
  readonly seed?: number;
}

/** The tuple a source is translated to; not free: a connection has it, and the packet is dropped when its own is confirmed. */
export interface PickedSource {
  readonly chosen: Tuple;
  readonly free: boolean;
}

/** All that a walk knows besides the packet. Immutable while it runs. */
export interface Context {
  /** Local addresses and routes. */
  readonly node: Node;
  readonly draw: Draw;
  /** The packet's name in draws; a batch brings its own. */
  readonly packet?: number;
  /** Milliseconds. */
  readonly now: number;
  /** The packet's connection; a batch brings its own. */
  readonly connection: Connection;
  /** What rules remember: recent lists, nth counters, limits. */
  readonly state: RuleState;
  /**
   * Picks the destination where DNAT leaves a choice (a range, --random). Undefined result: no free tuple, the packet is dropped.
   * Without this function the first address and port of the range are taken.
   */
  readonly chooseDestination?: (tuple: Tuple, range: NatRange) => Tuple | undefined;
  /**
   * Picks the source where rules see it: of a packet of the node to itself that comes back in, and in chains behind NAT. Without it: the first
   * address, the same port.
   */
  readonly pickSource?: (tuple: Tuple, range: NatRange) => PickedSource;
  /** What to assume of an opaque match or target (by its rule) when a walk reaches it; undefined: refuse. */
  readonly assume?: (rule: ResolvedRule) => boolean | undefined;
  /** Whether the tests of state of a rule (recent, limit, nth, a set that rules change) hold, whatever `state` says; undefined: ask it. */
  readonly assumeState?: (rule: ResolvedRule) => boolean | undefined;
}

/** One outcome of `outcomes()`. Changes and work counters are of one of the ways that lead to it. */
export interface WeightedOutcome {
  readonly outcome: Outcome;
  readonly probability: Fraction;
  /** Every way that leads to it, where paths were asked for; their probabilities sum to this one's. */
  readonly paths?: readonly OutcomePath[];
}

/** One way to an outcome. */
export interface OutcomePath {
  readonly steps: readonly Step[];
  readonly probability: Fraction;
}

/** Every possible outcome, each once, with its exact probability; they sum to 1. */
export interface Distribution {
  readonly outcomes: readonly WeightedOutcome[];
  /** Conditions on state that were taken as given (fresh, or by the context), as text. */
  readonly given: readonly string[];
}

/** The decision as steps. */
export type Step =
  | { readonly kind: "hook"; readonly hook: Hook }
  /** `instead`: by goto, so that it takes the place of the chain it was entered from. */
  | { readonly kind: "chain"; readonly table: string; readonly chain: string; readonly instead?: true }
  /** A rule whose matches all held. */
  | { readonly kind: "rule"; readonly rule: ResolvedRule }
  /** The end of a base chain was reached (or RETURN in it). */
  | { readonly kind: "policy"; readonly table: string; readonly chain: string; readonly policy: "accept" | "drop" }
  /** `chain`: whose rule looks something up. */
  | {
      readonly kind: "lookup";
      readonly table: string;
      readonly key: string;
      readonly found: string | undefined;
      readonly chain?: string;
    }
  | {
      readonly kind: "pick";
      readonly service: string;
      readonly index: number;
      readonly of: number;
      readonly endpoint: string;
    }
  | { readonly kind: "translate"; readonly what: "destination" | "source"; readonly from: string; readonly to: string }
  /** `oif` is empty where no route leads there. */
  | { readonly kind: "route"; readonly destination: Address; readonly local: boolean; readonly oif: string };

export interface Trace {
  readonly steps: readonly Step[];
  readonly outcome: Outcome;
  /** As in Distribution. */
  readonly given: readonly string[];
}

/** One whole walk; the connection is given; changes nothing. */
export interface Engine {
  readonly name: string;
  /** One packet, readable. */
  classify(packet: Packet, context: Context): Outcome;
  /** The fast way: no allocation. Packet i of the batch gives outcome i. */
  classifyBatch(batch: PacketBatch, context: Context, out: OutcomeBatch): void;
  /** The same decision as steps. */
  trace(packet: Packet, context: Context): Trace;
  /** Every possible outcome with its exact probability; `paths`: and every way to it. */
  outcomes(packet: Packet, context: Context, paths?: boolean): Distribution;
}
