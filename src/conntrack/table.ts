/**
 * The connection table, as flat typed arrays. A program in another language can repeat it from this description.
 *
 * Records: one int32 array of `stride` words a record (16 for IPv4, one cache line; 24 for IPv6). Record 0 is not used. Words:
 *   0 META     protocol | status << 8 | protocol state << 16 | tracking bits << 20 (see track.ts); 0 in a free record
 *   1 EXPIRES  milliseconds after the table's epoch
 *   2 MARK     the connection mark
 *   3 STREAM   UDP: when the flow becomes a stream, milliseconds after the epoch
 *   4, 5       ports of the original and of the reply tuple: source << 16 | destination (ICMP: identifier << 16 | type << 8 | code)
 *   6 ...      addresses: original source, original destination, reply source, reply destination; 1 word each (IPv4) or 4 (IPv6)
 *   then NEXT  in a free record the next free one
 * A *ref* names one direction of a connection: record * 2 + (0 original, 1 reply). 0 is no ref.
 *
 * Index: one int32 array, a power of two, four slots or more for each record there can be, so at most half full. A slot is 0 (empty)
 * or a ref in its low bits with the hash in the high ones (`refMask` tells them apart). Both directions of a connection are in
 * it. Linear probing from `hash & indexMask`; removal closes the gap by moving later slots back, so there are no tombstones.
 *
 * Hash of a tuple, all in 32 bits, * being the low half of the product and >>> the unsigned shift:
 *   h = (src ^ protocol * 0x27d4eb2f) * 0x9e3779b1;  h = ((h ^ h >>> 16) + dst) * 0x85ebca6b;
 *   h = ((h ^ h >>> 15) + ports) * 0x2c1b3c6d;  h ^ h >>> 16
 * (IPv6: src is the first word; the other three of it and the four of dst take the second step in turn.)
 *
 * A lookup touches one line of the index and, but for one false alarm in a thousand, one record.
 */
import { addressAt, type Address, addressWords, type Family } from "../packet/address.js";
import { CtStatus } from "../packet/connection.js";
import { replyTuple, type Tuple } from "../packet/tuple.js";
import { hashIPv4, hashWords } from "./hash.js";
import { SourceIndex } from "./source-index.js";

export const META = 0;
export const EXPIRES = 1;
export const MARK = 2;
export const STREAM = 3;
export const PORTS = 4;
export const ADDRESSES = 6;

/** nf_conntrack_max where nothing else is said: what the kernel takes on a machine of 4 GB or more. */
export const DEFAULT_MAX_ENTRIES = 262_144;
/** Words of a record. */
export const STRIDE_IPV4 = 16;
const STRIDE_IPV6 = 24;
/** Buckets early_drop looks into (NF_CT_EVICTION_RANGE); one of the kernel's has, when the table is full, as many tuples as four slots here. */
const EVICTION_SLOTS = 8 * 4;
/** Ticks are int32; the epoch moves on before they reach this, which leaves room for the longest time-out (12 days). */
const LAST_TICK = 2 ** 30;

/** A port pair as one int32. */
export function packPorts(sport: number, dport: number): number {
  return (sport << 16) | dport;
}

/** The connections of one family. It stores and finds; what packets do to a connection is in track.ts. */
export class ConntrackTable {
  readonly family: Family;
  /** Words of an address. */
  readonly words: 1 | 4;
  readonly stride: number;
  /** nf_conntrack_max. */
  readonly maxEntries: number;
  /** Connections in the table, expired ones that nobody has looked at included (as in the kernel's nf_conntrack_count). */
  size = 0;
  // The arrays are public for the batch loops of the data path, which read them directly; only this class replaces them.
  records: Int32Array;
  index: Int32Array;
  indexMask = 0;
  refMask = 0;
  private capacity: number;
  /** Records below were used before; freed ones are linked from `free`. */
  private top = 1;
  private free = 0;
  private readonly next: number;
  private epoch: number | undefined;
  private cursor = 1;
  /** Made at the first connection with a translated source. */
  private bySource: SourceIndex | undefined;
  private readonly key = new Int32Array(8);

  /** `initialCapacity`: records to make room for at once; the table doubles when they are used up. */
  constructor(family: Family, maxEntries = DEFAULT_MAX_ENTRIES, initialCapacity = 1024) {
    if (!(maxEntries >= 1 && maxEntries < 2 ** 28))
      throw new RangeError(`${maxEntries} entries: not in 1..${2 ** 28 - 1}`);
    this.family = family;
    this.words = family === "ip" ? 1 : 4;
    this.stride = family === "ip" ? STRIDE_IPV4 : STRIDE_IPV6;
    this.next = ADDRESSES + 4 * this.words;
    this.maxEntries = maxEntries;
    this.capacity = Math.min(Math.max(initialCapacity, 15), maxEntries) + 1;
    this.records = new Int32Array(this.capacity * this.stride);
    this.index = new Int32Array(0);
    this.makeIndex();
  }

