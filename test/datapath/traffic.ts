import seedrandom from "seedrandom";
import type { Address } from "../../src/packet/address.js";
import { makePacket, type Packet, tupleOf } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, SCTP, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import { replyTuple } from "../../src/packet/tuple.js";
import type { Datapath } from "../../src/datapath/datapath.js";
import type { Result } from "../../src/datapath/single.js";

const { SYN, ACK, FIN, RST } = TcpFlag;
const flags = [SYN, SYN, ACK, ACK, SYN | ACK, FIN | ACK, RST, 0];

export interface Sent {
  readonly packet: Packet;
  readonly now: number;
  readonly result: Result;
}

/**
 * Sends packets through a data path, one by one: first packets to addresses that rules translate and to others, answers to what came out, and
 * repetitions. Few addresses and ports, so that everything clashes. Time stands still for some packets at a time.
 */
export function sendTraffic(path: Datapath, count: number, seed: string, family: "ip" | "ip6" = "ip"): Sent[] {
  const random = seedrandom.alea(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const address = (last: number, service = false): Address =>
    family === "ip" ? (service ? 0x0a600000 : 0x0a000000) + last : [0xfd000000, 0, service ? 96 : 0, last];
  const icmp = family === "ip" ? ICMP : ICMPV6;
  const request = family === "ip" ? 8 << 8 : 128 << 8;

  const first = (): Packet => {
    const protocol = pick([TCP, TCP, TCP, UDP, UDP, icmp, SCTP, 99]);
    const ports =
      protocol === icmp
        ? { sport: below(3), dport: pick([request, request, request, 0, 3 << 8]) }
        : protocol === 99
          ? { sport: 0, dport: 0 }
          : { sport: 1 + below(4), dport: pick([80, 80, 80, 5, 6, 7, 9]) };
    return makePacket({
      src: address(below(5)),
      dst: pick([
        address(1 + below(4), true),
        address(0x101 + below(3)),
        path.node.addresses[family === "ip" ? 0 : 1]!,
      ]),
      protocol,
      ...ports,
      tcpFlags: protocol === TCP ? pick(flags) : 0,
      mark: pick([0, 0, 3, 7]),
      ...(random() < 0.1 ? { entrance: "output" as const } : {}),
    });
  };

  const sent: Sent[] = [];
  let now = 1000;
  for (let i = 0; i < count; i++) {
    if (random() < 0.1) now += pick([1, 500, 3000, 40_000, 130_000]);
    const earlier = sent.length > 0 && random() < 0.7 ? sent[Math.max(0, sent.length - 1 - below(30))] : undefined;
    const answer = earlier && random() < 0.6 ? replyTuple(tupleOf(earlier.result.packet)) : undefined;
    const packet: Packet =
      earlier === undefined
        ? first()
        : answer !== undefined
          ? makePacket({
              ...answer,
              tcpFlags: answer.protocol === TCP ? pick([SYN | ACK, SYN | ACK, ACK, FIN | ACK, RST | ACK]) : 0,
            })
          : {
              ...earlier.packet,
              tcpFlags: earlier.packet.protocol === TCP ? pick([ACK, ACK, SYN, FIN | ACK, RST]) : 0,
            };
    sent.push({ packet, now, result: path.process(packet, now, i) });
  }
  return sent;
}
