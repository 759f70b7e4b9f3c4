import { addressAt, addressWords, type Family } from "./address.js";
import { type Connection, CtState, hasEntry, type CtStateName, NEW_CONNECTION, translatedTuple } from "./connection.js";
import { type Packet, tupleOf } from "./packet.js";
import { replyTuple, type Tuple } from "./tuple.js";

export const ENTRANCE_PREROUTING = 0;
export const ENTRANCE_OUTPUT = 1;

const stateNames: ReadonlyMap<number, CtStateName> = new Map(
  (["invalid", "new", "related", "established", "untracked"] as const).map((name) => [CtState[name], name]),
);

/** The same memory, as far as its words are full. */
const fullWords = ({ buffer, length }: Uint8Array): Int32Array => new Int32Array(buffer, 0, length >> 2);

/**
 * Many packets of one family as struct of typed arrays: column i holds a field of packet i.
 * Addresses take `words` uint32 a packet: one for IPv4, four for IPv6. What only a single packet can carry
 * (embedded tuple, hardware address, bridge port) is not here: use Packet for those.
 */
export class PacketBatch {
  readonly family: Family;
  readonly capacity: number;
  readonly words: 1 | 4;
  /** Packets in use, at most `capacity`. */
  count = 0;
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly protocol: Uint8Array;
  readonly sport: Uint16Array;
  readonly dport: Uint16Array;
  readonly tcpFlags: Uint8Array;
  readonly mark: Uint32Array;
  readonly length: Uint16Array;
  /** ENTRANCE_PREROUTING or ENTRANCE_OUTPUT. */
  readonly entrance: Uint8Array;
  /** Index into `interfaces`. */
  readonly iif: Uint16Array;
  /** Interface names; 0 is no interface. */
  readonly interfaces: string[] = [""];
  /** One bit of CtState (new, established, related, invalid, untracked): what conntrack says of the packet. */
  readonly state: Uint8Array;
  /** What follows is of packets that have an entry (established, related). 1 where the packet goes the way of the reply. */
  readonly reply: Uint8Array;
  /** Bits of CtStatus. */
  readonly status: Uint8Array;
  readonly ctmark: Uint32Array;
  /** The tuple after the entry's translation; equal to the packet's own where there is none. */
  readonly toSrc: Uint32Array;
  readonly toDst: Uint32Array;
  readonly toSport: Uint16Array;
  readonly toDport: Uint16Array;
  /** `entrance`, `state` and `status` four packets to a word, as far as words are full: for loops that ask whether many packets are alike. */
  readonly entranceWords: Int32Array;
  readonly stateWords: Int32Array;
  readonly statusWords: Int32Array;
  /** What a draw is named by: unique for each packet of a run, so that equal seeds give equal picks in any batch order. */
  readonly id: Uint32Array;

  constructor(family: Family, capacity: number) {
    this.family = family;
    this.capacity = capacity;
    this.words = family === "ip" ? 1 : 4;
    this.src = new Uint32Array(capacity * this.words);
    this.dst = new Uint32Array(capacity * this.words);
    this.protocol = new Uint8Array(capacity);
    this.sport = new Uint16Array(capacity);
    this.dport = new Uint16Array(capacity);
    this.tcpFlags = new Uint8Array(capacity);
    this.mark = new Uint32Array(capacity);
    this.length = new Uint16Array(capacity);
    this.entrance = new Uint8Array(capacity);
    this.iif = new Uint16Array(capacity);
    this.state = new Uint8Array(capacity);
    this.reply = new Uint8Array(capacity);
    this.status = new Uint8Array(capacity);
    this.ctmark = new Uint32Array(capacity);
    this.toSrc = new Uint32Array(capacity * this.words);
    this.toDst = new Uint32Array(capacity * this.words);
    this.toSport = new Uint16Array(capacity);
    this.toDport = new Uint16Array(capacity);
    this.id = new Uint32Array(capacity);
    this.entranceWords = fullWords(this.entrance);
    this.stateWords = fullWords(this.state);
    this.statusWords = fullWords(this.status);
  }

