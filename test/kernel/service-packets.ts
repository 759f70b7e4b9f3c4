/** Packets for kube-proxy's rule sets: every destination they name, from every kind of source. */
import { type Address, addressWords, type Family, type IPv6, parseAddress } from "../../src/packet/address.js";
import type { Node } from "../../src/packet/node.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { TCP } from "../../src/packet/protocol.js";
import type { ResolvedRule, ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import type { AddressMatch, KeyPart } from "../../src/ruleset/types.js";

interface Target {
  readonly dst: Address;
  readonly protocol: number;
  readonly port: number;
}

/** Of the elements of a set that are no services. */
const FEW = 20;
const OUTSIDE = { ip: "203.0.113.9", ip6: "2001:db8:9::9" } as const;

/** The destinations that rules and verdict maps name with a port: virtual addresses, load balancers, node ports (on every address of the node), endpoints. */
function targetsOf(resolved: ResolvedRuleSet, node: Node, family: Family): Target[] {
  const targets = new Map<string, Target>();
  const local = [...node.addresses, parseAddress(family === "ip" ? "127.0.0.1" : "::1")!].filter(
    (address) => (typeof address === "number") === (family === "ip"),
  );
  for (const { rule, chain } of resolved.rules) {
    const dst = rule.statements.find((s): s is AddressMatch => s.kind === "address" && s.field === "daddr");
    const transport = rule.statements.find((s) => s.kind === "transport");
    const dnat = rule.statements.find((s) => s.kind === "dnat");
    const protocol = rule.statements.find((s) => s.kind === "protocol")?.protocol ?? TCP;
    const add = (address: Address, port: number): void => {
      targets.set(JSON.stringify([address, protocol, port]), { dst: address, protocol, port });
    };
    if (transport?.dport !== undefined) {
      const [port] = transport.dport.ranges[0]!;
      if (dst !== undefined) add(dst.value, port);
      else if (chain.name === "KUBE-NODEPORTS") for (const address of local) add(address, port);
    }
    if (dnat?.to.addresses !== undefined && dnat.to.ports !== undefined) add(dnat.to.addresses[0], dnat.to.ports[0]);
  }
  for (const { sets, maps } of resolved.ruleset.tables) {
    const named = maps.flatMap((map) => (map.value === "verdict" ? map.elements : []));
    for (const { key } of named) {
      const [protocol, port] = key.slice(-2);
      if (!Array.isArray(protocol) || !Array.isArray(port)) continue;
      const of = key.length === 3 ? [hostOf(key[0]!)] : local;
      for (const dst of of)
        if (dst !== undefined)
          targets.set(JSON.stringify([dst, protocol[0], port[0]]), { dst, protocol: protocol[0], port: port[0] });
    }
    // Ports of virtual addresses that no service has.
    for (const { elements } of sets)
      for (const { key } of elements.slice(0, FEW)) {
        const dst = key.length === 1 ? hostOf(key[0]!) : undefined;
        if (dst !== undefined) targets.set(JSON.stringify([dst, TCP, 9]), { dst, protocol: TCP, port: 9 });
      }
  }
  return [...targets.values()];
}

/** The one address a part of a key stands for. */
function hostOf(part: KeyPart): Address | undefined {
  if (typeof part !== "object" || !("mask" in part)) return undefined;
  return addressWords(part.mask).every((word) => word === 0xffffffff) ? part.value : undefined;
}

/** Sources that rules name, their neighbours outside the named ranges, the node, and a stranger. */
function sourcesOf(rules: readonly ResolvedRule[], node: Node, family: Family): Address[] {
  const sources = new Map<string, Address>();
  const add = (address: Address): void => void sources.set(String(address), address);
  add(parseAddress(OUTSIDE[family])!);
  for (const { rule } of rules) {
    for (const s of rule.statements) {
      if (s.kind !== "address" || s.field !== "saddr") continue;
      add(host(s.value, 1));
      if (rule.statements.some((t) => t.kind === "set-mark" || t.kind === "jump")) add(s.value);
      add(beyond(s));
    }
  }
  for (const address of node.addresses) if ((typeof address === "number") === (family === "ip")) add(address);
  return [...sources.values()].filter((address) => isSource(address, node));
}

/** An address some hosts further on. */
function host(address: Address, by: number): Address {
  const words = [...addressWords(address)];
  words[words.length - 1] = (words.at(-1)! + by) >>> 0;
  return words.length === 1 ? words[0]! : (words as unknown as IPv6);
}

/** The first address behind a range. */
function beyond(range: AddressMatch): Address {
  const value = addressWords(range.value);
  const mask = addressWords(range.mask);
  const words = [...value];
  const at = mask.findLastIndex((word) => word !== 0);
  if (at < 0) return range.value;
  words[at] = (value[at]! + ((~mask[at]! >>> 0) + 1)) >>> 0;
  return words.length === 1 ? words[0]! : (words as unknown as IPv6);
}

/** The kernel takes no packet from loopback, multicast or nowhere. */
function isSource(address: Address, node: Node): boolean {
  const type = node.addressType(address);
  return type === "UNICAST" || (type === "LOCAL" && !(typeof address === "number" && address >>> 24 === 127));
}

/**
 * `count` packets at most, spread evenly over targets and sources: comes in, or, where the source is the node's, sent by it.
 * Each source port is used once. The endpoints a service leads to are among the sources of its packets.
 */
export function servicePackets(resolved: ResolvedRuleSet, node: Node, family: Family, count: number): Packet[] {
  const targets = targetsOf(resolved, node, family);
  const few = resolved.rules.length > 3000;
  const sources = sourcesOf(few ? resolved.rules.slice(0, 500) : resolved.rules, node, family);
  const packets: Packet[] = [];
  const pairs = targets.length * sources.length;
  const step = Math.max(1, Math.floor(pairs / count));
  for (let at = 0; at < pairs && packets.length < count; at += step) {
    const target = targets[Math.floor(at / sources.length)]!;
    const src = sources[at % sources.length]!;
    const own = node.isLocal(src);
    if (!own && family === "ip6" && String(target.dst) === "0,0,0,1") continue; // ::1 never comes in from outside
    packets.push(
      makePacket({
        src,
        dst: target.dst,
        protocol: target.protocol,
        sport: 2000 + (packets.length % 60_000),
        dport: target.port,
        ...(own ? { entrance: "output" as const, iif: "" } : { iif: packets.length % 5 === 0 ? "tun1" : "eth0" }),
      }),
    );
  }
  return packets;
}
