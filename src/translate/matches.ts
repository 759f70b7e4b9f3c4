/** One iptables match after the other in nftables. Follows the translations of iptables-translate, exact in masks and negation. */
import type { Family } from "../packet/address.js";
import { ICMP } from "../packet/protocol.js";
import type {
  AddressTypeName,
  CompareMatch,
  ConntrackMatch,
  FieldExpression,
  IcmpMatch,
  KeyPart,
  Match,
  MultiportMatch,
  RandomMatch,
  Rule,
  Statement,
  TransportMatch,
} from "../ruleset/types.js";
import { asksForPorts, conntrackAlternatives } from "./conntrack.js";
import type { RecentSets } from "./recent.js";
import { refuseRule } from "./refusal.js";

/** What the translation of a match may need to know. */
export interface MatchContext {
  readonly family: Family;
  readonly rule: Rule;
  readonly recent: RecentSets;
  /** Whether no packet comes in or leaves by a bridge port: this settles physdev. */
  readonly withoutBridges: boolean;
}

/** Conjunctions of which a packet fulfils at most one; none at all: the match never holds. */
export type Alternatives = readonly (readonly Statement[])[];

const ALWAYS: Alternatives = [[]];
const NEVER: Alternatives = [];
const whether = (holds: boolean): Alternatives => (holds ? ALWAYS : NEVER);

/** The draw of xt_statistic: 31 bits. nft scales a u32 to below 2^31 by its upper bits, so a comparison is as exact. */
export const DRAW_RANGE = 2 ** 31;

/** A match as alternatives of nftables statements. Throws ProblemError where there is no counterpart. */
export function translateMatch(match: Match, context: MatchContext): Alternatives {
  const { rule } = context;
  switch (match.kind) {
    case "address":
    case "address-range":
    case "protocol":
    case "mark":
    case "limit":
    case "mac":
    case "compare":
    case "lookup":
      return [[match]];
    case "interface":
      return match.name === "" && match.prefix ? whether(!match.negate) : [[match]];
    case "comment":
      return ALWAYS;
    case "transport":
      return transport(match);
    case "multiport":
      return multiport(match, rule);
    case "icmp":
      return icmp(match);
    case "random":
      return random(match);
    case "nth": {
      const left = { kind: "numgen", mode: "inc", mod: match.every, offset: 0 } as const;
      return [[{ kind: "compare", left, right: [match.packet, match.packet], negate: match.negate }]];
    }
    case "conntrack":
      checkProtocols(match, rule);
      return conntrackAlternatives(match);
    case "address-type":
      checkTypes(match.limit, [match.source, match.destination], context);
      return [
        [
          ...(match.source === undefined ? [] : [{ kind: match.kind, source: match.source } as const]),
          ...(match.destination === undefined ? [] : [{ kind: match.kind, destination: match.destination } as const]),
        ],
      ];
    case "recent":
      return context.recent.translate(match, rule);
    case "physdev": {
      if (!context.withoutBridges)
        refuseRule(
          rule,
          "bridge ports (physdev) have no counterpart in nftables; --without-bridges says that no packet has one",
        );
      const tests = [match.in, match.out, match.isIn, match.isOut, match.isBridged];
      return whether(tests.every((test) => test === undefined || test.negate));
    }
    case "fragment":
      return refuseRule(rule, "fragments (-f) cannot be told here: conntrack puts packets together before any rule");
    case "set":
      return refuseRule(rule, `the ipset ${match.set} has no counterpart in nftables: its content is not in the rules`);
    case "accounting":
      return refuseRule(rule, `the nfacct counter ${match.name} has no counterpart in nftables`);
    case "opaque-match":
      return refuseRule(rule, `the match "${match.module}" is not known, so it cannot be translated`);
  }
}

/** nft keeps track of the protocol a rule is about: it takes one only, and ports of a connection only behind it. */
function checkProtocols(match: ConntrackMatch, rule: Rule): void {
  const named = rule.statements.find((one) => one.kind === "protocol" && !one.negate);
  const { protocol } = match;
  if (asksForPorts(match) && named === undefined)
    refuseRule(rule, "nft tests ports of a connection (ctorigdstport and the like) only behind a protocol: -p tcp");
  const reset = rule.statements.some((one) => one.kind === "reject" && one.with === "tcp-reset");
  const ported = rule.statements.some((one) => one.kind === "transport" && (one.sport ?? one.dport) !== undefined);
  if (asksForPorts(match) && reset && !ported)
    refuseRule(rule, "nft takes the protocol before tcp-reset for implied, and then cannot read ports of a connection");
  if (protocol === undefined || protocol.negate || named?.kind !== "protocol" || named.protocol === protocol.protocol)
    return;
  refuseRule(rule, "nft refuses a rule that asks for two protocols, of the packet and of its connection (ctproto)");
}

