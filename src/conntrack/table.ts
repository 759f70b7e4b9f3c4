/** The connections of one family: entering, leaving, time, and the maximum. How they lie in memory is in layout.ts. */
import { type Address, addressWords, type Family } from "../packet/address.js";
import { CtStatus } from "../packet/connection.js";
import { replyTuple, type Tuple } from "../packet/tuple.js";
import { hashWords } from "./hash.js";
import { ADDRESSES, EXPIRES, MARK, META, packPorts, PORTS, STREAM, STRIDE_IPV4 } from "./layout.js";
import { SourceIndex } from "./source-index.js";
import { TupleIndex } from "./tuple-index.js";

export { ADDRESSES, EXPIRES, MARK, META, PORTS, STREAM, STRIDE_IPV4 } from "./layout.js";

/** nf_conntrack_max where nothing else is said: what the kernel takes on a machine of 4 GB or more. */
export const DEFAULT_MAX_ENTRIES = 262_144;
/** Buckets early_drop looks into (NF_CT_EVICTION_RANGE). The kernel has one for each connection there can be. */
const EVICTION_RANGE = 8;
/** Ticks are int32; the epoch moves on before they reach this, which leaves room for the longest time-out (12 days). */
const LAST_TICK = 2 ** 30;

/** The connections of one family. It stores and finds; what packets do to a connection is in track.ts. */
export class ConntrackTable extends TupleIndex {
  /** nf_conntrack_max. */
  readonly maxEntries: number;
  /** Connections in the table, expired ones that nobody has looked at included (as in the kernel's nf_conntrack_count). */
  size = 0;
  /** Records below were used before; freed ones are linked from `free`. */
  private top = 1;
  private free = 0;
  private readonly next: number;
  private epoch: number | undefined;
  private cursor = 1;
  /** Made at the first connection with a translated source. */
  private bySource: SourceIndex | undefined;

  /** `initialCapacity`: records to make room for at once; the table doubles when they are used up. */
  constructor(family: Family, maxEntries = DEFAULT_MAX_ENTRIES, initialCapacity = 1024) {
    if (!(maxEntries >= 1 && maxEntries < 2 ** 28))
      throw new RangeError(`${maxEntries} entries: not in 1..${2 ** 28 - 1}`);
    super(family, Math.min(Math.max(initialCapacity, 15), maxEntries) + 1);
    this.next = ADDRESSES + 4 * this.words;
    this.maxEntries = maxEntries;
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

  /** The same for IPv4, without objects; with the hashes of both tuples. */
  insertIPv4(
    hash: number,
    src: number,
    dst: number,
    ports: number,
    replyHash: number,
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
    return this.enter(record, ports, replyPorts, meta, expires, hash, replyHash);
  }

  private enter(
    record: number,
    ports: number,
    replyPorts: number,
    meta: number,
    expires: number,
    hash?: number,
    replyHash?: number,
  ): number {
    const { records } = this;
    const base = record * this.stride;
    records[base + META] = meta;
    records[base + EXPIRES] = expires;
    records[base + MARK] = 0;
    records[base + STREAM] = 0;
    records[base + PORTS] = ports;
    records[base + PORTS + 1] = replyPorts;
    // The reply first: where both tuples are the same, every later packet counts as an answer (nf_conntrack_hash_insert).
    this.place(record * 2 + 1, replyHash);
    this.place(record * 2, hash);
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
    const bucket = Math.max(1, Math.round(index.length / this.maxEntries));
    for (let i = 0; i < EVICTION_RANGE * bucket; i++) {
      const slot = index[(home + i) & indexMask]!;
      if (slot !== 0) near.push(slot & refMask);
      if (i % bucket !== bucket - 1) continue;
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
    this.resize(Math.min(2 * this.capacity, this.maxEntries + 1), () => this.refs());
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
