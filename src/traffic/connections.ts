import { type Address, addressWords, type IPv6 } from "../packet/address.js";
import { makePacket, type Packet } from "../packet/packet.js";
import { hasPorts, TCP, TcpFlag } from "../packet/protocol.js";
import type { Datapath } from "../datapath/datapath.js";
import type { Result } from "../datapath/types.js";
import type { Fate } from "./picks.js";
import type { Sizes } from "./sizes.js";

export interface ConnectionsOptions {
  readonly connections: number;
  /** Their addresses count up from that of the first packet. */
  readonly clients: number;
  readonly sizes: Sizes;
  /** Uniform in [0, 1): which client comes next, and how long its connection is. */
  readonly random: () => number;
  /** Whether rules lead a client to the endpoint it had: a connection without a draw belongs to the client's last draw. */
  readonly affinity: boolean;
}

/** What came to one place. */
export interface PlaceTraffic extends Fate {
  /** Decisions for it: connections, or clients where affinity keeps them. */
  picks: number;
  connections: number;
  /** Packets from clients. */
  packets: number;
}

export interface ConnectionsResult {
  readonly places: readonly PlaceTraffic[];
  readonly picks: number;
  readonly packets: number;
  /**
   * Sum of the squares of the packets of each pick, by the sum: so many times larger than for single packets is the variance of packet
   * counts, because all packets of a pick go one way (the design effect of cluster sampling).
   */
  readonly designEffect: number;
}

/** Milliseconds from one connection to the next. */
const GAP = 1;
const FIRST_PORT = 1024;
const PORTS = 65_536 - FIRST_PORT;

/**
 * Connections through a data path, each with its handshake and all its packets: conntrack keeps a connection with its endpoint, session
 * affinity a client. All arrive within seconds, so no affinity times out. At most 64,512 connections a client.
 */
export function sendConnections(datapath: Datapath, first: Packet, options: ConnectionsOptions): ConnectionsResult {
  const places = new Map<string, PlaceTraffic>();
  const units: { packets: number }[] = [];
  const unitOf = new Map<number, { packets: number }>();
  const nextPort = new Map<number, number>();
  let packets = 0;
  for (let i = 0; i < options.connections; i++) {
    const client = Math.floor(options.random() * options.clients);
    const size = options.sizes.draw(options.random);
    const turn = nextPort.get(client) ?? 0;
    nextPort.set(client, turn + 1);
    const ports = hasPorts(first.protocol) ? { sport: FIRST_PORT + (turn % PORTS) } : {};
    const opening = makePacket({ ...first, src: addressAfter(first.src, client), ...ports });
    const opened = datapath.process(opening, i * GAP);
    const place = placeOf(places, opened, first);
    place.connections++;
    let unit = options.affinity && opened.outcome?.work.draws === 0 ? unitOf.get(client) : undefined;
    if (unit === undefined) {
      unit = { packets: 0 };
      units.push(unit);
      unitOf.set(client, unit);
      place.picks++;
    }
    place.packets++;
    if (opened.verdict === "accept") {
      answer(datapath, opened, i * GAP);
      const later = { ...opening, tcpFlags: opening.protocol === TCP ? TcpFlag.ACK : 0 };
      for (let n = 1; n < size; n++) placeOf(places, datapath.process(later, i * GAP), first).packets++;
    }
    const sent = opened.verdict === "accept" ? size : 1;
    unit.packets += sent;
    packets += sent;
  }
  const squares = units.reduce((sum, unit) => sum + unit.packets ** 2, 0);
  return { places: [...places.values()], picks: units.length, packets, designEffect: squares / packets };
}

/** The server's first answer: without it conntrack takes what follows a SYN for invalid. */
function answer(datapath: Datapath, { packet }: Result, now: number): void {
  const reply = makePacket({
    src: packet.dst,
    dst: packet.src,
    sport: packet.dport,
    dport: packet.sport,
    protocol: packet.protocol,
    tcpFlags: packet.protocol === TCP ? TcpFlag.SYN | TcpFlag.ACK : 0,
  });
  datapath.process(reply, now);
}

function placeOf(places: Map<string, PlaceTraffic>, { verdict, packet }: Result, first: Packet): PlaceTraffic {
  const { dst: address, dport: port } = packet;
  const translated = verdict === "accept" && (String(address) !== String(first.dst) || port !== first.dport);
  const key = translated ? `${String(address)} ${port}` : verdict;
  let place = places.get(key);
  if (place === undefined) {
    place = { verdict, destination: translated ? { address, port } : undefined, picks: 0, connections: 0, packets: 0 };
    places.set(key, place);
  }
  return place;
}

function addressAfter(address: Address, count: number): Address {
  if (typeof address === "number") return (address + count) >>> 0;
  const words = [...addressWords(address)];
  words[3] = (words[3]! + count) >>> 0;
  return words as unknown as IPv6;
}
