/** The hash tables of a chain: see partition.ts, which makes them. */
import type { ResolvedChain } from "../../ruleset/resolve.js";

/** The header fields of a packet, for a lookup: address words in host order (one or four). */
export interface Key {
  readonly src: readonly number[] | Uint32Array;
  readonly dst: readonly number[] | Uint32Array;
  readonly protocol: number;
  readonly sport: number;
  readonly dport: number;
}

/** One combination of fields: which bits of a packet make its key. */
export interface Signature {
  readonly dstMask: readonly number[];
  readonly srcMask: readonly number[];
  readonly protocol: boolean;
  readonly sport: boolean;
  readonly dport: boolean;
  readonly table: HashTable;
}

/** The hash tables of one chain. `next` gives the first rule (index in the chain) from `from` on that the packet can match. */
export class ChainIndex {
  private readonly probe: Uint32Array;

  constructor(
    readonly chain: ResolvedChain,
    readonly signatures: readonly Signature[],
    /** nextRest[i]: the first rule from i on that is in no table; the length of the chain where there is none. */
    private readonly nextRest: Int32Array,
    /** The same, for rules in no table or in one whose key has a part of the source. */
    private readonly nextUnlessDestination: Int32Array,
    private readonly words: 1 | 4,
  ) {
    this.probe = new Uint32Array(2 * words + 2);
  }

  /** Probes one `next` makes. */
  get lookups(): number {
    return this.signatures.length;
  }

  next(from: number, key: Key): number {
    let best = this.nextRest[from]!;
    const { probe, words } = this;
    for (const signature of this.signatures) {
      for (let w = 0; w < words; w++) {
        probe[w] = key.dst[w]! & signature.dstMask[w]!;
        probe[words + w] = key.src[w]! & signature.srcMask[w]!;
      }
      probe[2 * words] = signature.protocol ? key.protocol : 0;
      probe[2 * words + 1] = ((signature.sport ? key.sport : 0) << 16) | (signature.dport ? key.dport : 0);
      const found = signature.table.first(probe, from);
      if (found >= 0 && found < best) best = found;
    }
    return best;
  }

  /** `next` for an IPv4 packet of which only the destination is known: the first rule it could match, whatever its source. */
  nextForDestination(from: number, dst: number, protocol: number, dport: number): number {
    let best = this.nextUnlessDestination[from]!;
    const { probe } = this;
    for (const signature of this.signatures) {
      if (testsSource(signature)) continue;
      probe[0] = dst & signature.dstMask[0]!;
      probe[1] = 0;
      probe[2] = signature.protocol ? protocol : 0;
      probe[3] = signature.dport ? dport : 0;
      const found = signature.table.first(probe, from);
      if (found >= 0 && found < best) best = found;
    }
    return best;
  }

  /** `next` for an IPv4 packet given as scalars: no allocation. */
  next4(from: number, src: number, dst: number, protocol: number, sport: number, dport: number): number {
    let best = this.nextRest[from]!;
    const { probe, signatures } = this;
    for (let i = 0; i < signatures.length; i++) {
      const signature = signatures[i]!;
      probe[0] = dst & signature.dstMask[0]!;
      probe[1] = src & signature.srcMask[0]!;
      probe[2] = signature.protocol ? protocol : 0;
      probe[3] = ((signature.sport ? sport : 0) << 16) | (signature.dport ? dport : 0);
      const found = signature.table.first(probe, from);
      if (found >= 0 && found < best) best = found;
    }
    return best;
  }
}

/** Open addressing from keys of a few uint32 to the rules (ascending indices) that have the key. */
export class HashTable {
  private readonly width: number;
  private readonly mask: number;
  /** Entry number + 1, 0: empty. */
  private readonly slots: Int32Array;
  private readonly keys: Uint32Array;
  private readonly rules: Int32Array;
  /** The next entry of the same key, -1: none. */
  private readonly more: Int32Array;

  constructor(width: number, entries: readonly { key: readonly number[]; rule: number }[]) {
    this.width = width;
    let size = 16;
    while (size < entries.length * 2) size *= 2;
    this.mask = size - 1;
    this.slots = new Int32Array(size);
    this.keys = new Uint32Array(entries.length * width);
    this.rules = new Int32Array(entries.length);
    this.more = new Int32Array(entries.length).fill(-1);
    // Backwards, so that of equal keys the first rule heads the list.
    for (let e = entries.length - 1; e >= 0; e--) {
      this.keys.set(entries[e]!.key, e * width);
      this.rules[e] = entries[e]!.rule;
      let slot = this.hash(this.keys, e * width) & this.mask;
      while (this.slots[slot] !== 0 && !this.equal(this.slots[slot]! - 1, this.keys, e * width))
        slot = (slot + 1) & this.mask;
      if (this.slots[slot] !== 0) this.more[e] = this.slots[slot]! - 1;
      this.slots[slot] = e + 1;
    }
  }

  /** The first rule of the key that is not before `from`, -1 where there is none. */
  first(key: Uint32Array, from: number): number {
    let slot = this.hash(key, 0) & this.mask;
    for (let entry = this.slots[slot]!; entry !== 0; entry = this.slots[slot]!) {
      if (this.equal(entry - 1, key, 0)) {
        for (let e = entry - 1; e >= 0; e = this.more[e]!) if (this.rules[e]! >= from) return this.rules[e]!;
        return -1;
      }
      slot = (slot + 1) & this.mask;
    }
    return -1;
  }

  private hash(key: Uint32Array, offset: number): number {
    let h = 0x9e3779b9;
    for (let i = 0; i < this.width; i++) {
      h = Math.imul(h ^ key[offset + i]!, 0x85ebca6b);
      h ^= h >>> 15;
    }
    return h;
  }

  private equal(entry: number, key: Uint32Array, offset: number): boolean {
    for (let i = 0; i < this.width; i++) if (this.keys[entry * this.width + i] !== key[offset + i]) return false;
    return true;
  }
}

export const testsSource = (signature: Pick<Signature, "sport" | "srcMask">): boolean =>
  signature.sport || signature.srcMask.some((word) => word !== 0);