  get full(): boolean {
    return this.size >= this.maxEntries;
  }

  /** Records that sweep goes through: those in use and those freed. */
  get span(): number {
    return this.top - 1;
  }

  /** Bytes of all arrays. */
  get byteLength(): number {
    return this.records.byteLength + this.index.byteLength + (this.bySource?.byteLength ?? 0);
  }

  /** Milliseconds as the table counts them: after its epoch, which is the first time it is told. An int32. */
  tick(now: number): number {
    this.epoch ??= now;
    if (now - this.epoch > LAST_TICK) this.moveEpoch(now);
    return (now - this.epoch) | 0;
  }

  // --------------------------------------------------------------------------------------------------------- finding

  /** The ref of an IPv4 tuple, 0 where there is none. All arguments as int32, ports as packPorts gives them. Expired entries are found too. */
  lookupIPv4(src: number, dst: number, ports: number, protocol: number): number {
    return this.lookupHashedIPv4(hashIPv4(src, dst, ports, protocol), src, dst, ports, protocol);
  }

  /** The same with the tuple's hash at hand. */
  lookupHashedIPv4(hash: number, src: number, dst: number, ports: number, protocol: number): number {
    const { index, records, indexMask, refMask } = this;
    for (let at = hash & indexMask; ; at = (at + 1) & indexMask) {
      const slot = index[at]!;
      if (slot === 0) return 0;
      if (((slot ^ hash) & ~refMask) !== 0) continue;
      const ref = slot & refMask;
      const base = (ref >>> 1) * STRIDE_IPV4;
      const side = ref & 1;
      if (
        records[base + PORTS + side] === ports &&
        records[base + ADDRESSES + 2 * side] === src &&
        records[base + ADDRESSES + 1 + 2 * side] === dst &&
        (records[base]! & 255) === protocol
      )
        return ref;
    }
  }

  /** The ref of a tuple, 0 where there is none. Expired entries are found too. */
  lookup(tuple: Tuple): number {
    const ports = packPorts(tuple.sport, tuple.dport);
    if (this.words === 1) {
      return this.lookupIPv4((tuple.src as number) | 0, (tuple.dst as number) | 0, ports, tuple.protocol);
    }
    const { key, index, records, indexMask, refMask } = this;
    key.set(addressWords(tuple.src), 0);
    key.set(addressWords(tuple.dst), 4);
    const hash = hashWords(key, 0, 8, ports, tuple.protocol);
    for (let at = hash & indexMask; ; at = (at + 1) & indexMask) {
      const slot = index[at]!;
      if (slot === 0) return 0;
      if (((slot ^ hash) & ~refMask) !== 0) continue;
      const ref = slot & refMask;
      const base = (ref >>> 1) * this.stride;
      const from = base + ADDRESSES + (ref & 1) * 8;
      if (records[base + PORTS + (ref & 1)] !== ports || (records[base]! & 255) !== tuple.protocol) continue;
      let i = 0;
      while (i < 8 && records[from + i] === key[i]) i++;
      if (i === 8) return ref;
    }
  }

  /** The ref of a live connection, 0 where there is none: one that is over is taken out. */
  lookupLive(tuple: Tuple, tick: number): number {
    const ref = this.lookup(tuple);
    if (ref === 0 || this.records[(ref >>> 1) * this.stride + EXPIRES]! - tick > 0) return ref;
    this.remove(ref);
    return 0;
  }

  /** Whether there is a live connection under a tuple. Changes nothing. */
  isLive(tuple: Tuple, tick: number): boolean {
    const ref = this.lookup(tuple);
    return ref !== 0 && this.records[(ref >>> 1) * this.stride + EXPIRES]! - tick > 0;
  }

  /** The tuple of a ref's direction. */
  tuple(ref: number): Tuple {
    const { records, words } = this;
    const base = (ref >>> 1) * this.stride;
    const from = base + ADDRESSES + (ref & 1) * 2 * words;
    const ports = records[base + PORTS + (ref & 1)]!;
    return {
      src: this.address(from),
      dst: this.address(from + words),
      protocol: records[base]! & 255,
      sport: ports >>> 16,
      dport: ports & 0xffff,
    };
  }

