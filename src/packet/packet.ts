import { type Address, type Family, familyOf } from "./address.js";
import type { Tuple } from "./tuple.js";
import { isIcmp, TCP, TcpFlag } from "./protocol.js";

/** Where a packet begins its way: it comes in on an interface, or a process of the node sends it. */
export type Entrance = "prerouting" | "output";

/** One packet, as far as rules can tell packets apart. Addresses are integers in host order. */
export interface Packet extends Tuple {
  readonly family: Family;
  /** Bits of TcpFlag; 0 for other protocols. */
  readonly tcpFlags: number;
  /** The incoming interface; empty for a packet that enters at output. */
  readonly iif: string;
  /** skb->mark on entrance. */
  readonly mark: number;
  readonly entrance: Entrance;
  /** Length of the whole IP packet in bytes. */
  readonly length: number;
  /** Source hardware address, six bytes as `aa:bb:cc:dd:ee:ff`; absent where the link has none. */
  readonly mac?: string;
  /** Bridge ports the packet came in on and leaves by, where the kernel knows them (br_netfilter). */
  readonly physIn?: string;
  readonly physOut?: string;
  /** A fragment other than the first: it has no transport header. */
  readonly fragment?: boolean;
  /** The tuple embedded in an ICMP error message, as the packet that caused it was sent. */
  readonly inner?: Tuple;
}

/** What a caller must say of a packet; the rest has defaults: a TCP SYN of 60 bytes that comes in on eth0, mark 0. */
export type PacketFields = Partial<Omit<Packet, "src" | "dst">> & { src: Address; dst: Address };

export const DEFAULT_INTERFACE = "eth0";

/** Builds a packet. Throws RangeError where the two addresses are of different families. */
export function makePacket(fields: PacketFields): Packet {
  const family = familyOf(fields.src);
  if (familyOf(fields.dst) !== family) throw new RangeError("source and destination are of different families");
  const protocol = fields.protocol ?? TCP;
  const entrance = fields.entrance ?? "prerouting";
  return {
    sport: 0,
    dport: 0,
    tcpFlags: protocol === TCP ? TcpFlag.SYN : 0,
    mark: 0,
    length: 60,
    iif: entrance === "prerouting" ? DEFAULT_INTERFACE : "",
    ...fields,
    family,
    protocol,
    entrance,
  };
}

/** The packet's tuple, without the rest of it. */
export function tupleOf(packet: Tuple): Tuple {
  const { src, dst, protocol, sport, dport } = packet;
  return { src, dst, protocol, sport, dport };
}

/** The ICMP type of a packet, undefined for other protocols. */
export function icmpType(packet: Tuple): number | undefined {
  return isIcmp(packet.protocol) ? packet.dport >>> 8 : undefined;
}

/** ICMP types that report an error about another packet, whose header they carry. */
export function isIcmpError(packet: Tuple): boolean {
  const type = icmpType(packet);
  if (type === undefined) return false;
  return packet.protocol === 58 ? type >= 1 && type <= 4 : [3, 4, 5, 11, 12].includes(type);
}
