/**
 * Partition: a long chain as hash tables, one for each combination of fields and masks its rules compare for equality (tuple
 * space search, Srinivasan, Suri and Varghese 1999), so that the next rule a packet can match is found by a few probes. First
 * match by rule order stays: of the tables' answers the smallest row wins. Rules that compare nothing for equality are the
 * rest; they stay linear, in their place.
 */
import { addressWords } from "../../packet/address.js";
import type { ResolvedChain, ResolvedRuleSet } from "../../ruleset/resolve.js";
import { type Head, headOf, isExact } from "./head.js";

/** Chains shorter than this are walked: a probe costs as much as a few rules. */
const SHORTEST = 8;
/** More combinations than this cost more probes than they save. */
const MOST_SIGNATURES = 8;

/** The header fields of a packet, for a lookup: address words in host order (one or four). */
export interface Key {
  readonly src: readonly number[] | Uint32Array;
  readonly dst: readonly number[] | Uint32Array;
  readonly protocol: number;
  readonly sport: number;
  readonly dport: number;
}

/** One combination of fields: which bits of a packet make its key. */
interface Signature {
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
class HashTable {
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

/** The index of every chain that gains by one, by chain id. */
export function partition(resolved: ResolvedRuleSet): readonly (ChainIndex | undefined)[] {
  return resolved.chains.map((chain) => (chain.rules.length < SHORTEST ? undefined : indexChain(chain)));
}

function indexChain(chain: ResolvedChain): ChainIndex | undefined {
  const words = chain.table.family === "ip6" ? 4 : 1;
  if (chain.table.family === "inet") return undefined;
  const groups = new Map<string, { head: Head; entries: { key: number[]; rule: number }[] }>();
  const inTable = new Uint8Array(chain.rules.length);
  chain.rules.forEach(({ rule }, i) => {
    const head = headOf(rule);
    const [dstMask, srcMask] = [maskOf(head.dst, words), maskOf(head.src, words)];
    const ports = [isExact(head.sport), isExact(head.dport)];
    if (!ports[0] && !ports[1] && allZero(dstMask) && allZero(srcMask)) return;
    const signature = [...dstMask, ...srcMask, head.protocol !== 0, ...ports].join();
    let group = groups.get(signature);
    if (group === undefined) groups.set(signature, (group = { head, entries: [] }));
    inTable[i] = 1;
    group.entries.push({ key: keyOf(head, words), rule: i });
  });
  const kept = [...groups.values()].sort((a, b) => b.entries.length - a.entries.length);
  for (const group of kept.splice(MOST_SIGNATURES)) for (const entry of group.entries) inTable[entry.rule] = 0;
  const indexed = kept.reduce((sum, group) => sum + group.entries.length, 0);
  if (indexed < SHORTEST) return undefined;

  const signatures = kept.map(({ head, entries }): Signature => ({
    dstMask: maskOf(head.dst, words),
    srcMask: maskOf(head.src, words),
    protocol: head.protocol !== 0,
    sport: isExact(head.sport),
    dport: isExact(head.dport),
    table: new HashTable(2 * words + 2, entries),
  }));
  const rest = nextOf(inTable.map((held) => 1 - held));
  kept.forEach(({ entries }, i) => {
    if (testsSource(signatures[i]!)) for (const entry of entries) inTable[entry.rule] = 0;
  });
  const unlessDestination = nextOf(inTable.map((held) => 1 - held));
  return new ChainIndex(chain, signatures, rest, unlessDestination, words);
}

const testsSource = (signature: Signature): boolean => signature.sport || !allZero(signature.srcMask);

/** nextOf(wanted)[i]: the first index from i on that is wanted, the length where there is none. */
function nextOf(wanted: Uint8Array): Int32Array {
  const next = new Int32Array(wanted.length + 1);
  next[wanted.length] = wanted.length;
  for (let i = wanted.length - 1; i >= 0; i--) next[i] = wanted[i] === 1 ? i : next[i + 1]!;
  return next;
}

const zeros = { 1: [0], 4: [0, 0, 0, 0] } as const;
const allZero = (words: readonly number[]): boolean => words.every((word) => word === 0);

/** The mask of an address test as words; of the other family (such a rule never matches) or absent: all zero. */
function maskOf(test: Head["dst"], words: 1 | 4): readonly number[] {
  const mask = test && addressWords(test.mask);
  return mask?.length === words ? mask : zeros[words];
}

function keyOf(head: Head, words: 1 | 4): number[] {
  const value = (test: Head["dst"]): readonly number[] => {
    const found = test && addressWords(test.value);
    return found?.length === words ? found : zeros[words];
  };
  const sport = isExact(head.sport) ? head.sport[0] : 0;
  const dport = isExact(head.dport) ? head.dport[0] : 0;
  return [...value(head.dst), ...value(head.src), head.protocol, ((sport << 16) | dport) >>> 0];
}