  private address(at: number): Address {
    const unsigned = Uint32Array.from(this.records.subarray(at, at + this.words));
    return addressAt(unsigned, 0, this.family);
  }

  /** The original refs of all connections, expired ones included. The table must not be changed meanwhile. */
  *refs(): Generator<number> {
    for (let record = 1; record < this.top; record++) if (this.records[record * this.stride] !== 0) yield record * 2;
  }

  // ------------------------------------------------------------------------------------------------ entering, leaving

  /** Enters a connection and gives its original ref, 0 where the table is full. Neither tuple may be in the table. `meta` is not 0. */
  insert(original: Tuple, reply: Tuple, meta: number, expires: number): number {
    const record = this.allocate();
    if (record === 0) return 0;
    const { records, words } = this;
    const base = record * this.stride;
    records.set(addressWords(original.src), base + ADDRESSES);
    records.set(addressWords(original.dst), base + ADDRESSES + words);
    records.set(addressWords(reply.src), base + ADDRESSES + 2 * words);
    records.set(addressWords(reply.dst), base + ADDRESSES + 3 * words);
    return this.enter(
      record,
      packPorts(original.sport, original.dport),
      packPorts(reply.sport, reply.dport),
      meta,
      expires,
    );
  }

  /** The same for IPv4, without objects. */
  insertIPv4(
    src: number,
    dst: number,
    ports: number,
    replySrc: number,
    replyDst: number,
    replyPorts: number,
    meta: number,
    expires: number,
  ): number {
    const record = this.allocate();
    if (record === 0) return 0;
    const { records } = this;
    const at = record * STRIDE_IPV4 + ADDRESSES;
    records[at] = src;
    records[at + 1] = dst;
    records[at + 2] = replySrc;
    records[at + 3] = replyDst;
    return this.enter(record, ports, replyPorts, meta, expires);
  }

  private enter(record: number, ports: number, replyPorts: number, meta: number, expires: number): number {
    const { records } = this;
    const base = record * this.stride;
    records[base + META] = meta;
    records[base + EXPIRES] = expires;
    records[base + MARK] = 0;
    records[base + STREAM] = 0;
    records[base + PORTS] = ports;
    records[base + PORTS + 1] = replyPorts;
    this.place(record * 2);
    this.place(record * 2 + 1);
    if (((meta >>> 8) & CtStatus.snat) !== 0) {
      this.bySource ??= new SourceIndex(this.capacity);
      this.bySource.link(record, this.sourceHash(record));
    }
    this.size++;
    return record * 2;
  }

  /** Takes out the connection of a ref. */
  remove(ref: number): void {
    const record = ref >>> 1;
    const base = record * this.stride;
    if (((this.records[base]! >>> 8) & CtStatus.snat) !== 0) this.bySource!.unlink(record, this.sourceHash(record));
    this.displace(record * 2);
    this.displace(record * 2 + 1);
    this.records[base] = 0;
    this.records[base + this.next] = this.free;
    this.free = record;
    this.size--;
  }

  clear(): void {
    this.records.fill(0);
    this.index.fill(0);
    this.bySource?.clear();
    this.size = this.free = 0;
    this.top = this.cursor = 1;
  }

  /** Looks at the next `budget` records and takes out those whose time is over; says how many. */
  sweep(tick: number, budget: number): number {
    const before = this.size;
    for (let left = Math.min(budget, this.top - 1); left > 0; left--) {
      if (this.cursor >= this.top) this.cursor = 1;
      const base = this.cursor * this.stride;
      if (this.records[base] !== 0 && this.records[base + EXPIRES]! - tick <= 0) this.remove(this.cursor * 2);
      this.cursor++;
    }
    return before - this.size;
  }

  /**
   * Makes room in a full table for a connection with this original tuple as early_drop does: of the connections that lie near
   * it in the index, those that are not ASSURED go, bucket by bucket until one gave something. False where none did: the new packet is dropped.
   */
  earlyDrop(original: Tuple, tick: number): boolean {
    const { index, indexMask, refMask, records, stride } = this;
    const home = this.hashOf(original) & indexMask;
    const before = this.size;
    const near: number[] = [];
    for (let i = 0; i < EVICTION_SLOTS; i++) {
      const slot = index[(home + i) & indexMask]!;
      if (slot !== 0) near.push(slot & refMask);
      if (i % 4 !== 3) continue;
      for (const ref of near.splice(0)) {
        const base = (ref >>> 1) * stride;
        const meta = records[base]!;
        const expired = records[base + EXPIRES]! - tick <= 0;
        if (meta !== 0 && (expired || ((meta >>> 8) & CtStatus.assured) === 0)) this.remove(ref);
      }
      if (this.size < before) return true;
    }
    return false;
  }

