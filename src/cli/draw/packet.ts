/** Packets and outcomes in words: what several commands say of them. */
import { type Address, formatAddress, formatEndpoint } from "../../packet/address.js";
import type { Packet } from "../../packet/packet.js";
import { hasPorts, isIcmp, protocolName } from "../../packet/protocol.js";
import type { Tuple } from "../../packet/tuple.js";
import type { Outcome, SourceTranslation } from "../../engine/types.js";
import type { NatRange } from "../../ruleset/types.js";

/** `address:port`; the address alone for protocols without ports. */
export function endpointText(address: Address, port: number, protocol: number): string {
  return hasPorts(protocol) ? formatEndpoint(address, port) : formatAddress(address);
}

/** `tcp 10.0.0.1:1234 -> 10.0.0.2:80`. */
export function tupleText(tuple: Tuple): string {
  const { src, dst, protocol, sport, dport } = tuple;
  const name = isIcmp(protocol) ? `${protocolName(protocol)} echo-request` : protocolName(protocol);
  return `${name} ${endpointText(src, sport, protocol)} -> ${endpointText(dst, dport, protocol)}`;
}

/** Where a packet enters: `in on eth0`, `sent by the node`. */
export function entranceText(packet: Packet): string {
  return packet.entrance === "output" ? "sent by the node" : `in on ${packet.iif}`;
}

/** The verdict as flows spell it. */
export type VerdictName = "DNAT" | "ACCEPT" | "DROP" | "REJECT";

/** DNAT where a rule set a new destination and the packet was let through. */
export function verdictName(outcome: Outcome): VerdictName {
  if (outcome.verdict !== "accept") return outcome.verdict === "drop" ? "DROP" : "REJECT";
  return outcome.destination === undefined ? "ACCEPT" : "DNAT";
}

/** The new destination of a packet that was let through, as flows write it; null where it has none. */
export function destinationText({ verdict, destination }: Outcome): string | null {
  return verdict === "accept" && destination !== undefined
    ? formatEndpoint(destination.address, destination.port)
    : null;
}

/** What the source becomes: `192.168.0.2`, `192.168.0.2-192.168.0.9:1024-2047`. */
export function sourceText({ kind, to }: SourceTranslation): string {
  if (to.addresses === undefined)
    return kind === "masquerade"
      ? `an address of the outgoing interface (--node-ip says which)${portsText(to)}`
      : `the same address${portsText(to)}`;
  const [first, last] = to.addresses.map(formatAddress);
  return `${first === last ? first : `${first}-${last}`}${portsText(to)}`;
}

function portsText({ ports, fullyRandom, random }: NatRange): string {
  if (ports !== undefined) return `, port ${ports[0] === ports[1] ? ports[0] : `${ports[0]} to ${ports[1]}`}`;
  return fullyRandom === true || random === true ? ", a random port" : "";
}

export function markText(mark: number): string {
  return `0x${mark.toString(16)}`;
}

/** Conditions a walk took as given that a reader does not know anyway: the state of the connection stands in every heading. */
export function isWorthSaying(given: string): boolean {
  return !given.startsWith("connection ");
}
