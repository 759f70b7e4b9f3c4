/** Protocol numbers (IANA) that rules and connections know by name. */
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const SCTP = 132;
export const UDPLITE = 136;
export const DCCP = 33;

/** Names as iptables-save prints them where the node has an /etc/protocols (these are Debian 12's). */
const names = new Map<number, string>([
  [ICMP, "icmp"],
  [TCP, "tcp"],
  [UDP, "udp"],
  [ICMPV6, "ipv6-icmp"],
  [SCTP, "sctp"],
  [UDPLITE, "udplite"],
  [DCCP, "dccp"],
  [50, "esp"],
  [51, "ah"],
  [135, "mobility-header"],
  [0, "ip"],
  [2, "igmp"],
  [3, "ggp"],
  [4, "ipencap"],
  [5, "st"],
  [8, "egp"],
  [9, "igp"],
  [12, "pup"],
  [20, "hmp"],
  [22, "xns-idp"],
  [27, "rdp"],
  [29, "iso-tp4"],
  [36, "xtp"],
  [37, "ddp"],
  [38, "idpr-cmtp"],
  [41, "ipv6"],
  [43, "ipv6-route"],
  [44, "ipv6-frag"],
  [45, "idrp"],
  [46, "rsvp"],
  [47, "gre"],
  [57, "skip"],
  [59, "ipv6-nonxt"],
  [60, "ipv6-opts"],
  [73, "rspf"],
  [81, "vmtp"],
  [88, "eigrp"],
  [89, "ospf"],
  [93, "ax.25"],
  [94, "ipip"],
  [97, "etherip"],
  [98, "encap"],
  [103, "pim"],
  [108, "ipcomp"],
  [112, "vrrp"],
  [115, "l2tp"],
  [124, "isis"],
  [133, "fc"],
  [137, "mpls-in-ip"],
  [138, "manet"],
  [139, "hip"],
  [140, "shim6"],
  [141, "wesp"],
  [142, "rohc"],
  [143, "ethernet"],
]);
const numbers = new Map<string, number>([
  ...[...names].map(([number, name]) => [name, number] as const),
  ["icmpv6", ICMPV6],
  ["hopopt", 0],
  ["mh", 135],
  ["ipv6-mh", 135],
]);

/** The name of a protocol, or its number in decimal where it has none here. */
export function protocolName(protocol: number): string {
  return names.get(protocol) ?? String(protocol);
}

/** Reads a name (any case) or a number 0..255; undefined for anything else. */
export function parseProtocol(text: string): number | undefined {
  const known = numbers.get(text.toLowerCase());
  if (known !== undefined) return known;
  if (!/^\d{1,3}$/.test(text)) return undefined;
  const number = Number(text);
  return number <= 255 ? number : undefined;
}

/** Whether the protocol's header begins with a source and a destination port. */
export function hasPorts(protocol: number): boolean {
  return protocol === TCP || protocol === UDP || protocol === SCTP || protocol === UDPLITE || protocol === DCCP;
}

export function isIcmp(protocol: number): boolean {
  return protocol === ICMP || protocol === ICMPV6;
}

/** TCP header flags as they stand in byte 13. */
export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;
