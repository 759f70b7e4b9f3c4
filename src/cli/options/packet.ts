/** `--src`, `--dst`, `--proto`: one packet. */
import type { Command } from "commander";
import { familyOf } from "../../packet/address.js";
import { makePacket, type Packet } from "../../packet/packet.js";
import { hasPorts, ICMP, ICMPV6, protocolName } from "../../packet/protocol.js";
import { UsageError } from "../failure.js";
import { endpointWord, type EndpointWord, protocolWord } from "./values.js";
import type { WalkOptions } from "./walk.js";

export interface PacketOptions {
  readonly src: EndpointWord;
  readonly dst: EndpointWord;
  readonly proto: number;
}

export function addPacketOptions(command: Command, required: boolean): Command {
  const option = (required ? command.requiredOption : command.option).bind(command) as typeof command.option;
  option("--src <ip:port>", "source ([IP]:PORT for IPv6; without port where the protocol has none)", endpointWord);
  option("--dst <ip:port>", "destination", endpointWord);
  option("--proto <protocol>", "tcp, udp, sctp, icmp (an echo request), ... or a number", protocolWord);
  return command;
}

/** What an ICMP packet is unless told otherwise: an echo request, as type * 256 + code. */
export const ECHO_REQUEST: ReadonlyMap<number, number> = new Map([
  [ICMP, 8 << 8],
  [ICMPV6, 128 << 8],
]);

/** The packet the options describe: the first of a connection (a SYN, an echo request). Throws UsageError. */
export function packetOf({ src, dst, proto }: PacketOptions, walk: WalkOptions): Packet {
  if (familyOf(src.address) !== familyOf(dst.address))
    throw new UsageError("--src and --dst are of different families: one is IPv4, the other IPv6");
  const entrance = walk.hook ?? "prerouting";
  if (entrance === "output" && walk.iif !== undefined)
    throw new UsageError("--iif: a packet that the node sends (--hook output) comes in on no interface");
  return makePacket({
    src: src.address,
    dst: dst.address,
    protocol: proto,
    sport: portOf("--src", src, proto) ?? 0,
    dport: portOf("--dst", dst, proto) ?? ECHO_REQUEST.get(proto) ?? 0,
    entrance,
    ...(walk.iif === undefined ? {} : { iif: walk.iif }),
    ...(walk.mark === undefined ? {} : { mark: walk.mark }),
  });
}

function portOf(option: string, { port }: EndpointWord, protocol: number): number | undefined {
  if (hasPorts(protocol)) {
    if (port === null) throw new UsageError(`${option} needs a port: ${protocolName(protocol)} has ports`);
    return port;
  }
  if (port !== null && port !== 0)
    throw new UsageError(`${option} names a port, but ${protocolName(protocol)} has none: give the address alone`);
  return undefined;
}
