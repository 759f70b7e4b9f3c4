import type { Address, Family } from "../../packet/address.js";
import { hostPrefix, type MaskedAddress } from "../../packet/prefix.js";
import type {
  DataElement,
  DnatAction,
  FieldExpression,
  KeyPart,
  LookupMatch,
  MapElement,
  Match,
  NumgenExpression,
  Rule,
  SetElement,
  Statement,
  Verdict,
  VerdictMap,
} from "../../ruleset/types.js";
import { dataTypes } from "../../syntax/nft/data-types.js";
import { arrange, hasIntervals } from "../../syntax/nft/elements.js";
import type { LocalDetector } from "../configuration.js";
import type { Endpoint } from "../services.js";
import { localTraffic } from "../statements.js";
import type { NftablesLayout } from "./layout.js";

// What only nftables rules are made of, in the form `nft list ruleset` gives it.

export function commentedRule(comment: string, ...statements: Statement[]): Rule {
  return { statements, comment };
}

export function goto(chain: string): Verdict {
  return { kind: "goto", chain };
}

export function addressField(field: "saddr" | "daddr", family: Family): FieldExpression {
  return { kind: "field", field, family };
}

export const PROTOCOL_FIELD: FieldExpression = { kind: "field", field: "protocol" };
export const PORT_FIELD: FieldExpression = { kind: "field", field: "dport" };

/** `vmap @NAME` of a destination: address, protocol and port. */
export function byDestination(family: Family, map: string): VerdictMap {
  return { kind: "verdict-map", key: [addressField("daddr", family), PROTOCOL_FIELD, PORT_FIELD], map };
}

/** `vmap @NAME` of a protocol and port alone. */
export function byPort(map: string): VerdictMap {
  return { kind: "verdict-map", key: [PROTOCOL_FIELD, PORT_FIELD], map };
}

/** `ip saddr @NAME`. */
export function inSet(field: "saddr" | "daddr", family: Family, set: string): LookupMatch {
  return { kind: "lookup", key: [addressField(field, family)], set, negate: false };
}

/** The key of an element: a destination, or without address a node port. */
export function elementKey(address: Address | undefined, protocol: number, port: number): KeyPart[] {
  const parts: KeyPart[] = [
    [protocol, protocol],
    [port, port],
  ];
  return address === undefined ? parts : [hostPrefix(address), ...parts];
}

function drawOf(count: number): NumgenExpression {
  return { kind: "numgen", mode: "random", mod: count, offset: 0 };
}

/** `numgen random mod N vmap { 0 : goto A, 1 : goto B }`. */
export function chooseChain(chains: readonly string[]): VerdictMap {
  const map = chains.map((chain, i): MapElement => ({ key: [[i, i]], verdict: goto(chain) }));
  return { kind: "verdict-map", key: [drawOf(chains.length)], map };
}

/** `dnat ip to numgen random mod N map { 0 : A . PORT, 1 : B . PORT }`. */
export function dnatToOneOf(endpoints: readonly Endpoint[]): DnatAction {
  const map = endpoints.map(({ address, port }, i): DataElement => ({
    key: [[i, i]],
    data: [hostPrefix(address), [port, port]],
  }));
  return { kind: "dnat", to: {}, mapped: { addresses: { kind: "map", key: [drawOf(endpoints.length)], map } } };
}

/** Traffic of local pods, or with `negate` all other. By `iif` the interface must exist when the rules are loaded. */
export function localPods(detector: LocalDetector, layout: NftablesLayout, negate: boolean): Match {
  if (detector.kind === "prefix" || layout.interfaces === "iifname") return localTraffic(detector, negate);
  return { kind: "interface", field: "iif", name: detector.name, prefix: false, negate, byIndex: true };
}

/**
 * `ip saddr { A, B }` as nft lists it: one prefix has no braces, hosts stay hosts, and where one is a true prefix all become
 * intervals, those that touch being merged.
 */
export function withinAny(
  field: "saddr" | "daddr",
  family: Family,
  prefixes: readonly MaskedAddress[],
  negate: boolean,
): Match {
  const [only, second] = prefixes;
  if (only !== undefined && second === undefined) return { kind: "address", field, ...only, negate };
  const elements = prefixes.map((prefix): SetElement => ({ key: [prefix] }));
  const type = dataTypes[family === "ip" ? "ipv4_addr" : "ipv6_addr"];
  const set = arrange(elements, [type], hasIntervals(elements) ? "interval" : "hash", true);
  return { kind: "lookup", key: [addressField(field, family)], set, negate };
}
