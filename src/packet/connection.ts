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
  /**
   * Absent for a packet without an entry: invalid, untracked, or the first of its connection. A later packet of a connection that has seen
   * no reply is `new` too (ctinfo IP_CT_NEW), but has its entry: both tuples, status `confirmed`; the nat chains are not asked again.
   */
  readonly original?: Tuple;
  readonly reply?: Tuple;
}

/** The first packet of a connection. */
export const NEW_CONNECTION: Connection = { state: "new", direction: "original", status: 0, mark: 0 };
export const INVALID_CONNECTION: Connection = { state: "invalid", direction: "original", status: 0, mark: 0 };
export const UNTRACKED_CONNECTION: Connection = { state: "untracked", direction: "original", status: 0, mark: 0 };

/** Whether the packet has an entry in the table, so that its translation is settled. */
export function hasEntry(connection: Connection): boolean {
  return (connection.status & CtStatus.confirmed) !== 0;
}

/**
 * The tuple a packet with an entry leaves with (nf_nat_packet, net/netfilter/nf_nat_core.c): the inverse of the tuple of the other
 * direction. The destination changes at prerouting or output, the source at postrouting or input. An ICMP error (related) only gets the
 * addresses that the connection's translation changes.
 */
export function translatedTuple(tuple: Tuple, connection: Connection): Tuple {
  const other = connection.direction === "original" ? connection.reply : connection.original;
  const target = other && replyTuple(other);
  if (target === undefined) return tuple;
  if (connection.state !== "related") return target;
  const isReply = connection.direction === "reply";
  const changes = (bit: number, inverse: number): boolean => (connection.status & (isReply ? inverse : bit)) !== 0;
  return {
    ...tuple,
    src: changes(CtStatus.snat, CtStatus.dnat) ? target.src : tuple.src,
    dst: changes(CtStatus.dnat, CtStatus.snat) ? target.dst : tuple.dst,
  };
}
