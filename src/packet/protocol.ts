/** Protocol numbers (IANA) that rules and connections know by name. */
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const SCTP = 132;
export const UDPLITE = 136;
export const DCCP = 33;

/** Names as iptables-save prints them (its own table, then numbers). */
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
]);
const numbers = new Map<string, number>([
  ...[...names].map(([number, name]) => [name, number] as const),
  ["icmpv6", ICMPV6],
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