  /**
   * find_appropriate_src: the translated sources of connections from the same source address and port, the youngest first; gives the first
   * that `accept` takes.
   */
  findMapping(
    source: Tuple,
    accept: (src: Address, sport: number) => boolean,
  ): { src: Address; sport: number } | undefined {
    const { bySource, records, stride, words } = this;
    if (bySource === undefined) return undefined;
    const from = Int32Array.from(addressWords(source.src));
    const hash = hashWords(from, 0, words, source.sport, source.protocol);
    for (let record = bySource.first(hash); record !== 0; record = bySource.after(record)) {
      const base = record * stride;
      if ((records[base]! & 255) !== source.protocol || records[base + PORTS]! >>> 16 !== source.sport) continue;
      if (from.some((word, i) => records[base + ADDRESSES + i] !== word)) continue;
      const translated = replyTuple(this.tuple(record * 2 + 1));
      if (translated !== undefined && accept(translated.src, translated.sport)) return translated;
    }
    return undefined;
  }

  private sourceHash(record: number): number {
    const { records, words } = this;
    const base = record * this.stride;
    return hashWords(records, base + ADDRESSES, words, records[base + PORTS]! >>> 16, records[base]! & 255);
  }

  // ------------------------------------------------------------------------------------------------------- the index

  hashOf(tuple: Tuple): number {
    const ports = packPorts(tuple.sport, tuple.dport);
    if (this.words === 1) return hashIPv4((tuple.src as number) | 0, (tuple.dst as number) | 0, ports, tuple.protocol);
    this.key.set(addressWords(tuple.src), 0);
    this.key.set(addressWords(tuple.dst), 4);
    return hashWords(this.key, 0, 8, ports, tuple.protocol);
  }

  private hashOfRef(ref: number): number {
    const { records, words } = this;
    const base = (ref >>> 1) * this.stride;
    const at = base + ADDRESSES + (ref & 1) * 2 * words;
    const ports = records[base + PORTS + (ref & 1)]!;
    const protocol = records[base]! & 255;
    return words === 1
      ? hashIPv4(records[at]!, records[at + 1]!, ports, protocol)
      : hashWords(records, at, 8, ports, protocol);
  }

  private place(ref: number): void {
    const { index, indexMask } = this;
    const hash = this.hashOfRef(ref);
    let at = hash & indexMask;
    while (index[at] !== 0) at = (at + 1) & indexMask;
    index[at] = (hash & ~this.refMask) | ref;
  }

  private displace(ref: number): void {
    const { index, indexMask, refMask } = this;
    let gap = this.hashOfRef(ref) & indexMask;
    while ((index[gap]! & refMask) !== ref) gap = (gap + 1) & indexMask;
    for (let at = (gap + 1) & indexMask; index[at] !== 0; at = (at + 1) & indexMask) {
      const home = this.hashOfRef(index[at]! & refMask) & indexMask;
      // The slot may move back into the gap where its home does not lie behind it.
      if (((at - home) & indexMask) >= ((at - gap) & indexMask)) {
        index[gap] = index[at]!;
        gap = at;
      }
    }
    index[gap] = 0;
  }

  private makeIndex(): void {
    const bits = 32 - Math.clz32(this.capacity - 1);
    this.index = new Int32Array(4 << bits);
    this.indexMask = this.index.length - 1;
    this.refMask = (2 << bits) - 1;
  }

  /** A record to use, 0 where the table is full. */
  private allocate(): number {
    if (this.size >= this.maxEntries) return 0;
    if (this.free !== 0) {
      const record = this.free;
      this.free = this.records[record * this.stride + this.next]!;
      return record;
    }
    if (this.top === this.capacity) this.grow();
    return this.top++;
  }

  private grow(): void {
    this.capacity = Math.min(2 * this.capacity, this.maxEntries + 1);
    const old = this.records;
    this.records = new Int32Array(this.capacity * this.stride);
    this.records.set(old);
    this.makeIndex();
    for (const ref of this.refs()) {
      this.place(ref);
      this.place(ref + 1);
    }
    this.bySource = this.bySource?.grown(this.capacity, (record) => this.sourceHash(record));
  }

  private moveEpoch(now: number): void {
    const by = now - this.epoch!;
    for (const ref of this.refs()) {
      const base = (ref >>> 1) * this.stride;
      this.records[base + EXPIRES] = Math.max(this.records[base + EXPIRES]! - by, -1);
      this.records[base + STREAM] = Math.max(this.records[base + STREAM]! - by, -1);
    }
    this.epoch = now;
  }
}
