import { replyTuple, type Tuple } from "./tuple.js";

/** The states a rule can see, in the order of iptables' own list; the value is the bit of CtState. */
export const CtState = { invalid: 1, new: 2, related: 4, established: 8, untracked: 16, snat: 32, dnat: 64 } as const;
export type CtStateName = "invalid" | "new" | "related" | "established" | "untracked";

/** Status bits of an entry (enum ip_conntrack_status in nf_conntrack_common.h). */
export const CtStatus = {
  expected: 1,
  seenReply: 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
} as const;

/**
 * A connection as rules see it: a read-only view, given to the walk. The entry itself belongs to conntrack.
 * `original` and `reply` are its two tuples; where they are not each other's inverse, the connection is translated.
 */
export interface Connection {
  readonly state: CtStateName;
  /** Which way this packet goes. */
  readonly direction: "original" | "reply";
  /** Bits of CtStatus. */
  readonly status: number;
  /** The connection mark (ctmark). */
  readonly mark: number;
  /** Absent for a packet without an entry: invalid, untracked, or new and not yet translated. */
  readonly original?: Tuple;
  readonly reply?: Tuple;
}

/** The first packet of a connection. */
export const NEW_CONNECTION: Connection = { state: "new", direction: "original", status: 0, mark: 0 };
export const INVALID_CONNECTION: Connection = { state: "invalid", direction: "original", status: 0, mark: 0 };
export const UNTRACKED_CONNECTION: Connection = { state: "untracked", direction: "original", status: 0, mark: 0 };

/**
 * The tuple a packet of an established connection leaves with (nf_nat_packet, net/netfilter/nf_nat_core.c): the inverse of
 * the tuple of the other direction. The destination changes at prerouting or output, the source at postrouting or input.
 */
export function translatedTuple(tuple: Tuple, connection: Connection): Tuple {
  const other = connection.direction === "original" ? connection.reply : connection.original;
  if (other === undefined || connection.state === "new") return tuple;
  return replyTuple(other) ?? tuple;
}
