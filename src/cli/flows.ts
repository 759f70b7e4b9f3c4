/** flows.json: packets by name, `[{name, srcIP, srcPort, dstIP, dstPort, protocol, ipFamily?, hook?, inInterface?}]`. */
import { type Address, type Family, familyOf, parseAddress } from "../packet/address.js";
import { DEFAULT_INTERFACE, type Entrance, makePacket, type Packet } from "../packet/packet.js";
import { hasPorts, parseProtocol, protocolName } from "../packet/protocol.js";
import { error, ProblemError } from "../ruleset/problem.js";
import { spanAt } from "../syntax/input.js";
import { type JsonNode, parseJson } from "./json-text.js";
import { ECHO_REQUEST } from "./options/packet.js";

export interface Flow {
  readonly name: string;
  readonly packet: Packet;
  /** Offset in the text. */
  readonly at: number;
}

/** The mark of every flow. */
interface FlowDefaults {
  readonly mark?: number;
}

/**
 * Reads flows; keys it does not know are ignored, letters' case in `protocol`, `ipFamily` and `hook` does not count. Ports of protocols without
 * any are ignored (an ICMP flow is an echo request). Throws ProblemError at the value that is wrong.
 */
export function readFlows(text: string, defaults: FlowDefaults = {}): Flow[] {
  const root = parseJson(text);
  if (root.kind !== "array") throw wrong(text, root, "expected a list of flows: [{...}, ...]");
  const seen = new Set<string>();
  return root.items.map((item) => {
    const flow = new FlowReader(text, item).read(defaults);
    if (seen.has(flow.name))
      throw wrong(text, item, `the name "${flow.name}" stands twice: answers are told apart by it`);
    seen.add(flow.name);
    return flow;
  });
}

function wrong(text: string, node: JsonNode, message: string): ProblemError {
  return new ProblemError(error("bad-flow", message, spanAt(text, node.at)));
}

class FlowReader {
  private readonly members: ReadonlyMap<string, JsonNode>;

  constructor(
    private readonly text: string,
    private readonly item: JsonNode,
  ) {
    if (item.kind !== "object") throw wrong(text, item, "a flow is an object: {name, srcIP, srcPort, dstIP, ...}");
    this.members = item.members;
  }

  read(defaults: FlowDefaults): Flow {
    const name = this.string("name");
    const src = this.address("srcIP");
    const dst = this.address("dstIP");
    if (familyOf(src) !== familyOf(dst))
      throw this.wrong("dstIP", "srcIP and dstIP are of different families: one is IPv4, the other IPv6");
    this.checkFamily(familyOf(src));
    const protocol = parseProtocol(this.string("protocol"));
    if (protocol === undefined) throw this.wrong("protocol", "unknown protocol: use a name such as TCP, or a number");
    const entrance = this.entrance();
    const packet = makePacket({
      src,
      dst,
      protocol,
      sport: this.port("srcPort", protocol),
      dport: ECHO_REQUEST.get(protocol) ?? this.port("dstPort", protocol),
      entrance,
      iif: entrance === "output" ? "" : (this.optional("inInterface") ?? DEFAULT_INTERFACE),
      ...defaults,
    });
    return { name, packet, at: this.item.at };
  }

  private checkFamily(family: Family): void {
    const told = this.optional("ipFamily")?.toLowerCase();
    if (told === undefined) return;
    if (told !== "ipv4" && told !== "ipv6") throw this.wrong("ipFamily", "ipFamily is IPv4 or IPv6");
    if (told !== (family === "ip" ? "ipv4" : "ipv6"))
      throw this.wrong(
        "ipFamily",
        `ipFamily does not fit the addresses, which are ${family === "ip" ? "IPv4" : "IPv6"}`,
      );
  }

  private entrance(): Entrance {
    const hook = this.optional("hook")?.toLowerCase();
    if (hook === undefined || hook === "prerouting" || hook === "output") return hook ?? "prerouting";
    throw this.wrong("hook", "a flow enters at PREROUTING or at OUTPUT");
  }

  private address(key: string): Address {
    const address = parseAddress(this.string(key));
    if (address === undefined) throw this.wrong(key, `${key} is no IP address`);
    return address;
  }

  private port(key: string, protocol: number): number {
    if (!hasPorts(protocol)) return 0;
    const node = this.members.get(key);
    if (node === undefined)
      throw wrong(this.text, this.item, `the flow has no ${key}: ${protocolName(protocol)} has ports`);
    const value = node.kind === "scalar" ? node.value : undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffff)
      throw this.wrong(key, `${key} is a whole number from 0 to 65535`);
    return value;
  }

  private string(key: string): string {
    const value = this.optional(key);
    if (value === undefined) throw wrong(this.text, this.item, `the flow has no ${key}`);
    return value;
  }

  /** A text; absent and null are the same. */
  private optional(key: string): string | undefined {
    const node = this.members.get(key);
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return undefined;
    if (node.kind !== "scalar" || typeof node.value !== "string") throw this.wrong(key, `${key} is a text`);
    return node.value;
  }

  private wrong(key: string, message: string): ProblemError {
    return wrong(this.text, this.members.get(key) ?? this.item, message);
  }
}
