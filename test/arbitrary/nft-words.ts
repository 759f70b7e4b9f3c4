/** What random nftables rule sets are made of: few values, so that rules and packets meet; and the sets every table has. */
import type { Family } from "../../src/packet/address.js";

export interface NftWords {
  /** `ip`, `ip6`: the keyword of addresses. */
  readonly address: "ip" | "ip6";
  readonly type: "ipv4_addr" | "ipv6_addr";
  readonly hosts: readonly string[];
  /** Prefixes and ranges, of which no two overlap. */
  readonly nets: readonly string[];
  readonly wide: readonly string[];
  readonly backends: readonly string[];
  /** Addresses that snat may choose from. */
  readonly sources: readonly string[];
  readonly icmp: string;
  readonly icmpTypes: readonly string[];
  readonly rejects: readonly string[];
  readonly nfproto: "ipv4" | "ipv6";
}

export const nftWords: Readonly<Record<Family, NftWords>> = {
  ip: {
    address: "ip",
    type: "ipv4_addr",
    hosts: ["10.64.0.1", "10.64.0.2", "192.0.2.1", "10.200.0.1", "10.201.0.1", "172.30.0.1", "172.30.0.2"],
    nets: ["10.64.0.0/31", "10.64.0.2-10.64.0.4", "192.0.2.0/31", "172.30.0.0/16", "203.0.113.128/25", "10.200.0.1"],
    wide: ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.0-203.0.113.255", "128.0.0.0/1"],
    backends: ["10.64.0.1", "10.64.0.2", "10.64.0.3", "10.200.0.1"],
    sources: ["10.200.0.9", "10.200.0.12"],
    icmp: "icmp",
    icmpTypes: ["echo-request", "echo-reply", "destination-unreachable", "timestamp-request"],
    rejects: ["icmp port-unreachable", "icmp net-unreachable", "icmp host-prohibited", "icmp admin-prohibited"],
    nfproto: "ipv4",
  },
  ip6: {
    address: "ip6",
    type: "ipv6_addr",
    hosts: ["fd00:64::1", "fd00:64::2", "2001:db8::1", "fd00:200::1", "fd00:201::1", "fd00:30::1", "fd00:30::2"],
    nets: [
      "fd00:64::/127",
      "fd00:64::2-fd00:64::4",
      "2001:db8::/127",
      "fd00:30::/112",
      "2001:db8:ffff::/64",
      "fd00:200::1",
    ],
    wide: ["fd00::/8", "::/0", "2001:db8::-2001:db8:ffff::ffff", "8000::/1"],
    backends: ["fd00:64::1", "fd00:64::2", "fd00:64::3", "fd00:200::1"],
    sources: ["fd00:200::9", "fd00:200::12"],
    icmp: "icmpv6",
    icmpTypes: ["echo-request", "echo-reply", "destination-unreachable"],
    rejects: ["icmpv6 port-unreachable", "icmpv6 no-route", "icmpv6 admin-prohibited", "icmpv6 addr-unreachable"],
    nfproto: "ipv6",
  },
};

/** Ports of the elements, of which no two overlap. */
export const portParts = ["22", "53", "80", "443-450", "8080", "1024-1100", "30000-65535"] as const;
const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** The sets and maps of a table. `last`: a user chain that nothing but these maps jumps from. */
export function nftSets(family: Family, pick: (from: number) => number, last: string): string[] {
  const w = nftWords[family];
  const some = <T>(all: readonly T[]): T[] => all.filter(() => pick(3) > 0);
  const elements = (list: readonly string[]): string => (list.length === 0 ? "" : ` elements = { ${list.join(", ")} }`);
  const port = (): string => portParts[pick(portParts.length)]!;
  const verdicts = ["accept", "return", "continue", `jump ${last}`, `goto ${last}`, `jump ${last}`];
  const verdict = (): string => verdicts[pick(verdicts.length)]!;
  const plainPorts = ["22", "53", "80", "443", "8080"];
  return [
    `set hosts { type ${w.type};${elements(some(w.hosts))} }`,
    `set nets { type ${w.type}; flags interval;${elements(some(w.nets))} }`,
    `set ports { type inet_service; flags interval;${elements(some(portParts))} }`,
    `set links { type ifname; flags interval;${elements(some(['"eth0"', '"tu*"', '"lo"']))} }`,
    `set services { type ${w.type} . inet_proto . inet_service;${elements(
      some(w.hosts).map((host) => `${host} . ${PROTOCOLS[pick(3)]} . ${plainPorts[pick(5)]}`),
    )} }`,
    `set ranges { type ${w.type} . inet_service; flags interval;${elements(
      some(w.nets).map((net) => `${net} . ${port()}`),
    )} }`,
    `set seen { type ${w.type}; flags dynamic,timeout; timeout 1h; size ${1 + pick(4)}; }`,
    `set lasting { type ${w.type}; flags dynamic,timeout; timeout 1h; }`,
    `set pairs { type ${w.type} . inet_service; flags dynamic; size 64; }`,
    `map marks { type inet_service : mark;${elements(some(plainPorts).map((p) => `${p} : ${pick(16)}`))} }`,
    `map backends { type ${w.type} : ${w.type};${elements(some(w.hosts).map((host) => `${host} : ${w.backends[pick(w.backends.length)]}`))} }`,
    `map targets { type ${w.type} . inet_proto . inet_service : ${w.type} . inet_service;${elements(
      some(w.hosts).map(
        (host) => `${host} . tcp . ${plainPorts[pick(5)]} : ${w.backends[pick(4)]} . ${plainPorts[pick(5)]}`,
      ),
    )} }`,
    `map verdicts { type inet_proto . inet_service : verdict;${elements(
      some(plainPorts).map((p) => `${PROTOCOLS[pick(3)]} . ${p} : ${verdict()}`),
    )} }`,
    `map spans { type ${w.type} : verdict; flags interval;${elements(some(w.nets).map((net) => `${net} : ${verdict()}`))} }`,
  ];
}
