/** Fields of headers: ip, ip6, tcp, udp, sctp, th, icmp (src/proto.c). */
import { DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../../../packet/protocol.js";
import { type Selector, selector, type SelectorGroup } from "../selector.js";

const transports: readonly (readonly [string, number | undefined])[] = [
  ["tcp", TCP],
  ["udp", UDP],
  ["udplite", UDPLITE],
  ["sctp", SCTP],
  ["dccp", DCCP],
  ["th", undefined],
];

const ports = transports.flatMap(([name, protocol]): Selector[] =>
  (["sport", "dport"] as const).map((field) =>
    selector(`${name} ${field}`, "inet_service", protocol === undefined ? { field } : { field, protocol }),
  ),
);

export const payload: SelectorGroup = {
  selectors: [
    selector("ip saddr", "ipv4_addr", { field: "saddr", family: "ip" }),
    selector("ip daddr", "ipv4_addr", { field: "daddr", family: "ip" }),
    selector("ip6 saddr", "ipv6_addr", { field: "saddr", family: "ip6" }),
    selector("ip6 daddr", "ipv6_addr", { field: "daddr", family: "ip6" }),
    selector("ip protocol", "inet_proto", { field: "protocol", family: "ip", spelled: "ip protocol" }),
    selector("ip6 nexthdr", "inet_proto", { field: "protocol", family: "ip6", spelled: "ip6 nexthdr" }),
    selector("ip length", "integer", { field: "length", family: "ip", spelled: "ip length" }, { bytes: 2 }),
    ...ports,
    selector("tcp flags", "tcp_flag", { field: "tcp-flags", protocol: TCP }),
    selector("icmp type", "icmp_type", { field: "icmp-type", protocol: ICMP }),
    selector("icmp code", "icmp_code", { field: "icmp-code", protocol: ICMP }),
    selector("icmpv6 type", "icmpv6_type", { field: "icmp-type", protocol: ICMPV6 }),
    selector("icmpv6 code", "icmpv6_code", { field: "icmp-code", protocol: ICMPV6 }),
  ],
  foreign: [
    ...words("ip", "version hdrlength dscp ecn id frag-off ttl checksum option"),
    ...words("ip6", "version dscp ecn flowlabel length hoplimit"),
    ...words("tcp", "sequence ackseq doff reserved window checksum urgptr option"),
    ...words("udp", "length checksum"),
    ...words("udplite", "checksum csumcov"),
    ...words("sctp", "vtag checksum chunk"),
    ...words("dccp", "type option"),
    ...words("icmp", "checksum id sequence mtu gateway"),
    ...words("icmpv6", "checksum parameter-problem packet-too-big id sequence max-delay"),
    ..."ether vlan arp ah esp comp igmp gre vxlan geneve gretap exthdr hbh frag dst rt srh mh @ll @nh @th @ih".split(
      " ",
    ),
  ],
};

function words(first: string, seconds: string): string[] {
  return seconds.split(" ").map((second) => `${first} ${second}`);
}
