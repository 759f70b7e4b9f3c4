/** What each match answers: one function a match, shared by every engine. Named after the kernel file each follows. */
import type { Address } from "../packet/address.js";
import { compareAddresses } from "../packet/address.js";
import { type Connection, CtState, CtStatus } from "../packet/connection.js";
import type { Node } from "../packet/node.js";
import { contains, insideMask, maskAddress } from "../packet/prefix.js";
import { hasPorts, isIcmp } from "../packet/protocol.js";
import type { Tuple } from "../packet/tuple.js";
import type { IpSet } from "../ruleset/ipset.js";
import type {
  AddressTest,
  AddressTypeName,
  AddressTypeTest,
  ConntrackMatch,
  InterfaceTest,
  LimitMatch,
  Match,
  PortRange,
  PortTest,
  TransportMatch,
} from "../ruleset/types.js";
import { inIpSet } from "./ipset.js";
import { evaluate, evaluateKey } from "./expression.js";
import { transportPort } from "./field.js";
import { findKey, UNKNOWN_PORT } from "./lookup.js";
import { describe, type Place, refuse } from "./place.js";
import { holds, singleValue, UNKNOWN } from "./value.js";
import type { Walk } from "./walk.js";

export type Evaluate<M extends Match> = (match: M, walk: Walk, place: Place) => boolean;
export type MatchTable = { readonly [K in Match["kind"]]: Evaluate<Extract<Match, { kind: K }>> };

const inRanges = (ranges: readonly PortRange[], port: number): boolean =>
  ranges.some(([first, last]) => port >= first && port <= last);
const portHolds = (test: PortTest | undefined, port: number): boolean =>
  test === undefined || inRanges(test.ranges, port) !== test.negate;

/** The ipsets by name; a rule set is evaluated with the sets it was given. */
export type IpSets = ReadonlyMap<string, IpSet>;

