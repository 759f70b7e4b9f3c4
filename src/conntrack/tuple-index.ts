import { addressAt, type Address, addressWords, type Family } from "../packet/address.js";
import type { Tuple } from "../packet/tuple.js";
import { hashIPv4, hashWords } from "./hash.js";
import { ADDRESSES, packPorts, PORTS, STRIDE_IPV4, STRIDE_IPV6 } from "./layout.js";

/** Records and the index that finds them by tuple, as layout.ts describes them. What the records mean is table.ts's affair. */
export class TupleIndex {
  readonly family: Family;
  /** Words of an address. */
  readonly words: 1 | 4;
  readonly stride: number;
  // The arrays are public for the batch loops of the data path, which read them directly; only this class replaces them.
  records: Int32Array;
  index: Int32Array;
  indexMask = 0;
  refMask = 0;
  /** Records there is room for, record 0 included. */
  protected capacity: number;
  private readonly key = new Int32Array(8);

  constructor(family: Family, capacity: number) {
    this.family = family;
    this.words = family === "ip" ? 1 : 4;
    this.stride = family === "ip" ? STRIDE_IPV4 : STRIDE_IPV6;
    this.capacity = capacity;
    this.records = new Int32Array(capacity * this.stride);
    this.index = new Int32Array(0);
    this.makeIndex();
  }

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

  /** Enters a ref whose record holds its tuple already. */
  protected place(ref: number, hash = this.hashOfRef(ref)): void {
    const { index, indexMask } = this;
    let at = hash & indexMask;
    while (index[at] !== 0) at = (at + 1) & indexMask;
    index[at] = (hash & ~this.refMask) | ref;
  }

  /** Takes a ref out, and moves later slots of its run back. */
  protected displace(ref: number): void {
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

  /** Makes room for more records; `refs` are the original refs to find again. */
  protected resize(capacity: number, refs: () => Iterable<number>): void {
    this.capacity = capacity;
    const old = this.records;
    this.records = new Int32Array(capacity * this.stride);
    this.records.set(old);
    this.makeIndex();
    for (const ref of refs()) {
      this.place(ref + 1); // in the order of ConntrackTable.enter
      this.place(ref);
    }
  }
}
