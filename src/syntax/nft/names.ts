/** Names nft prints for numbers, by data type (src/datatype.c, ct.c, fib.c, proto.c). */
import { CtState, CtStatus } from "../../packet/connection.js";
import { TcpFlag } from "../../packet/protocol.js";

export type Names = readonly (readonly [name: string, value: number])[];

/** In the order of the kernel's bits, which is the order nft prints them in; the values are this project's own. */
export const ctStates: Names = [
  ["invalid", CtState.invalid],
  ["established", CtState.established],
  ["related", CtState.related],
  ["new", CtState.new],
  ["untracked", CtState.untracked],
];
/** NF_CT_STATE_BIT of each of ctStates. */
export const kernelStateBits: readonly number[] = [1, 2, 4, 8, 64];

export const ctStatuses: Names = [
  ["expected", CtStatus.expected],
  ["seen-reply", CtStatus.seenReply],
  ["assured", CtStatus.assured],
  ["confirmed", CtStatus.confirmed],
  ["snat", CtStatus.snat],
  ["dnat", CtStatus.dnat],
  ["dying", 512],
];
export const tcpFlags: Names = [
  ["fin", TcpFlag.FIN],
  ["syn", TcpFlag.SYN],
  ["rst", TcpFlag.RST],
  ["psh", TcpFlag.PSH],
  ["ack", TcpFlag.ACK],
  ["urg", TcpFlag.URG],
  ["ecn", 64],
  ["cwr", 128],
];
export const ctDirections: Names = [
  ["original", 0],
  ["reply", 1],
];
export const protocolFamilies: Names = [
  ["ipv4", 2],
  ["ipv6", 10],
];
export const addressTypes: Names = [
  ["unspec", 0],
  ["unicast", 1],
  ["local", 2],
  ["broadcast", 3],
  ["anycast", 4],
  ["multicast", 5],
  ["blackhole", 6],
  ["unreachable", 7],
  ["prohibit", 8],
];
export const icmpTypes: Names = [
  ["echo-reply", 0],
  ["destination-unreachable", 3],
  ["source-quench", 4],
  ["redirect", 5],
  ["echo-request", 8],
  ["router-advertisement", 9],
  ["router-solicitation", 10],
  ["time-exceeded", 11],
  ["parameter-problem", 12],
  ["timestamp-request", 13],
  ["timestamp-reply", 14],
  ["info-request", 15],
  ["info-reply", 16],
  ["address-mask-request", 17],
  ["address-mask-reply", 18],
];
export const icmpv6Types: Names = [
  ["destination-unreachable", 1],
  ["packet-too-big", 2],
  ["time-exceeded", 3],
  ["parameter-problem", 4],
  ["echo-request", 128],
  ["echo-reply", 129],
  ["mld-listener-query", 130],
  ["mld-listener-report", 131],
  ["mld-listener-done", 132],
  ["mld-listener-reduction", 132],
  ["nd-router-solicit", 133],
  ["nd-router-advert", 134],
  ["nd-neighbor-solicit", 135],
  ["nd-neighbor-advert", 136],
  ["nd-redirect", 137],
  ["router-renumbering", 138],
  ["ind-neighbor-solicit", 141],
  ["ind-neighbor-advert", 142],
  ["mld2-listener-report", 143],
];
export const icmpCodes: Names = [
  ["net-unreachable", 0],
  ["host-unreachable", 1],
  ["prot-unreachable", 2],
  ["port-unreachable", 3],
  ["frag-needed", 4],
  ["net-prohibited", 9],
  ["host-prohibited", 10],
  ["admin-prohibited", 13],
];
export const icmpv6Codes: Names = [
  ["no-route", 0],
  ["admin-prohibited", 1],
  ["addr-unreachable", 3],
  ["port-unreachable", 4],
  ["policy-fail", 5],
  ["reject-route", 6],
];
