import { type Address, formatEndpoint, sameAddress } from "./address.js";
import { ICMP, ICMPV6, isIcmp, protocolName } from "./protocol.js";

/**
 * What conntrack knows a direction of a flow by (struct nf_conntrack_tuple).
 * For ICMP `sport` is the identifier and `dport` is type * 256 + code, as in the kernel's union.
 */
export interface Tuple {
  readonly src: Address;
  readonly dst: Address;
  readonly protocol: number;
  readonly sport: number;
  readonly dport: number;
}

/** The reply type of each ICMP request (net/netfilter/nf_conntrack_proto_icmp.c, invmap), both ways. */
const icmpReplies: Record<number, ReadonlyMap<number, number>> = {
  [ICMP]: new Map([
    [8, 0],
    [0, 8],
    [13, 14],
    [14, 13],
    [15, 16],
    [16, 15],
    [17, 18],
    [18, 17],
  ]),
  [ICMPV6]: new Map([
    [128, 129],
    [129, 128],
    [139, 140],
    [140, 139],
  ]),
};

/** The type of the answer to an ICMP message; undefined where the message has no answer (errors, for example). */
export function icmpReplyType(protocol: number, type: number): number | undefined {
  return icmpReplies[protocol]?.get(type);
}

/** The tuple of the answers to a tuple (nf_ct_invert_tuple); undefined for an ICMP message without an answer. */
export function replyTuple(tuple: Tuple): Tuple | undefined {
  if (isIcmp(tuple.protocol)) {
    const type = icmpReplyType(tuple.protocol, tuple.dport >>> 8);
    if (type === undefined) return undefined;
    return { ...tuple, src: tuple.dst, dst: tuple.src, dport: (type << 8) | (tuple.dport & 255) };
  }
  return { src: tuple.dst, dst: tuple.src, protocol: tuple.protocol, sport: tuple.dport, dport: tuple.sport };
}

export function sameTuple(a: Tuple, b: Tuple): boolean {
  return (
    a.protocol === b.protocol &&
    a.sport === b.sport &&
    a.dport === b.dport &&
    sameAddress(a.src, b.src) &&
    sameAddress(a.dst, b.dst)
  );
}

/** `tcp 10.0.0.1:1234 -> 10.0.0.2:80`. */
export function formatTuple(tuple: Tuple): string {
  return `${protocolName(tuple.protocol)} ${formatEndpoint(tuple.src, tuple.sport)} -> ${formatEndpoint(tuple.dst, tuple.dport)}`;
}
