/** What the fields of nftables hold for a packet (net/netfilter/nft_payload.c, nft_meta.c, nft_ct.c, nft_fib.c). Undefined: the packet has none. */
import type { Address } from "../packet/address.js";
import { CtState } from "../packet/connection.js";
import type { AddressType } from "../packet/node.js";
import { hasPorts, ICMP, ICMPV6, isIcmp, TCP } from "../packet/protocol.js";
import type { FieldExpression } from "../ruleset/types.js";
import { UNKNOWN, type Value } from "./value.js";
import type { Walk } from "./walk.js";

/** RTN_ numbers of the address types (linux/rtnetlink.h). */
const ADDRESS_TYPES: Readonly<Record<AddressType, number>> = {
  UNSPEC: 0,
  UNICAST: 1,
  LOCAL: 2,
  BROADCAST: 3,
  ANYCAST: 4,
  MULTICAST: 5,
};

/** NFPROTO_IPV4 and NFPROTO_IPV6. */
const NFPROTO = { ip: 2, ip6: 10 } as const;

/** The value of a field; undefined fails the rule. */
export function fieldOf({ field, protocol, family }: FieldExpression, walk: Walk): Value | undefined {
  const { packet } = walk;
  if (family !== undefined && family !== packet.family) return undefined;
  if (protocol !== undefined && protocol !== walk.protocol) return undefined;
  switch (field) {
    case "saddr":
      return walk.src;
    case "daddr":
      return walk.dst;
    case "protocol":
      return walk.protocol;
    case "sport":
    case "dport":
      return transportPort(field, walk);
    case "icmp-type":
    case "icmp-code":
      if (packet.fragment === true || !isIcmp(walk.protocol)) return undefined;
      return field === "icmp-type" ? walk.dport >>> 8 : walk.dport & 255;
    case "tcp-flags":
      return packet.fragment === true || walk.protocol !== TCP ? undefined : packet.tcpFlags;
    case "length":
      return packet.length;
    case "nfproto":
      return NFPROTO[packet.family];
    case "iif":
      return walk.iif;
    case "oif":
      return walk.oif;
    case "mark":
      return walk.mark;
    case "saddr-type":
      return addressType(walk.src, walk);
    case "daddr-type":
      return addressType(walk.dst, walk);
    case "random":
      return walk.random();
    default:
      return connectionField(field, walk);
  }
}

/** The first two words of the transport header, whatever they are: of ICMP type and code, then a checksum. */
export function transportPort(end: "sport" | "dport", walk: Walk): number | undefined {
  if (walk.packet.fragment === true) return undefined;
  if (hasPorts(walk.protocol)) return walk[end];
  return (walk.protocol === ICMP || walk.protocol === ICMPV6) && end === "sport" ? walk.dport : UNKNOWN;
}

function addressType(address: Address, walk: Walk): number {
  if (walk.context.node.addresses.length === 0) walk.given.add("the node has no address besides loopback");
  return ADDRESS_TYPES[walk.context.node.addressType(address)];
}

/** Status bits of an entry whose nat chains were asked (IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE). */
const NAT_DONE = { source: 128, destination: 256 } as const;

function connectionField(field: FieldExpression["field"], walk: Walk): Value | undefined {
  const connection = walk.seenConnection();
  walk.given.add(`connection ${connection?.state ?? "not yet tracked"}`);
  if (field === "ct-state") return CtState[connection?.state ?? "invalid"];
  if (connection === undefined || connection.state === "invalid" || connection.state === "untracked") return undefined;
  const { original, reply } = connection;
  switch (field) {
    case "ctmark":
      return walk.ctmark;
    case "ct-status":
      return (
        connection.status |
        (walk.settled.source ? NAT_DONE.source : 0) |
        (walk.settled.destination ? NAT_DONE.destination : 0)
      );
    case "ct-direction":
      return connection.direction === "original" ? 0 : 1;
    case "ct-protocol":
      return original?.protocol;
    case "ct-original-saddr":
      return original?.src;
    case "ct-original-daddr":
      return original?.dst;
    case "ct-original-sport":
      return original?.sport;
    case "ct-original-dport":
      return original?.dport;
    case "ct-reply-saddr":
      return reply?.src;
    case "ct-reply-daddr":
      return reply?.dst;
    case "ct-reply-sport":
      return reply?.sport;
    default:
      return reply?.dport;
  }
}