/** The table of all matches. `ipsets`: what `-m set` looks into; a set that is not there is refused when reached. */
export function matchTable(ipsets: IpSets = new Map()): MatchTable {
  return {
    // net/ipv4/netfilter/ip_tables.c, ip_packet_match; in an inet table a packet of the other family has no such address
    address: (m, walk) => {
      const address = walk[m.field === "saddr" ? "src" : "dst"];
      return typeof address === typeof m.value && insideMask(address, m.value, m.mask) !== m.negate;
    },
    "address-range": (m, walk) => {
      const address = walk[m.field === "saddr" ? "src" : "dst"];
      if (typeof address !== typeof m.first) return false;
      const inside = compareAddresses(address, m.first) >= 0 && compareAddresses(address, m.last) <= 0;
      return inside !== m.negate;
    },
    interface: (m, walk) => interfaceHolds(m, walk[m.field]),
    protocol: (m, walk) => (walk.protocol === m.protocol) !== m.negate,
    fragment: (m, walk) => (walk.packet.fragment === true) !== m.negate,
    // net/netfilter/xt_tcpudp.c, xt_sctp.c: a fragment has no ports, so no test of them can hold
    transport: (m, walk, place) => {
      if (walk.packet.fragment === true) return false;
      if (m.protocol === null && !hasPorts(walk.protocol)) return headerHolds(m, walk, place);
      if (m.protocol !== null && walk.protocol !== m.protocol) return false;
      if (!portHolds(m.sport, walk.sport) || !portHolds(m.dport, walk.dport)) return false;
      return m.flags === undefined || ((walk.packet.tcpFlags & m.flags.mask) === m.flags.value) !== m.flags.negate;
    },
    // net/netfilter/xt_multiport.c
    multiport: (m, walk) => {
      if (walk.packet.fragment === true || !hasPorts(walk.protocol)) return false;
      const hit =
        (m.side !== "destination" && inRanges(m.ranges, walk.sport)) ||
        (m.side !== "source" && inRanges(m.ranges, walk.dport));
      return hit !== m.negate;
    },
    // icmp_type_code_match of ip_tables.c and ip6_tables.c: 255 is any type in IPv4 only
    icmp: (m, walk) => {
      if (walk.packet.fragment === true || walk.protocol !== m.protocol || !isIcmp(walk.protocol)) return false;
      const type = walk.dport >>> 8;
      const code = walk.dport & 255;
      const hit = (m.protocol === 1 && m.type === 255) || (type === m.type && code >= m.codes[0] && code <= m.codes[1]);
      return hit !== m.negate;
    },
    comment: () => true,
    // net/netfilter/xt_statistic.c
    random: (m, walk) => (walk.random() & 0x7fffffff) < m.threshold !== m.negate,
    nth: (m, walk, place) => {
      const last = m.every - 1;
      const before = walk.view.nth(place) ?? last - m.packet;
      if (walk.view.nth(place) === undefined)
        walk.given.add(`statistic nth of rule ${describe(place)} has seen no packet`);
      const count = before === last ? 0 : before + 1;
      walk.view.change({ kind: "nth", rule: place.rule, statement: place.statement, count });
      return (count === 0) !== m.negate;
    },
    // net/netfilter/xt_mark.c, xt_connmark.c (a packet without an entry has no connmark: false, negated or not)
    mark: (m, walk) => {
      if (m.field === "ctmark" && !hasEntry(walk.connection)) return false;
      const mark = m.field === "mark" ? walk.mark : walk.ctmark;
      return ((mark & m.mask) >>> 0 === m.value) !== m.negate;
    },
    conntrack: (m, walk) => {
      walk.given.add(`connection ${walk.connection?.state ?? "not yet tracked"}`);
      return conntrackHolds(m, walk.seenConnection());
    },
    // net/netfilter/xt_addrtype.c
    "address-type": (m, walk, place) => {
      if (m.limit !== undefined)
        refuse(place, "addrtype with --limit-iface needs the addresses of each interface, which are not modelled");
      const { node } = walk.context;
      if (node.addresses.length === 0) walk.given.add("the node has no address besides loopback");
      const holds = (test: AddressTypeTest | undefined, address: Address): boolean =>
        test === undefined || hasType(test.types, address, node) !== test.negate;
      return holds(m.source, walk.src) && holds(m.destination, walk.dst);
    },
    // net/netfilter/xt_recent.c, recent_mt
    recent: (m, walk) => {
      const address = maskAddress(m.side === "source" ? walk.src : walk.dst, m.mask);
      const { now } = walk.context;
      const change = (operation: "add" | "touch" | "remove" | "reap", at: number): void =>
        walk.view.change({ kind: "recent", list: m.name, operation, address, at });
      const stamps = walk.view.recent(m.name)?.stamps(address);
      if (stamps === undefined) {
        if (m.action !== "set") {
          walk.given.add(`the source is not on the recent list ${m.name}`);
          return m.negate;
        }
        change("add", now);
        return !m.negate;
      }
      if (m.action === "set") {
        change("touch", now);
        return !m.negate;
      }
      if (m.action === "remove") {
        change("remove", now);
        return !m.negate;
      }
      const since = m.seconds === undefined ? -Infinity : now - m.seconds * 1000;
      const hits = stamps.filter((stamp) => stamp >= since).length;
      const hit = hits >= Math.max(1, m.hitcount ?? 1);
      if (m.reap === true) change("reap", since);
      if (m.action === "update" && hit !== m.negate) change("touch", now);
      return hit !== m.negate;
    },
    // net/netfilter/xt_physdev.c
    physdev: (m, walk) => {
      const { physIn, physOut } = walk.packet;
      if (physIn === undefined && physOut === undefined) {
        return [m.in, m.out, m.isIn, m.isOut, m.isBridged].every((test) => test === undefined || test.negate);
      }
      if (m.isBridged !== undefined && (physOut !== undefined) === m.isBridged.negate) return false;
      if (m.isIn !== undefined && (physIn !== undefined) === m.isIn.negate) return false;
      if (m.isOut !== undefined && (physOut !== undefined) === m.isOut.negate) return false;
      if (m.in !== undefined && physIn !== undefined && !interfaceHolds(m.in, physIn)) return false;
      if (m.out === undefined) return true;
      return physOut === undefined ? !m.out.negate : interfaceHolds(m.out, physOut);
    },
    set: (m, walk, place) => {
      const set = ipsets.get(m.set);
      if (set === undefined)
        refuse(place, `the ipset ${m.set} is not known; give it with --ipsets, as "ipset save" prints it`);
      if (m.options !== undefined) refuse(place, `--match-set with ${m.options} is not modelled`);
      const subject = {
        family: walk.packet.family,
        src: walk.src,
        dst: walk.dst,
        protocol: walk.protocol,
        sport: walk.sport,
        dport: walk.dport,
        mark: walk.mark,
        iif: walk.iif,
        oif: walk.oif,
      };
      walk.work.mapLookups++;
      return inIpSet(set, m.directions, subject) !== m.negate;
    },
    // net/netfilter/xt_limit.c; net/netfilter/nft_limit.c, where negation is `over`
    limit: (m, walk, place) => {
      const { cost, cap, perMillisecond } = limitCosts(m);
      const bucket = walk.view.limit(place);
      if (bucket === undefined) walk.given.add(`the limit of rule ${describe(place)} is unused`);
      const { now } = walk.context;
      let credit = bucket === undefined ? cap : Math.min(cap, bucket.credit + (now - bucket.at) * perMillisecond);
      const hit = credit >= cost;
      if (hit) credit -= cost;
      walk.view.change({ kind: "limit", rule: place.rule, statement: place.statement, credit, at: now });
      return hit !== m.negate;
    },
    // net/netfilter/xt_mac.c: no link-layer header, no match, negated or not
    mac: (m, walk) =>
      walk.packet.mac !== undefined && (walk.packet.mac.toLowerCase() === m.address.toLowerCase()) !== m.negate,
    accounting: (m, walk) => {
      walk.view.change({ kind: "accounting", name: m.name, bytes: walk.packet.length });
      return true;
    },
    // net/netfilter/nft_cmp.c, nft_range.c
    compare: (m, walk, place) => {
      const value = evaluate(m.left, walk, place);
      if (value === undefined) return false;
      if (value === UNKNOWN && singleValue(m.right) === undefined) refuse(place, UNKNOWN_PORT);
      return holds(m.right, value) !== m.negate;
    },
    // net/netfilter/nft_lookup.c
    lookup: (m, walk, place) => {
      const key = evaluateKey(m.key, walk, place);
      return key !== undefined && (findKey(m.key, key, m.set, walk, place) !== undefined) !== m.negate;
    },
    "opaque-match": (m, walk, place) => {
      const answer = walk.context.assume?.(place.at);
      if (answer === undefined) {
        refuse(
          place,
          `the match "${m.module}" is not known, so what this rule does cannot be told; --assume ${place.at.rule.span?.line ?? "LINE"}=yes|no says it`,
        );
      }
      return answer;
    },
  };
}

