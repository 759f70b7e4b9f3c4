/** What became of a packet. */
import type { Address } from "../packet/address.js";
import type { Tuple } from "../packet/tuple.js";
import type { ResolvedRule } from "../ruleset/resolve.js";
import type { NatRange } from "../ruleset/types.js";
import type { StateChange } from "./state.js";

export type FinalVerdict = "accept" | "drop" | "reject";

/** How the source is to be rewritten after the walk; conntrack picks the port when it confirms the connection. */
export interface SourceTranslation {
  readonly kind: "snat" | "masquerade";
  /** The address range; for masquerade the outgoing interface's address, absent where the node does not know it. */
  readonly to: NatRange;
  readonly hook: "postrouting" | "input";
}

/** Exact, the same on every machine. */
export interface Work {
  /** Rules whose first statement was tried. */
  rulesVisited: number;
  /** Chains entered: base chains and those jumped or gone to. */
  chainsEntered: number;
  /** Random numbers drawn. */
  draws: number;
  /** Hash probes of compiled tables, sets, maps and verdict maps: one a lookup, however long its probe sequence. */
  mapLookups: number;
}

/** What became of a packet. */
export interface Outcome {
  readonly verdict: FinalVerdict;
  /** The answer of a rejected packet: `icmp-port-unreachable`, `tcp-reset`, ... */
  readonly rejectWith?: string;
  /** The rule that dropped or rejected it; absent for a policy, or when accepted. */
  readonly by?: ResolvedRule;
  /** The new destination, where a dnat or redirect rule (not an entry) set one. */
  readonly destination?: { readonly address: Address; readonly port: number };
  /** The source translation, where a rule asked for one. */
  readonly source?: SourceTranslation;
  /** The packet's tuple when the walk ended: after translations by an entry and after `destination`, before `source`. */
  readonly tuple: Tuple;
  /** The packet mark when the walk ended. */
  readonly mark: number;
  /** Where the packet was bound when it ended: delivered to the node, forwarded, or (undefined) stopped before routing. */
  readonly way: "local" | "forward" | undefined;
  readonly oif: string | undefined;
  /** The connection is not to be tracked. */
  readonly notrack: boolean;
  /** It was stopped by a chain that stands before conntrack (raw), which has not seen it. */
  readonly unseen?: true;
  /** It was stopped on its way back in through lo, after postrouting: its connection stays, translated by `source`. */
  readonly confirmed?: true;
  /** It was dropped because no route leads to its destination. */
  readonly unreachable?: true;
  /** In the order they happened. */
  readonly changes: readonly StateChange[];
  readonly work: Work;
}
