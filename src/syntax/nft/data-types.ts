/** The data types of nft: one value of each, read and printed. Ranges, prefixes and lists of them are in values.ts. */
import { type Address, familyOf, formatAddress, parseAddress } from "../../packet/address.js";
import { hostPrefix } from "../../packet/prefix.js";
import { parseProtocol, protocolName } from "../../packet/protocol.js";
import type { KeyPart, KeyType } from "../../ruleset/types.js";
import { parseNumber, parsePort, UINT32 } from "../iptables/values.js";
import {
  addressTypes,
  ctDirections,
  ctStates,
  ctStatuses,
  icmpCodes,
  icmpTypes,
  icmpv6Codes,
  icmpv6Types,
  kernelStateBits,
  type Names,
  protocolFamilies,
  tcpFlags,
} from "./names.js";

export interface DataType {
  readonly name: KeyType;
  /** What a value of it is, for messages. */
  readonly what: string;
  /** One value; undefined where the word is none. */
  parse(word: string, quoted: boolean): KeyPart | undefined;
  /** One number of it; addresses and names have their own ways. */
  formatNumber(value: number): string;
  /** The bits of a type whose values are sets of bits, by name. */
  readonly bits?: Names;
  /** Values may have a prefix length. */
  readonly prefixes?: true;
  /** Elements nft prints in a line of a named set. */
  readonly perLine: number;
  /** In memory, for the order of concatenated elements: bytes, and whether the highest comes first. */
  readonly bytes: number;
  readonly bigEndian: boolean;
  /** The largest number. */
  readonly max: number;
}

type NumberType = Pick<DataType, "name" | "what" | "perLine" | "bytes" | "bigEndian"> & {
  readonly names?: Names;
  readonly bits?: Names;
  readonly prefixes?: true;
  readonly format?: (value: number) => string;
  readonly word?: (word: string) => number | undefined;
};

function numberType(of: NumberType): DataType {
  const { names, word, format, ...rest } = of;
  const byName = new Map(names ?? of.bits);
  const byNumber = new Map([...(names ?? of.bits ?? [])].reverse().map(([name, value]) => [value, name]));
  const max = of.bytes === 1 ? 0xff : of.bytes === 2 ? 0xffff : UINT32;
  return {
    ...rest,
    max,
    parse: (text, quoted) => {
      if (quoted && byName.size === 0) return undefined;
      const value = byName.get(text) ?? word?.(text) ?? parseNumber(text, max);
      return value === undefined ? undefined : [value, value];
    },
    formatNumber: (value) => byNumber.get(value) ?? (format ?? String)(value),
  };
}

function addressType(name: "ipv4_addr" | "ipv6_addr"): DataType {
  const family = name === "ipv4_addr" ? "ip" : "ip6";
  return {
    name,
    what: family === "ip" ? "an IPv4 address" : "an IPv6 address",
    parse: (word, quoted) => {
      const address = quoted ? undefined : parseAddress(word);
      return address === undefined || familyOf(address) !== family ? undefined : hostPrefix(address);
    },
    formatNumber: (value) => formatAddress(value),
    prefixes: true,
    perLine: family === "ip" ? 2 : 1,
    bytes: family === "ip" ? 4 : 16,
    bigEndian: true,
    max: UINT32,
  };
}

const hexMark = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
const INTERFACE_NAME = 15;

/** Interface names: words, a star at the end meaning every name that begins so. */
function nameType(name: "ifname" | "iface_index"): DataType {
  return {
    name,
    what: "an interface name of at most 15 characters",
    parse: (word) => {
      if (word === "" || word.replace(/\\?\*$/, "").length > INTERFACE_NAME || /[\s/]/.test(word)) return undefined;
      return name === "iface_index" && word === "1" ? "lo" : word; // lo is the first interface of every network namespace
    },
    formatNumber: String,
    perLine: name === "ifname" ? 1 : 5,
    bytes: name === "ifname" ? 16 : 4,
    bigEndian: true,
    max: 0,
  };
}

function integerType(bytes: number): DataType {
  return numberType({ name: "integer", what: "a number", perLine: 5, bytes, bigEndian: true });
}

export const dataTypes: { readonly [K in KeyType]: DataType } = {
  ipv4_addr: addressType("ipv4_addr"),
  ipv6_addr: addressType("ipv6_addr"),
  inet_proto: numberType({
    name: "inet_proto",
    what: "a protocol",
    perLine: 5,
    bytes: 1,
    bigEndian: true,
    word: parseProtocol,
    format: protocolName,
  }),
  inet_service: numberType({
    name: "inet_service",
    what: "a port from 0 to 65535",
    perLine: 5,
    bytes: 2,
    bigEndian: true,
    word: parsePort,
  }),
  icmp_type: numberType({
    name: "icmp_type",
    what: "an ICMP type",
    perLine: 1,
    bytes: 1,
    bigEndian: true,
    names: icmpTypes,
  }),
  icmpv6_type: numberType({
    name: "icmpv6_type",
    what: "an ICMPv6 type",
    perLine: 1,
    bytes: 1,
    bigEndian: true,
    names: icmpv6Types,
  }),
  icmp_code: numberType({
    name: "icmp_code",
    what: "an ICMP code",
    perLine: 1,
    bytes: 1,
    bigEndian: true,
    names: icmpCodes,
  }),
  icmpv6_code: numberType({
    name: "icmpv6_code",
    what: "an ICMPv6 code",
    perLine: 1,
    bytes: 1,
    bigEndian: true,
    names: icmpv6Codes,
  }),
  ifname: nameType("ifname"),
  iface_index: nameType("iface_index"),
  mark: numberType({
    name: "mark",
    what: "a mark of 32 bits",
    perLine: 5,
    bytes: 4,
    bigEndian: false,
    prefixes: true,
    format: hexMark,
  }),
  ct_state: numberType({
    name: "ct_state",
    what: "a connection state (invalid, established, related, new, untracked)",
    perLine: 2,
    bytes: 4,
    bigEndian: false,
    bits: ctStates,
    // A number is one of the kernel's bits.
    word: (word) => {
      const number = parseNumber(word, UINT32);
      if (number === undefined) return undefined;
      let state = 0;
      kernelStateBits.forEach((bit, i) => (state |= (number & bit) !== 0 ? ctStates[i]![1] : 0));
      return state;
    },
  }),
  ct_status: numberType({
    name: "ct_status",
    what: "a connection status (expected, seen-reply, assured, confirmed, snat, dnat)",
    perLine: 2,
    bytes: 4,
    bigEndian: false,
    bits: ctStatuses,
  }),
  ct_dir: numberType({
    name: "ct_dir",
    what: "original or reply",
    perLine: 5,
    bytes: 1,
    bigEndian: false,
    names: ctDirections,
  }),
  tcp_flag: numberType({
    name: "tcp_flag",
    what: "a TCP flag (fin, syn, rst, psh, ack, urg, ecn, cwr)",
    perLine: 5,
    bytes: 1,
    bigEndian: true,
    bits: tcpFlags,
  }),
  fib_addrtype: numberType({
    name: "fib_addrtype",
    what: "a type of address (unicast, local, broadcast, ...)",
    perLine: 1,
    bytes: 4,
    bigEndian: false,
    names: addressTypes,
  }),
  nf_proto: numberType({
    name: "nf_proto",
    what: "ipv4 or ipv6",
    perLine: 5,
    bytes: 1,
    bigEndian: false,
    names: protocolFamilies,
  }),
  integer: integerType(4),
};

export function addressTypeOf(address: Address): DataType {
  return typeof address === "number" ? dataTypes.ipv4_addr : dataTypes.ipv6_addr;
}