export function interfaceHolds(test: InterfaceTest, name: string): boolean {
  return (test.prefix ? name.startsWith(test.name) : name === test.name) !== test.negate;
}

const hasEntry = (connection: Connection | undefined): boolean =>
  connection !== undefined && connection.state !== "invalid" && connection.state !== "untracked";

/** net/netfilter/xt_conntrack.c, conntrack_mt. */
function conntrackHolds(m: ConntrackMatch, connection: Connection | undefined): boolean {
  const entry = hasEntry(connection) ? connection! : undefined;
  if (m.state !== undefined) {
    let bits: number = CtState[connection?.state ?? "invalid"];
    if (entry !== undefined) bits |= translationBits(entry.status);
    if (((m.state.bits & bits) !== 0) === m.state.negate) return false;
  }
  if (entry === undefined) return m.state !== undefined;
  const { original, reply } = entry;
  if (m.direction !== undefined && m.direction !== entry.direction) return false;
  if (m.protocol !== undefined && (original?.protocol === m.protocol.protocol) === m.protocol.negate) return false;
  if (!addressHolds(m.originalSource, original, "src") || !addressHolds(m.originalDestination, original, "dst"))
    return false;
  if (!addressHolds(m.replySource, reply, "src") || !addressHolds(m.replyDestination, reply, "dst")) return false;
  if (!portOf(m.originalSourcePort, original, "sport") || !portOf(m.originalDestinationPort, original, "dport"))
    return false;
  if (!portOf(m.replySourcePort, reply, "sport") || !portOf(m.replyDestinationPort, reply, "dport")) return false;
  return m.status === undefined || ((m.status.bits & entry.status) !== 0) !== m.status.negate;
}

