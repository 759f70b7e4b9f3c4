/** Matches as sets of packets. It says again, in sets, what engine/evaluate.ts says packet by packet: every witness run compares the two. */
import type { Address } from "../../packet/address.js";
import { CtState, CtStatus } from "../../packet/connection.js";
import type { Node } from "../../packet/node.js";
import { DCCP, hasPorts, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../../packet/protocol.js";
import type { AddressTest, AddressTypeTest, ConntrackMatch, Match, PortRange, PortTest } from "../../ruleset/types.js";
import { interfaceHolds } from "../evaluate.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import type { Test } from "./rows.js";
import { type AddressField, CONNECTIONS, type Field, type Space } from "./space.js";

/** Where a match stands. */
export interface MatchPlace {
  readonly rule: number;
  readonly statement: number;
  /** Draws of the rule that stand before it. */
  readonly draws: number;
}

export class MatchReader {
  /** Protocols with ports. */
  readonly ported: DiagramNode;
  /** Packets whose connection has a mark. */
  readonly marked: DiagramNode;
  private readonly known = new Map<string, DiagramNode>();
  private readonly others: (() => Iterable<DiagramNode>)[] = [];

  constructor(
    private readonly space: Space,
    private readonly node: Node,
  ) {
    const protocols = [TCP, UDP, SCTP, UDPLITE, DCCP].filter(hasPorts);
    this.ported = space.any(protocols.map((protocol) => space.equals("protocol", protocol)));
    this.marked = space.connection("fresh", "new", "established", "related");
  }

  /** What the match asks; "refuse" where it cannot be evaluated. */
  read(match: Exclude<Match, { kind: "accounting" | "compare" | "lookup" }>, place: MatchPlace): Test | "refuse" {
    const { rule, statement } = place;
    switch (match.kind) {
      case "random":
        return {
          kind: "chance",
          rule: place.rule,
          ordinal: place.draws,
          threshold: match.threshold,
          negate: match.negate,
        };
      case "mark":
        return {
          kind: "mark",
          field: match.field,
          value: match.value,
          mask: match.mask,
          negate: match.negate,
        };
      case "nth":
      case "limit":
      case "recent":
        return { kind: "unknown", rule, statement };
      // Sets are looked up by the same code in every engine: to a proof one more unknown.
      case "set":
      case "opaque-match":
        return { kind: "unknown", rule, statement };
      case "address-type":
        return match.limit === undefined ? this.header(match) : "refuse";
      // Ports of protocols without any: whatever stands there.
      case "transport":
        return match.protocol === null ? { kind: "unknown", rule, statement } : this.header(match);
      default:
        return this.header(match);
    }
  }

  private header(match: HeaderMatch): Test {
    const key = JSON.stringify(match);
    let set = this.known.get(key);
    if (set === undefined) this.known.set(key, (set = this.setOf(match)));
    return { kind: "header", set };
  }

  /** The sets read so far, which a sweep of the diagrams must keep. */
  *sets(): Iterable<DiagramNode> {
    yield this.ported;
    yield this.marked;
    yield* this.known.values();
    for (const others of this.others) yield* others();
  }

  /** Makes `sets` give those of another reader too. */
  keep(others: () => Iterable<DiagramNode>): void {
    this.others.push(others);
  }

  private setOf(match: HeaderMatch): DiagramNode {
    const { space } = this;
    switch (match.kind) {
      case "comment":
        return ALL;
      case "address":
        if (!this.isOwn(match.value)) return NOTHING;
        return this.unless(match.negate, this.inside(match.field === "saddr" ? "src" : "dst", match));
      case "address-range": {
        if (!this.isOwn(match.first)) return NOTHING;
        const field = match.field === "saddr" ? "src" : "dst";
        return this.unless(match.negate, space.between(field, match.first, match.last));
      }
      case "interface":
        return space.whereName(match.field, (name) => interfaceHolds(match, name));
      case "protocol":
        return this.unless(match.negate, space.equals("protocol", match.protocol));
      case "fragment":
        return this.unless(match.negate, space.equals("fragment", 1));
      case "transport":
        return space.all([
          space.equals("fragment", 0),
          match.protocol === null ? this.ported : space.equals("protocol", match.protocol),
          this.port("sport", match.sport),
          this.port("dport", match.dport),
          match.flags === undefined
            ? ALL
            : this.unless(match.flags.negate, space.masked("tcpFlags", match.flags.value, match.flags.mask)),
        ]);
      case "multiport": {
        const sides: Field[] = [
          ...(match.side === "destination" ? [] : ["sport" as const]),
          ...(match.side === "source" ? [] : ["dport" as const]),
        ];
        const hit = space.any(sides.map((side) => space.inRanges(side, match.ranges)));
        return space.all([space.equals("fragment", 0), this.ported, this.unless(match.negate, hit)]);
      }
      case "icmp": {
        const codes = match.codes.map((code) => (match.type << 8) | code) as unknown as PortRange;
        const hit = match.protocol === ICMP && match.type === 255 ? ALL : space.inRanges("dport", [codes]);
        const protocol = space.equals("protocol", match.protocol === ICMP ? ICMP : ICMPV6);
        return space.all([space.equals("fragment", 0), protocol, this.unless(match.negate, hit)]);
      }
      case "conntrack":
        return this.conntrack(match);
      case "address-type":
        return space.all([this.addressType("src", match.source), this.addressType("dst", match.destination)]);
      case "physdev":
        return this.physdev(match);
      case "mac":
        return space.whereName(
          "mac",
          (name) => name !== "" && (name.toLowerCase() === match.address.toLowerCase()) !== match.negate,
        );
    }
  }

  private unless(negate: boolean, set: DiagramNode): DiagramNode {
    return negate ? this.space.diagrams.not(set) : set;
  }

  private isOwn(address: Address): boolean {
    return (typeof address === "number") === (this.space.family === "ip");
  }

  /** An address of the other family is inside of no prefix. */
  private inside(
    field: AddressField,
    { value, mask }: { readonly value: Address; readonly mask: Address },
  ): DiagramNode {
    return this.isOwn(mask) ? this.space.masked(field, value, mask) : NOTHING;
  }

  private port(field: Field, test: PortTest | undefined): DiagramNode {
    return test === undefined ? ALL : this.unless(test.negate, this.space.inRanges(field, test.ranges));
  }

  private conntrack(match: ConntrackMatch): DiagramNode {
    const { space } = this;
    const { state, status, direction } = match;
    const stateHolds = state === undefined ? ALL : this.unless(state.negate, this.states(state.bits));
    const entry: DiagramNode[] = [
      direction === undefined ? ALL : space.equals("reply", direction === "reply" ? 1 : 0),
      this.ofTuple(match.protocol, "hasOriginal", (test) => space.equals("originalProtocol", test.protocol)),
      this.tupleAddress(match.originalSource, "hasOriginal", "originalSrc"),
      this.tupleAddress(match.originalDestination, "hasOriginal", "originalDst"),
      this.tupleAddress(match.replySource, "hasReply", "replySrc"),
      this.tupleAddress(match.replyDestination, "hasReply", "replyDst"),
      this.tuplePort(match.originalSourcePort, "hasOriginal", "originalSport"),
      this.tuplePort(match.originalDestinationPort, "hasOriginal", "originalDport"),
      this.tuplePort(match.replySourcePort, "hasReply", "replySport"),
      this.tuplePort(match.replyDestinationPort, "hasReply", "replyDport"),
      status === undefined ? ALL : this.unless(status.negate, this.statuses(status.bits)),
    ];
    const without = state === undefined ? NOTHING : ALL;
    return space.diagrams.and(stateHolds, space.diagrams.choose(this.marked, space.all(entry), without));
  }

  /** Packets of one of the states: without an entry as conntrack said (nothing yet: invalid), with one also by its translation. */
  states(bits: number): DiagramNode {
    const { space } = this;
    const stateOf = { none: "invalid", fresh: "new" } as const;
    const kinds = CONNECTIONS.filter(
      (kind) => (bits & CtState[kind in stateOf ? stateOf[kind as keyof typeof stateOf] : (kind as "new")]) !== 0,
    );
    const translated =
      ((bits & CtState.snat) !== 0 ? CtStatus.snat : 0) | ((bits & CtState.dnat) !== 0 ? CtStatus.dnat : 0);
    return space.any([space.connection(...kinds), space.diagrams.and(this.marked, this.statuses(translated))]);
  }

  /** Packets of one state, as conntrack said it: nothing yet is invalid. */
  connectionState(state: number): DiagramNode {
    return this.space.connection(
      ...CONNECTIONS.filter(
        (kind) => (kind === "none" ? CtState.invalid : kind === "fresh" ? CtState.new : CtState[kind]) === state,
      ),
    );
  }

  /** Packets whose entry has one of the status bits. */
  statuses(bits: number): DiagramNode {
    const single = [1, 2, 4, 8, 16, 32].filter((bit) => (bits & bit) !== 0);
    return this.space.any(single.map((bit) => this.space.masked("status", bit, bit)));
  }

  private ofTuple<T extends { readonly negate: boolean }>(
    test: T | undefined,
    present: Field,
    set: (test: T) => DiagramNode,
  ): DiagramNode {
    if (test === undefined) return ALL;
    return this.unless(test.negate, this.space.diagrams.and(this.space.equals(present, 1), set(test)));
  }

  private tupleAddress(test: AddressTest | undefined, present: Field, field: AddressField): DiagramNode {
    // In an inet table a tuple of the other family has no such address: neither == nor != holds, as in evaluate.ts.
    if (test !== undefined && !this.isOwn(test.value))
      return test.negate ? this.space.diagrams.not(this.space.equals(present, 1)) : NOTHING;
    return this.ofTuple(test, present, (t) => this.inside(field, t));
  }

  private tuplePort(test: PortTest | undefined, present: Field, field: Field): DiagramNode {
    return this.ofTuple(test, present, (t) => this.space.inRanges(field, t.ranges));
  }

  /** Destinations that are the node's own. */
  local(field: AddressField): DiagramNode {
    const { space } = this;
    const own = this.node.addresses
      .filter((address) => this.isOwn(address))
      .map((address) => space.equals(field, address));
    const loopback =
      space.family === "ip" ? space.masked(field, 0x7f000000, 0xff000000) : space.equals(field, [0, 0, 0, 1]);
    return space.any([loopback, ...own]);
  }

  /** Node.addressType, and match_type6 for IPv6, as sets. */
  private addressType(field: AddressField, test: AddressTypeTest | undefined): DiagramNode {
    if (test === undefined) return ALL;
    const { space } = this;
    const { diagrams } = space;
    const local = this.local(field);
    const named = (type: string): boolean => (test.types as readonly string[]).includes(type);
    let set: DiagramNode;
    if (space.family === "ip") {
      const broadcast = space.any([space.masked(field, 0, 0xff000000), space.equals(field, 0xffffffff)]);
      const multicast = space.masked(field, 0xe0000000, 0xf0000000);
      const other = named("UNICAST") ? ALL : NOTHING;
      const rest = diagrams.choose(multicast, named("MULTICAST") ? ALL : NOTHING, other);
      set = diagrams.choose(
        local,
        named("LOCAL") ? ALL : NOTHING,
        diagrams.choose(broadcast, named("BROADCAST") ? ALL : NOTHING, rest),
      );
    } else {
      const zero = space.equals(field, [0, 0, 0, 0]);
      const multicast = diagrams.minus(space.masked(field, [0xff000000, 0, 0, 0], [0xff000000, 0, 0, 0]), local);
      const unspecified = diagrams.minus(zero, local);
      const looksUp = ["LOCAL", "ANYCAST", "PROHIBIT", "UNREACHABLE"].some(named);
      set = space.all([
        named("MULTICAST") ? multicast : ALL,
        named("UNICAST") ? diagrams.not(diagrams.or(multicast, unspecified)) : ALL,
        named("UNSPEC") ? unspecified : ALL,
        looksUp ? (named("LOCAL") ? local : NOTHING) : ALL,
      ]);
    }
    return this.unless(test.negate, set);
  }

  private physdev(match: Extract<Match, { kind: "physdev" }>): DiagramNode {
    const { space } = this;
    const { diagrams } = space;
    const none = (field: "physIn" | "physOut"): DiagramNode => space.whereName(field, (name) => name === "");
    const flag = (test: { readonly negate: boolean } | undefined, field: "physIn" | "physOut"): DiagramNode =>
      test === undefined ? ALL : this.unless(!test.negate, none(field));
    const tests = [match.in, match.out, match.isIn, match.isOut, match.isBridged];
    const neither = tests.every((test) => test === undefined || test.negate) ? ALL : NOTHING;
    const named = [
      flag(match.isBridged, "physOut"),
      flag(match.isIn, "physIn"),
      flag(match.isOut, "physOut"),
      match.in === undefined
        ? ALL
        : space.whereName("physIn", (name) => name === "" || interfaceHolds(match.in!, name)),
      match.out === undefined
        ? ALL
        : space.whereName("physOut", (name) => (name === "" ? !match.out!.negate : interfaceHolds(match.out!, name))),
    ];
    return diagrams.choose(diagrams.and(none("physIn"), none("physOut")), neither, space.all(named));
  }
}

type HeaderMatch = Exclude<
  Match,
  {
    kind: "random" | "mark" | "nth" | "limit" | "recent" | "set" | "compare" | "lookup" | "opaque-match" | "accounting";
  }
>;
