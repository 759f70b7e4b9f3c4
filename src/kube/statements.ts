import type { Address, Family } from "../packet/address.js";
import { type MaskedAddress, parsePrefix, prefixLength, prefixMask } from "../packet/prefix.js";
import type {
  Action,
  AddressMatch,
  CommentMatch,
  InterfaceMatch,
  Match,
  ProtocolMatch,
  RandomMatch,
  RecentMatch,
  Rule,
  Statement,
  TransportMatch,
  Verdict,
} from "../ruleset/types.js";
import type { LocalDetector } from "./configuration.js";

// The statements kube-proxy's rules are made of, in the order iptables-save prints them: -s, -d, -i, -p, then the
// matches as they stood on the command line, then the target. Equal ones are shared: statements are immutable.

export function rule(...statements: Statement[]): Rule {
  return { statements };
}

export function source(prefix: MaskedAddress, negate = false): AddressMatch {
  return { kind: "address", field: "saddr", value: prefix.value, mask: prefix.mask, negate };
}

/** A source, or nothing where every one is meant: iptables-save does not print `-s 0.0.0.0/0`. */
export function sourceWithin(prefix: MaskedAddress): AddressMatch[] {
  return prefixLength(prefix.mask) === 0 ? [] : [source(prefix)];
}

export function sourceHost(address: Address): AddressMatch {
  return { kind: "address", field: "saddr", value: address, mask: hostMask(address), negate: false };
}

/** Shared: there are as many host addresses in a rule set as rules. */
function hostMask(address: Address): Address {
  return typeof address === "number" ? HOST_4 : HOST_6;
}

export function destination(prefix: MaskedAddress, negate = false): AddressMatch {
  return { kind: "address", field: "daddr", value: prefix.value, mask: prefix.mask, negate };
}

export function destinationHost(address: Address): AddressMatch {
  return { kind: "address", field: "daddr", value: address, mask: hostMask(address), negate: false };
}

const protocols = new Map<number, ProtocolMatch>();

export function protocol(number: number): ProtocolMatch {
  let match = protocols.get(number);
  if (match === undefined) protocols.set(number, (match = { kind: "protocol", protocol: number, negate: false }));
  return match;
}

const bare = new Map<number, TransportMatch>();

/** `-m tcp` with a destination port, or without any test where no port is given. */
export function transport(protocol: number, port?: number): TransportMatch {
  if (port !== undefined) return { kind: "transport", protocol, dport: { ranges: [[port, port]], negate: false } };
  let match = bare.get(protocol);
  if (match === undefined) bare.set(protocol, (match = { kind: "transport", protocol }));
  return match;
}

export function comment(text: string): CommentMatch {
  return { kind: "comment", text };
}

const randoms = new Map<string, RandomMatch>();

/**
 * `-m statistic --mode random --probability` for the first of n endpoints left: 1/n, written with so many decimals by
 * kube-proxy (computeProbability) and stored by iptables as round(p * 2^31).
 */
export function oneOf(n: number, decimals: number): RandomMatch {
  const key = `${n} ${decimals}`;
  let match = randoms.get(key);
  if (match === undefined) {
    const threshold = Math.round(Number((1 / n).toFixed(decimals)) * 2 ** 31);
    randoms.set(key, (match = { kind: "random", threshold, negate: false }));
  }
  return match;
}

/** `(mark & mask) == value`; without a mask the value is its own. */
export function mark(value: number, negate = false, mask = value): Match {
  return { kind: "mark", field: "mark", value, mask, negate };
}

/** MARK --set-xmark. */
export function setMark(clear: number, xor: number): Action {
  return { kind: "set-mark", field: "mark", clear, xor };
}

export function conntrackState(bits: number, negate = false): Match {
  return { kind: "conntrack", module: "conntrack", state: { bits, negate } };
}

export const SOURCE_LOCAL: Match = { kind: "address-type", source: { types: ["LOCAL"], negate: false } };
export const SOURCE_NOT_LOCAL: Match = { kind: "address-type", source: { types: ["LOCAL"], negate: true } };
export const DESTINATION_LOCAL: Match = { kind: "address-type", destination: { types: ["LOCAL"], negate: false } };
export const NOT_FROM_BRIDGE: Match = { kind: "physdev", isIn: { negate: true } };

/** `-m nfacct`: always true, counts. */
export function accounting(name: string): Match {
  return { kind: "accounting", name };
}

/** `-m recent --rcheck --seconds T --reap`: the client went to this endpoint within so many seconds. */
export function seenWithin(chain: string, seconds: number, family: Family): RecentMatch {
  return { ...recent("rcheck", chain, family), seconds, reap: true };
}

/** `-m recent --set`: remembers that the client goes to this endpoint. */
export function remember(chain: string, family: Family): RecentMatch {
  return recent("set", chain, family);
}

function recent(action: "set" | "rcheck", name: string, family: Family): RecentMatch {
  const mask = prefixMask(family, family === "ip" ? 32 : 128);
  return { kind: "recent", action, name, side: "source", mask, negate: false };
}

export function dnat(address: Address, port: number): Action {
  return { kind: "dnat", to: { addresses: [address, address], ports: [port, port] } };
}

export function jump(chain: string): Verdict {
  return { kind: "jump", chain };
}

export const ACCEPT: Verdict = { kind: "accept" };
export const DROP: Verdict = { kind: "drop" };
export const RETURN: Verdict = { kind: "return" };

const REJECT_4: Verdict = { kind: "reject", with: "icmp-port-unreachable" };
const REJECT_6: Verdict = { kind: "reject", with: "icmp6-port-unreachable" };

/** REJECT without options: port unreachable. */
export function reject(family: Family): Verdict {
  return family === "ip" ? REJECT_4 : REJECT_6;
}

/** Traffic of local pods, or with `negate` all other traffic. */
export function localTraffic(detector: LocalDetector, negate: boolean): AddressMatch | InterfaceMatch {
  return detector.kind === "prefix"
    ? source(detector.prefix, negate)
    : { kind: "interface", field: "iif", name: detector.name, prefix: detector.prefix, negate };
}

/**
 * The test of local traffic together with one of the destination, in the order they print: a source stands before
 * the destination, an interface after it.
 */
export function withLocalTraffic(
  detector: LocalDetector,
  negate: boolean,
  destination: AddressMatch,
): [Statement, Statement] {
  const local = localTraffic(detector, negate);
  return local.kind === "address" ? [local, destination] : [destination, local];
}

/** 127.0.0.0/8 or ::1/128. */
export function loopback(family: Family): MaskedAddress {
  return family === "ip" ? LOOPBACK_4 : LOOPBACK_6;
}

const HOST_4 = prefixMask("ip", 32);
const HOST_6 = prefixMask("ip6", 128);
const LOOPBACK_4 = parsePrefix("127.0.0.0/8")!;
const LOOPBACK_6 = parsePrefix("::1/128")!;