/** The translation of an entry as bits of CtState. */
function translationBits(status: number): number {
  return (status & CtStatus.snat ? CtState.snat : 0) | (status & CtStatus.dnat ? CtState.dnat : 0);
}

/**
 * IPv4: the address is of one of the types. IPv6 (match_type6): multicast, unicast and unspecified, each where it is named, must hold, by the
 * address alone (the node's own are unicast too); local, where it is named, must hold besides.
 */
function hasType(types: readonly AddressTypeName[], address: Address, node: Node): boolean {
  const type = node.addressType(address);
  if (typeof address === "number") return types.includes(type);
  if (types.includes("MULTICAST") && type !== "MULTICAST") return false;
  if (types.includes("UNICAST") && (type === "MULTICAST" || type === "UNSPEC")) return false;
  if (types.includes("UNSPEC") && type !== "UNSPEC") return false;
  const looksUp = types.some((name) => ["LOCAL", "ANYCAST", "PROHIBIT", "UNREACHABLE"].includes(name));
  return !looksUp || (type === "LOCAL" && types.includes("LOCAL"));
}

/** In an inet table a connection of the other family has no such address. */
function addressHolds(test: AddressTest | undefined, tuple: Tuple | undefined, end: "src" | "dst"): boolean {
  if (test !== undefined && tuple !== undefined && typeof test.value !== typeof tuple[end]) return false;
  return test === undefined || (tuple !== undefined && contains(test, tuple[end])) !== test.negate;
}

function portOf(test: PortTest | undefined, tuple: Tuple | undefined, end: "sport" | "dport"): boolean {
  return test === undefined || (tuple !== undefined && inRanges(test.ranges, tuple[end])) !== test.negate;
}

/** `th sport`, `th dport` of a packet whose protocol has no ports: whatever stands there is no single port that a rule names. */
function headerHolds(m: TransportMatch, walk: Walk, place: Place): boolean {
  return (["sport", "dport"] as const).every((end) => {
    const test = m[end];
    if (test === undefined) return true;
    const found = transportPort(end, walk)!;
    if (found === UNKNOWN && test.ranges.some(([first, last]) => first !== last)) refuse(place, UNKNOWN_PORT);
    return portHolds(test, found);
  });
}

const secondsOf = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;
/** xt_limit counts in ten-thousandths of a second (XT_LIMIT_SCALE), nft_limit in nanoseconds. */
const XT_LIMIT_SCALE = 10_000;
const NANOSECONDS = 1_000_000_000;

/** What one packet costs, the most that can be saved up, and how much a millisecond brings. */
function limitCosts(m: LimitMatch): { cost: number; cap: number; perMillisecond: number } {
  const perSecond = m.nft === true ? NANOSECONDS : XT_LIMIT_SCALE;
  const cost = Math.floor((perSecond * secondsOf[m.unit]) / m.rate);
  return { cost, cap: cost * m.burst, perMillisecond: perSecond / 1000 };
}