/** Without any test it says the protocol alone. */
function transport(match: TransportMatch): Alternatives {
  const { protocol, sport, dport, flags } = match;
  if (protocol === null || sport !== undefined || dport !== undefined || flags !== undefined) return [[match]];
  return [[{ kind: "protocol", protocol, negate: false }]];
}

/** The protocol, which iptables demands of the rule, makes `th dport` safe. Either port: the source, or else the destination. */
function multiport({ side, ranges, negate }: MultiportMatch, rule: Rule): Alternatives {
  const named = rule.statements.find((one) => one.kind === "protocol");
  if (named === undefined || named.negate)
    refuseRule(rule, "multiport needs a protocol with ports: -p tcp or the like");
  const test = (end: "sport" | "dport", not: boolean): TransportMatch => ({
    kind: "transport",
    protocol: named.protocol,
    [end]: { ranges: mergeRanges(ranges), negate: not },
  });
  if (side === "source") return [[test("sport", negate)]];
  if (side === "destination") return [[test("dport", negate)]];
  if (negate) return [[test("sport", true), test("dport", true)]];
  return [[test("sport", false)], [test("sport", true), test("dport", false)]];
}

/** nft refuses ranges that overlap. */
function mergeRanges(ranges: MultiportMatch["ranges"]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const top = merged[merged.length - 1];
    if (top !== undefined && first <= top[1] + 1) top[1] = Math.max(top[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

function compare(left: FieldExpression, right: KeyPart, negate: boolean): CompareMatch {
  return { kind: "compare", left, right, negate };
}

function icmp({ protocol, type, codes, negate }: IcmpMatch): Alternatives {
  const typeField: FieldExpression = { kind: "field", field: "icmp-type", protocol };
  const codeField: FieldExpression = { kind: "field", field: "icmp-code", protocol };
  const anyCode = codes[0] === 0 && codes[1] === 255;
  const isProtocol: Statement = { kind: "protocol", protocol, negate: false };
  if (protocol === ICMP && type === 255) return negate ? NEVER : [[isProtocol]];
  const isType = compare(typeField, [type, type], negate && anyCode);
  if (anyCode) return [[isType]];
  if (!negate) return [[isType, compare(codeField, codes, false)]];
  return [[compare(typeField, [type, type], true)], [isType, compare(codeField, codes, true)]];
}

function random({ threshold, negate }: RandomMatch): Alternatives {
  if (threshold === 0) return whether(negate);
  if (threshold >= DRAW_RANGE) return whether(!negate);
  const left = { kind: "numgen", mode: "random", mod: DRAW_RANGE, offset: 0 } as const;
  const below: KeyPart = [0, threshold - 1];
  const above: KeyPart = [threshold, DRAW_RANGE - 1];
  return [[{ kind: "compare", left, right: negate ? above : below, negate: false, spelled: negate ? ">=" : "<" }]];
}

const FIB_TYPES: readonly AddressTypeName[] = [
  "UNSPEC",
  "UNICAST",
  "LOCAL",
  "BROADCAST",
  "ANYCAST",
  "MULTICAST",
  "BLACKHOLE",
  "UNREACHABLE",
  "PROHIBIT",
];

/** IPv6: xt_addrtype asks for some types by the address alone and wants all of them at once; only these answer as fib does. */
const FIB_TYPES_6: readonly AddressTypeName[] = ["LOCAL", "MULTICAST"];

function checkTypes(
  limit: "in" | "out" | undefined,
  tests: readonly ({ readonly types: readonly AddressTypeName[] } | undefined)[],
  { family, rule }: MatchContext,
): void {
  if (limit !== undefined)
    refuseRule(rule, `addrtype --limit-iface-${limit} is not translated: addresses by interface are not modelled`);
  for (const test of tests) {
    if (test === undefined) continue;
    const known = family === "ip" ? FIB_TYPES : FIB_TYPES_6;
    const odd = test.types.find((type) => !known.includes(type));
    if (odd !== undefined) refuseRule(rule, `the address type ${odd} has no exact counterpart in the fib of nftables`);
    if (family === "ip6" && test.types.length > 1)
      refuseRule(rule, "several address types at once mean all of them in ip6tables, and any of them in nftables");
  }
}

/** Statements that keep state a packet changes when they are tried: they must not be tried twice for one rule. */
export function isStateful(match: Match): boolean {
  return match.kind === "nth" || match.kind === "limit" || match.kind === "recent";
}
