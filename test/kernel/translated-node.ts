/** The same packets in two nodes of the real kernel: one with iptables rules, one with their translation. */
import { type Address, type Family, formatAddress, formatEndpoint, sameAddress } from "../../src/packet/address.js";
import type { Packet } from "../../src/packet/packet.js";
import { isIcmp } from "../../src/packet/protocol.js";
import type { Outcome } from "../../src/engine/outcome.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { describeAnswer } from "./compare.js";
import { DEVICES, KernelNode } from "./kernel-node.js";
import type { Observation } from "./observation.js";
import { completeTables } from "./session.js";

const TABLES = ["raw", "mangle", "nat", "filter", "security"] as const;

/** Both nodes; they know the same addresses and routes. */
export class NodePair {
  private constructor(
    readonly family: Family,
    readonly original: KernelNode,
    readonly translated: KernelNode,
  ) {}

  static async start(family: Family): Promise<NodePair> {
    return new NodePair(family, await KernelNode.start(family, "legacy"), await KernelNode.start(family, "legacy"));
  }

  stop(): void {
    this.original.stop();
    this.translated.stop();
  }

  setAddresses(addresses: readonly Address[]): void {
    for (const node of [this.original, this.translated]) node.setAddresses(addresses);
  }

  /** Loads an iptables text here and an nftables rule set there; nothing is left of those before. */
  async load(text: string, translation: RuleSet): Promise<void> {
    if (text.includes("-m recent")) await this.original.load(completeTables(""), () => 0);
    await this.original.load(completeTables(text), () => 0);
    const empty = TABLES.map((table) => `table ${this.family} ${table} {}\ndelete table ${this.family} ${table}\n`);
    this.translated.run(["nft", "-f", "-"], empty.join("") + printNft(translation));
    for (const node of [this.original, this.translated]) await node.forgetConnections();
  }

  /** What became of each packet in either node. */
  async send(packets: readonly Packet[]): Promise<{ original: string; translated: string }[]> {
    const injections = packets.map((packet) => ({ packet }));
    const [here, there] = await Promise.all([this.original.send(injections), this.translated.send(injections)]);
    return packets.map((packet, i) => ({
      original: fateSeen(packet, here[i]!),
      translated: fateSeen(packet, there[i]!),
    }));
  }
}

/** What became of a packet, in the words of fateSaid; what a refusal answered stands behind it. */
export function fateSeen(packet: Packet, { left, entry, answers, errno }: Observation): string {
  const way = left === undefined ? "delivered" : `leaves by ${DEVICES[left.device]}`;
  if (entry !== undefined) {
    const { src, sport, dst } = entry.reply;
    return fate(way, src, isIcmp(packet.protocol) ? 0 : sport, dst, entry.mark);
  }
  if (left !== undefined)
    return fate(way, left.packet.dst, isIcmp(packet.protocol) ? 0 : left.packet.dport, left.packet.src, 0);
  // A node of IPv6 also tells of its multicast groups now and then.
  const answer = answers
    .filter(({ dst }) => sameAddress(dst, packet.src))
    .map(describeAnswer)
    .join(" ");
  if (packet.entrance === "output") return `stopped, ${errno === undefined ? "" : `errno ${errno} `}${answer}`;
  return answer === "" ? "dropped" : `rejected, ${answer}`;
}

/** What an engine says of it. Of a packet of the node the kernel does not always tell in which way it is stopped. */
export function fateSaid(packet: Packet, { verdict, way, oif, tuple, source, changes }: Outcome): string {
  if (verdict !== "accept")
    return packet.entrance === "output" ? "stopped" : verdict === "drop" ? "dropped" : "rejected";
  const marks = changes.flatMap((change) => (change.kind === "ctmark" ? [change.mark] : []));
  const from = source?.to.addresses?.[0] ?? packet.src;
  const port = isIcmp(packet.protocol) ? 0 : tuple.dport;
  return fate(way === "local" ? "delivered" : `leaves by ${oif}`, tuple.dst, port, from, marks.at(-1) ?? 0);
}

function fate(way: string, dst: Address, port: number, src: Address, mark: number): string {
  return `${way} to ${formatEndpoint(dst, port)} from ${formatAddress(src)} ctmark ${mark}`;
}
