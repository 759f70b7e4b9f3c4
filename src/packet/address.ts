import ipaddr from "ipaddr.js";

/** An IPv4 address as one uint32 in host order, for example 10.0.0.1 = 0x0a000001. */
export type IPv4 = number;
/** An IPv6 address as four uint32 in host order, the most significant first. */
export type IPv6 = readonly [number, number, number, number];
/** An address of either family; `typeof address === "number"` tells them apart. JSON-able. */
export type Address = IPv4 | IPv6;
/** The families of a packet. A table may also be of family `inet`, which sees both. */
export type Family = "ip" | "ip6";

export const ANY_IPV4: IPv4 = 0;
export const ANY_IPV6: IPv6 = [0, 0, 0, 0];

export function familyOf(address: Address): Family {
  return typeof address === "number" ? "ip" : "ip6";
}

/** The all-zero address of a family. */
export function anyAddress(family: Family): Address {
  return family === "ip" ? ANY_IPV4 : ANY_IPV6;
}

/** Reads an IPv4 or IPv6 address in its usual spelling; undefined for anything else (shortened IPv4 such as `10.1` too). */
export function parseAddress(text: string): Address | undefined {
  const quick = parseDotted(text, 0, text.length);
  if (quick >= 0) return quick;
  if (!text.includes(":") || text.includes("%")) return undefined;
  const groups = expandDotted(text);
  if (groups === undefined || !ipaddr.IPv6.isValid(groups)) return undefined;
  const parts = ipaddr.IPv6.parse(groups).parts;
  return [0, 1, 2, 3].map((i) => ((parts[2 * i]! << 16) | parts[2 * i + 1]!) >>> 0) as unknown as IPv6;
}

/** Writes the dotted end of `::1.2.3.4` as two groups: ipaddr.js takes such an address for `::ffff:1.2.3.4`. */
function expandDotted(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const tail = text.lastIndexOf(":") + 1;
  const value = parseDotted(text, tail, text.length);
  return value < 0
    ? undefined
    : `${text.slice(0, tail)}${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

/**
 * Reads dotted decimal digits of `text` between two offsets, without allocating; -1 where that is no IPv4 address.
 * Dumps hold hundreds of thousands of them: this is the one parser that is not left to ipaddr.js.
 */
export function parseDotted(text: string, from: number, to: number): number {
  let value = 0;
  let octet = -1;
  let dots = 0;
  let digits = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      if (octet < 0 || dots === 3) return -1;
      value = value * 256 + octet;
      octet = -1;
      digits = 0;
      dots++;
    } else if (c >= 48 && c <= 57) {
      if (octet === 0 && digits > 0) return -1; // a leading zero means octal to some programs: refused
      octet = (octet < 0 ? 0 : octet) * 10 + (c - 48);
      if (octet > 255 || ++digits > 3) return -1;
    } else return -1;
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : -1;
}

/** The canonical spelling: dotted decimal, or RFC 5952 for IPv6 (IPv4-mapped addresses in dotted form, as inet_ntop prints them). */
export function formatAddress(address: Address): string {
  if (typeof address === "number") {
    return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  }
  const [a, b, c, d] = address;
  if (a === 0 && b === 0 && c === 0xffff) return `::ffff:${formatAddress(d)}`;
  if (a === 0 && b === 0 && c === 0 && d > 0xffff) return `::${formatAddress(d)}`;
  const parts = address.flatMap((word) => [word >>> 16, word & 0xffff]);
  return new ipaddr.IPv6(parts).toRFC5952String();
}

/** `address:port`, or `[address]:port` for IPv6. */
export function formatEndpoint(address: Address, port: number): string {
  return typeof address === "number" ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`;
}

/** Reads `address:port` or `[address]:port`; undefined where it is neither or the port is over 65535. */
export function parseEndpoint(text: string): { address: Address; port: number } | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (!parts) return undefined;
  const address = parseAddress((parts[1] ?? parts[2])!);
  const port = Number(parts[3]);
  if (address === undefined || port > 0xffff || (parts[1] !== undefined) !== (typeof address !== "number"))
    return undefined;
  return { address, port };
}

export function sameAddress(a: Address, b: Address): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** Orders addresses of one family as unsigned integers. */
export function compareAddresses(a: Address, b: Address): number {
  if (typeof a === "number" || typeof b === "number") return (a as number) - (b as number);
  for (let i = 0; i < 4; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** The address as words of 32 bits: one for IPv4, four for IPv6. */
export function addressWords(address: Address): readonly number[] {
  return typeof address === "number" ? [address] : address;
}

/** The inverse of addressWords, reading from a typed array at an offset. */
export function addressAt(words: Uint32Array, offset: number, family: Family): Address {
  return family === "ip"
    ? words[offset]!
    : [words[offset]!, words[offset + 1]!, words[offset + 2]!, words[offset + 3]!];
}
