import seedrandom from "seedrandom";
import { type Address, addressWords, type Family, type IPv6 } from "../../src/packet/address.js";
import type { Node } from "../../src/packet/node.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, SCTP, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import type { ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import type { KeyPart, SetElement } from "../../src/ruleset/types.js";
import { spanOf } from "../../src/engine/value.js";

/** What the rules of a rule set compare with: packets made of these are hits and near misses. */
interface Vocabulary {
  readonly addresses: readonly Address[];
  readonly ports: readonly number[];
  readonly interfaces: readonly string[];
  readonly marks: readonly number[];
  /** {address, protocol, port} of rules that name all three. */
  readonly destinations: readonly { address: Address; protocol: number; port: number }[];
}

function vocabulary(resolved: ResolvedRuleSet, node: Node, family: Family): Vocabulary {
  const addresses: Address[] = [...node.addresses].filter((a) => (typeof a === "number") === (family === "ip"));
  addresses.push(family === "ip" ? 0x7f000001 : [0, 0, 0, 1]);
  const ports = new Set([0, 1, 80, 65535]);
  const interfaces = new Set(["eth0", "lo"]);
  const marks = new Set([0]);
  const destinations: Vocabulary["destinations"][number][] = [];
  const takePart = (part: KeyPart): void => {
    if (typeof part === "string") interfaces.add(part.replace(/\\?\*$/, "7"));
    else if ("length" in part) for (const p of [part[0] - 1, part[0], part[1], part[1] + 1]) ports.add(p & 0xffff);
    else addresses.push(...("mask" in part ? [part.value] : [part.first, part.last]));
  };
  const takeElement = ({ key }: SetElement): void => {
    key.forEach(takePart);
    const [address, protocol, port] = key.map((part) => (typeof part === "string" ? undefined : spanOf(part)?.first));
    if (key.length === 3 && address !== undefined && typeof protocol === "number" && typeof port === "number")
      destinations.push({ address, protocol: protocol & 0xff, port: port & 0xffff });
  };
  const tables = resolved.ruleset.tables.filter((table) => table.family === family || table.family === "inet");
  for (const { sets, maps } of tables) for (const { elements } of [...sets, ...maps]) elements.forEach(takeElement);
  for (const { rule, chain } of resolved.rules) {
    if (chain.table.family !== family && chain.table.family !== "inet") continue;
    let address: Address | undefined;
    let protocol = 0;
    let port: number | undefined;
    for (const s of rule.statements) {
      if (s.kind === "address") {
        addresses.push(s.value);
        if (s.field === "daddr") address = s.value;
      } else if (s.kind === "protocol") protocol = s.protocol;
      else if (s.kind === "transport" || s.kind === "multiport") {
        const ranges = s.kind === "multiport" ? s.ranges : [...(s.sport?.ranges ?? []), ...(s.dport?.ranges ?? [])];
        for (const [first, last] of ranges) for (const p of [first - 1, first, last, last + 1]) ports.add(p & 0xffff);
        if (s.kind === "transport") port = s.dport?.ranges[0]?.[0];
      } else if (s.kind === "interface") interfaces.add(s.name + (s.prefix ? "7" : ""));
      else if (s.kind === "mark") marks.add(s.value);
      else if (s.kind === "dnat") addresses.push(...(s.to.addresses ?? []));
      else if (s.kind === "compare") takePart(s.right);
      else if (s.kind === "lookup" && typeof s.set !== "string") s.set.forEach(takeElement);
      else if (s.kind === "verdict-map" && typeof s.map !== "string") s.map.forEach(takeElement);
    }
    if (address !== undefined && protocol !== 0 && port !== undefined) destinations.push({ address, protocol, port });
  }
  const own = addresses.filter((a) => (typeof a === "number") === (family === "ip"));
  const aims = destinations.filter(({ address: a }) => (typeof a === "number") === (family === "ip"));
  return { addresses: own, ports: [...ports], interfaces: [...interfaces], marks: [...marks], destinations: aims };
}

/** Packets aimed at the boundaries of a rule set's tests: hits, neighbours, other protocols, ports, sources, marks. */
export function packetsFor(
  resolved: ResolvedRuleSet,
  node: Node,
  family: Family,
  count: number,
  seed: string,
): Packet[] {
  const random = seedrandom.alea(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const chance = (p: number): boolean => random() < p;
  const words = vocabulary(resolved, node, family);
  const anyAddress = (): Address =>
    family === "ip" ? below(2 ** 32) : ([0x20010db8, below(4), 0, below(2 ** 32)] as const);
  const address = (): Address => {
    if (chance(0.15)) return anyAddress();
    const known = pick(words.addresses);
    if (!chance(0.3)) return known;
    const bit = 2 ** below(chance(0.7) ? 4 : 32);
    if (typeof known === "number") return (known ^ bit) >>> 0;
    const changed = [...addressWords(known)] as unknown as [number, number, number, number];
    changed[3] = (changed[3] ^ bit) >>> 0;
    return changed as IPv6;
  };
  const protocols = [TCP, TCP, TCP, UDP, SCTP, family === "ip" ? ICMP : ICMPV6, 47];
  return Array.from({ length: count }, () => {
    const aim = words.destinations.length > 0 && chance(0.75) ? pick(words.destinations) : undefined;
    const dst = aim !== undefined && chance(0.9) ? aim.address : address();
    const protocol = aim !== undefined && chance(0.9) ? aim.protocol : pick(protocols);
    const icmp = protocol === ICMP || protocol === ICMPV6;
    const port = aim !== undefined && chance(0.9) ? aim.port : chance(0.8) ? pick(words.ports) : below(65536);
    const entrance = chance(0.8) ? "prerouting" : "output";
    return makePacket({
      src: address(),
      dst,
      protocol,
      sport: icmp ? below(65536) : chance(0.5) ? pick(words.ports) : below(65536),
      dport: icmp ? (protocol === ICMP ? 8 << 8 : 128 << 8) : protocol === 47 ? 0 : port,
      tcpFlags: protocol === TCP ? (chance(0.8) ? TcpFlag.SYN : below(64)) : 0,
      mark: chance(0.9) ? 0 : pick(words.marks),
      entrance,
      iif: entrance === "output" ? "" : pick(words.interfaces),
    });
  });
}