  /** The index of an interface name, added where it is new. */
  interfaceIndex(name: string): number {
    const at = this.interfaces.indexOf(name);
    return at >= 0 ? at : this.interfaces.push(name) - 1;
  }

  /** Writes a packet at index i (counting it in), and its connection: new where none is given. */
  set(i: number, packet: Packet, id = i, connection: Connection = NEW_CONNECTION): void {
    if (packet.family !== this.family)
      throw new RangeError(`packet of family ${packet.family} in a batch of ${this.family}`);
    this.src.set(addressWords(packet.src), i * this.words);
    this.dst.set(addressWords(packet.dst), i * this.words);
    this.protocol[i] = packet.protocol;
    this.sport[i] = packet.sport;
    this.dport[i] = packet.dport;
    this.tcpFlags[i] = packet.tcpFlags;
    this.mark[i] = packet.mark;
    this.length[i] = packet.length;
    this.entrance[i] = packet.entrance === "prerouting" ? ENTRANCE_PREROUTING : ENTRANCE_OUTPUT;
    this.iif[i] = this.interfaceIndex(packet.iif);
    this.state[i] = CtState[connection.state];
    this.reply[i] = connection.direction === "reply" ? 1 : 0;
    this.status[i] = connection.status;
    this.ctmark[i] = connection.mark;
    const to = translatedTuple(packet, connection);
    this.toSrc.set(addressWords(to.src), i * this.words);
    this.toDst.set(addressWords(to.dst), i * this.words);
    this.toSport[i] = to.sport;
    this.toDport[i] = to.dport;
    this.id[i] = id;
    if (i >= this.count) this.count = i + 1;
  }

  /** The tuple packet i leaves with, by its entry. */
  translated(i: number): Tuple {
    return {
      src: addressAt(this.toSrc, i * this.words, this.family),
      dst: addressAt(this.toDst, i * this.words, this.family),
      protocol: this.protocol[i]!,
      sport: this.toSport[i]!,
      dport: this.toDport[i]!,
    };
  }

  /** The connection columns of packet i as an object. Throws RangeError where `state` is not one bit of CtState. */
  connection(i: number): Connection {
    const state = stateNames.get(this.state[i]!);
    if (state === undefined)
      throw new RangeError(`packet ${i} has connection state ${this.state[i]}, not one bit of CtState`);
    const direction = this.reply[i] === 1 ? "reply" : "original";
    const seen: Connection = { state, direction, status: this.status[i]!, mark: this.ctmark[i]! };
    const other = replyTuple(this.translated(i));
    if ((state === "new" && !hasEntry(seen)) || state === "invalid" || state === "untracked" || other === undefined)
      return seen;
    const own = tupleOf(this.get(i));
    return direction === "original"
      ? { ...seen, original: own, reply: other }
      : { ...seen, original: other, reply: own };
  }

  /** Packet i as an object. */
  get(i: number): Packet {
    return {
      family: this.family,
      src: addressAt(this.src, i * this.words, this.family),
      dst: addressAt(this.dst, i * this.words, this.family),
      protocol: this.protocol[i]!,
      sport: this.sport[i]!,
      dport: this.dport[i]!,
      tcpFlags: this.tcpFlags[i]!,
      mark: this.mark[i]!,
      length: this.length[i]!,
      entrance: this.entrance[i] === ENTRANCE_PREROUTING ? "prerouting" : "output",
      iif: this.interfaces[this.iif[i]!]!,
    };
  }
}

/** A batch of the given packets; draws are named by their position. */
export function batchOf(packets: readonly Packet[]): PacketBatch {
  const batch = new PacketBatch(packets[0]?.family ?? "ip", packets.length);
  packets.forEach((packet, i) => batch.set(i, packet));
  return batch;
}
