/** ICMP errors: they belong to the connection of the packet they carry, and are translated with it. */
import { sameAddress } from "../packet/address.js";
import { CtStatus } from "../packet/connection.js";
import type { Packet } from "../packet/packet.js";
import { replyTuple } from "../packet/tuple.js";
import type { ConntrackTable } from "./table.js";

/**
 * The ref an ICMP error is related to, in the direction the error itself goes (nf_conntrack_inet_error, net/netfilter/nf_conntrack_proto_icmp.c); 0
 * where there is none, and the error is INVALID: also where it is not sent to the end of the connection that the carried packet came from.
 */
export function relatedRef(table: ConntrackTable, packet: Packet): number {
  const answer = packet.inner && replyTuple(packet.inner);
  if (answer === undefined) return 0;
  const ref = table.lookup(answer);
  return ref !== 0 && sameAddress(packet.dst, answer.dst) ? ref : 0;
}

/**
 * Translates an ICMP error and the tuple in it (nf_nat_icmp_reply_translation, net/netfilter/nf_nat_proto.c). The outer addresses become those a packet
 * of the connection would get, whoever sent the error; `status` are bits of CtStatus.
 */
export function translateError(table: ConntrackTable, ref: number, status: number, packet: Packet): Packet {
  const other = table.tuple(ref ^ 1);
  const target = replyTuple(other);
  const inner = packet.inner;
  if (target === undefined || inner === undefined) return packet;
  const isReply = (ref & 1) === 1;
  const changesDestination = (status & (isReply ? CtStatus.snat : CtStatus.dnat)) !== 0;
  const changesSource = (status & (isReply ? CtStatus.dnat : CtStatus.snat)) !== 0;
  return {
    ...packet,
    src: changesSource ? target.src : packet.src,
    dst: changesDestination ? target.dst : packet.dst,
    inner: {
      ...inner,
      ...(changesDestination ? { src: other.src, sport: other.sport } : {}),
      ...(changesSource
        ? { dst: other.dst, ...(inner.protocol === other.protocol ? { dport: other.dport } : {}) }
        : {}),
    },
  };
}
