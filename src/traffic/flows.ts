import seedrandom from "seedrandom";
import { addressWords, familyOf } from "../packet/address.js";
import { ENTRANCE_OUTPUT, ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import { DEFAULT_INTERFACE, type Entrance } from "../packet/packet.js";
import { type MaskedAddress, parsePrefix, prefixLength } from "../packet/prefix.js";
import { TCP, TcpFlag } from "../packet/protocol.js";
import type { Destinations } from "./destinations.js";
import type { Popularity } from "./popularity.js";

/** How flows are made. */
export interface FlowOptions {
  readonly seed: string | number;
  readonly popularity: Popularity;
  /** Clients come from here; default 10.0.0.0/8, for IPv6 fd00::/64. */
  readonly clients?: MaskedAddress;
  /** How many different clients there are, at most 2^20; default as many as the prefix holds, at most 65,536. */
  readonly clientCount?: number;
  /** Share of flows to no service, 0..1; default 0. They go to `elsewhere`, to random ports. */
  readonly misses?: number;
  /** Default 198.51.100.0/24, for IPv6 2001:db8::/64 (documentation ranges). No service should have its address there. */
  readonly elsewhere?: MaskedAddress;
  /** Where packets enter; default prerouting. */
  readonly entrance?: Entrance;
  /** The incoming interface at prerouting; default eth0. */
  readonly iif?: string;
}

/** Linux's ip_local_port_range: a client's source ports, used in turn. */
const FIRST_PORT = 32768;
const PORTS = 60999 - FIRST_PORT + 1;
const MAX_CLIENTS = 2 ** 20;
const USUAL_CLIENTS = 2 ** 16;
/** Length of a TCP SYN and of a small datagram, in bytes with the IP header. */
const PACKET_LENGTH = 60;

/**
 * The first packets of new connections to services, in an endless stream: the same seed gives the same stream, however
 * it is cut into batches. No tuple comes again before a client has used all its 28,232 ports.
 */
export class FlowSource {
  /** Flows made so far; the next one's `id` in a batch (modulo 2^32). */
  made = 0;
  private readonly random: () => number;
  private readonly clientWords: Uint32Array;
  private readonly clientCount: number;
  /** The client's next port, counted from FIRST_PORT. */
  private readonly nextPort: Uint16Array;
  private readonly elsewhere: Uint32Array;
  private readonly elsewhereSize: number;
  private readonly misses: number;
  private readonly entrance: Entrance;
  private readonly iif: string;

  constructor(
    readonly destinations: Destinations,
    private readonly options: FlowOptions,
  ) {
    const { popularity } = options;
    if (popularity.size !== destinations.count)
      throw new RangeError(`popularity of ${popularity.size} destinations, but there are ${destinations.count}`);
    const ip = destinations.family === "ip";
    const clients = range(options.clients ?? parsePrefix(ip ? "10.0.0.0/8" : "fd00::/64")!, destinations, "clients");
    this.clientWords = clients.words;
    this.clientCount = options.clientCount ?? Math.min(clients.size, USUAL_CLIENTS);
    if (!(this.clientCount >= 1 && this.clientCount <= Math.min(clients.size, MAX_CLIENTS)))
      throw new RangeError(`${this.clientCount} clients of a prefix of ${clients.size} addresses`);
    const elsewhere = options.elsewhere ?? parsePrefix(ip ? "198.51.100.0/24" : "2001:db8::/64")!;
    ({ words: this.elsewhere, size: this.elsewhereSize } = range(elsewhere, destinations, "elsewhere"));
    this.misses = options.misses ?? 0;
    if (!(this.misses >= 0 && this.misses <= 1)) throw new RangeError(`share of misses ${this.misses}`);
    this.entrance = options.entrance ?? "prerouting";
    this.iif = this.entrance === "output" ? "" : (options.iif ?? DEFAULT_INTERFACE);
    this.random = seedrandom.alea(String(options.seed));
    this.nextPort = Uint16Array.from({ length: this.clientCount }, () => Math.floor(this.random() * PORTS));
  }

  /**
   * Writes the next `count` flows into a batch, from its beginning, and sets its count. Nothing is allocated for a
   * packet. `picks`, where given, receives the index of each packet's destination, -1 for a miss.
   */
  fillBatch(batch: PacketBatch, count = batch.capacity, picks?: Int32Array): void {
    if (batch.family !== this.destinations.family)
      throw new RangeError(`flows of family ${this.destinations.family} for a batch of ${batch.family}`);
    if (count > batch.capacity) throw new RangeError(`${count} flows for a batch of ${batch.capacity}`);
    const { dst, port, protocol, words } = this.destinations;
    const { popularity } = this.options;
    const entrance = this.entrance === "output" ? ENTRANCE_OUTPUT : ENTRANCE_PREROUTING;
    const iif = batch.interfaceIndex(this.iif);
    const random = this.random;
    for (let i = 0; i < count; i++) {
      const client = Math.floor(random() * this.clientCount);
      const turn = this.nextPort[client]!;
      this.nextPort[client] = turn + 1 === PORTS ? 0 : turn + 1;
      const at = i * words;
      for (let w = 0; w < words; w++) batch.src[at + w] = this.clientWords[w]!;
      batch.src[at + words - 1] = this.clientWords[words - 1]! + client;
      batch.sport[i] = FIRST_PORT + turn;
      if (this.misses > 0 && random() < this.misses) {
        for (let w = 0; w < words; w++) batch.dst[at + w] = this.elsewhere[w]!;
        batch.dst[at + words - 1] = this.elsewhere[words - 1]! + Math.floor(random() * this.elsewhereSize);
        batch.dport[i] = 1 + Math.floor(random() * 65535);
        batch.protocol[i] = TCP;
        if (picks !== undefined) picks[i] = -1;
      } else {
        const pick = popularity.pick(random);
        for (let w = 0; w < words; w++) batch.dst[at + w] = dst[pick * words + w]!;
        batch.dport[i] = port[pick]!;
        batch.protocol[i] = protocol[pick]!;
        if (picks !== undefined) picks[i] = pick;
      }
      batch.id[i] = this.made++;
    }
    batch.mark.fill(0, 0, count);
    batch.length.fill(PACKET_LENGTH, 0, count);
    batch.entrance.fill(entrance, 0, count);
    batch.iif.fill(iif, 0, count);
    batch.state.fill(CtState.new, 0, count);
    batch.reply.fill(0, 0, count);
    batch.status.fill(0, 0, count);
    batch.ctmark.fill(0, 0, count);
    for (let i = 0; i < count; i++) batch.tcpFlags[i] = batch.protocol[i] === TCP ? TcpFlag.SYN : 0;
    copyTuples(batch, count);
    batch.count = count;
  }
}

/** A new connection is not translated yet: its translated tuple is its own. */
function copyTuples(batch: PacketBatch, count: number): void {
  const words = count * batch.words;
  for (let i = 0; i < words; i++) {
    batch.toSrc[i] = batch.src[i]!;
    batch.toDst[i] = batch.dst[i]!;
  }
  for (let i = 0; i < count; i++) {
    batch.toSport[i] = batch.sport[i]!;
    batch.toDport[i] = batch.dport[i]!;
  }
}

/** The first address of a prefix as words, and how many addresses may be counted from it (at most 2^32). */
function range(prefix: MaskedAddress, to: Destinations, what: string): { words: Uint32Array; size: number } {
  const length = prefixLength(prefix.mask);
  if (familyOf(prefix.value) !== to.family || length < 0)
    throw new RangeError(`${what} must be a prefix of the destinations' family`);
  const bits = Math.min(32, (to.family === "ip" ? 32 : 128) - length);
  return { words: Uint32Array.from(addressWords(prefix.value)), size: 2 ** bits };
}
