import type { CtStateName } from "../packet/connection.js";
import type { Packet } from "../packet/packet.js";
import type { Context, FinalVerdict, Outcome } from "../engine/types.js";
import type { TimeoutPreset, Timeouts } from "../conntrack/timeouts.js";

/** Why a packet did not get through. */
export type DropReason =
  /** A rule or a policy, see the outcome. */
  | "rule"
  /** No route leads to its destination. */
  | "no-route"
  /** nf_conntrack_max is reached and early_drop found nothing to evict. */
  | "table-full"
  /** Source NAT found no free tuple (the kernel drops at confirm: insert_failed). */
  | "no-free-tuple"
  /** An ICMP redirect of a translated connection. */
  | "nat-redirect";

/** What became of a packet. */
export interface Result {
  readonly verdict: FinalVerdict;
  readonly reason?: DropReason;
  /** As it leaves, translated; as it came where it was stopped. */
  readonly packet: Packet;
  /** What rules saw. */
  readonly state: CtStateName;
  /** Its connection, 0 where it has none (any more). */
  readonly ref: number;
  /** Whether it had a connection, opened one, or neither (invalid, untracked, stopped). */
  readonly entry: "known" | "opened" | "none";
  /** What the engine said; absent where no chain was asked (fast path). */
  readonly outcome?: Outcome;
}

export interface DatapathOptions {
  /**
   * chains (the kernel's way, default): every packet passes the raw, mangle and filter chains, the nat chains see the first of a connection.
   * fast-path: a packet with a valid entry passes no chain at all, as with a flowtable.
   */
  readonly mode?: "chains" | "fast-path";
  /** Default: the kernel's. */
  readonly timeouts?: TimeoutPreset | Timeouts;
  /** nf_conntrack_max; each family has a table of its own. */
  readonly maxEntries?: number;
  /** Records to make room for at once. */
  readonly initialEntries?: number;
  /** Names all random numbers; default 1. */
  readonly seed?: number;
  readonly assume?: Context["assume"];
}
