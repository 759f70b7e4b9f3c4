/** The service map as it is filled and changed: see services.ts for what a lookup reads of it. */
import {
  findService,
  hashPorts,
  hashService,
  KEY_MASK,
  SERVICE_WORDS,
  slotOf,
  type ServiceRecord,
} from "./services.js";

const LEAST_SLOTS = 16;
/**
 * At most 25 of 32 slots are taken, and there are as many buckets: most seeds are then found within a few tries, that of a bucket of six
 * within some ten thousand. More slots would find them sooner, but memory that the caches do not hold is what a lookup among many services costs.
 */
const MOST_LOAD = 25 / 32;
const SEEDS = 1 << 16;

/** The slots of a map of so many services. */
export function slotsFor(services: number): number {
  let slots = LEAST_SLOTS;
  while (services > slots * MOST_LOAD) slots *= 2;
  return slots;
}

export class ServiceMap {
  map = new Int32Array(0);
  seeds = new Uint16Array(0);
  slotShift = 0;
  /** The record of each slot. */
  cold: (ServiceRecord | undefined)[] = [];
  size = 0;
  /** Counts the times the arrays were replaced. */
  generation = 0;
  /** The rows of a bucket as a list: its first slot + 1, and of each slot the next + 1; 0 ends it. */
  private heads = new Int32Array(0);
  private nexts = new Int32Array(0);

  constructor() {
    this.allot(LEAST_SLOTS);
  }

  /** Makes room for so many services. */
  grow(services: number): void {
    if (slotsFor(services) * SERVICE_WORDS > this.map.length) this.rehash(slotsFor(services));
  }

  /** Gives up slots that so few services do not need. */
  shrink(): void {
    if (slotsFor(this.size) * SERVICE_WORDS < this.map.length) this.rehash(slotsFor(this.size));
  }

  /** Puts in a row whose key is not there; false where no seed sets its bucket apart (about never). */
  put(words: ArrayLike<number>, record: ServiceRecord): boolean {
    this.grow(this.size + 1);
    if (!this.place(words, record)) return false;
    this.size++;
    return true;
  }

  /** Takes out a row, by its offset as findService gives it. */
  remove(row: number): void {
    const { map, heads, nexts } = this;
    const slot = row / SERVICE_WORDS;
    const bucket = this.bucketOf(map[row]!, map[row + 1]! & KEY_MASK);
    if (heads[bucket] === slot + 1) heads[bucket] = nexts[slot]!;
    else {
      let before = heads[bucket]! - 1;
      while (nexts[before] !== slot + 1) before = nexts[before]! - 1;
      nexts[before] = nexts[slot]!;
    }
    this.clear(slot);
    this.size--;
  }

  private bucketOf(address: number, portAndProtocol: number): number {
    return hashService(address, hashPorts(portAndProtocol)) >>> this.slotShift;
  }

  private clear(slot: number): void {
    this.map.fill(0, slot * SERVICE_WORDS, (slot + 1) * SERVICE_WORDS);
    this.cold[slot] = undefined;
    this.nexts[slot] = 0;
  }

  /** Places a row with those of its bucket, under a seed that sets all of them apart from each other and from the rest. */
  private place(words: ArrayLike<number>, record: ServiceRecord): boolean {
    const { map, cold, heads, nexts } = this;
    const bucket = this.bucketOf(words[0]!, words[1]! & KEY_MASK);
    const rows: { words: ArrayLike<number>; record: ServiceRecord }[] = [{ words, record }];
    for (let slot = heads[bucket]! - 1; slot >= 0; slot = nexts[slot]! - 1)
      rows.push({ words: map.slice(slot * SERVICE_WORDS, (slot + 1) * SERVICE_WORDS), record: cold[slot]! });
    const hashes = rows.map(({ words: own }) => {
      const ports = hashPorts(own[1]! & KEY_MASK);
      return { ports, hash: hashService(own[0]!, ports) };
    });
    const own = new Set<number>();
    for (let slot = heads[bucket]! - 1; slot >= 0; slot = nexts[slot]! - 1) own.add(slot);
    const slots = this.separate(hashes, own);
    if (slots === undefined) return false;
    for (const slot of own) this.clear(slot);
    heads[bucket] = 0;
    rows.forEach((row, i) => {
      const slot = slots[i]!;
      map.set(row.words, slot * SERVICE_WORDS);
      cold[slot] = row.record;
      nexts[slot] = heads[bucket]!;
      heads[bucket] = slot + 1;
    });
    return true;
  }

  /** Finds a seed under which the keys of a bucket have slots of their own, and sets it; undefined where there is none. */
  private separate(
    hashes: readonly { readonly hash: number; readonly ports: number }[],
    own: ReadonlySet<number>,
  ): number[] | undefined {
    const { map, slotShift } = this;
    const slots: number[] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      slots.length = 0;
      for (const { hash, ports } of hashes) {
        const slot = slotOf(hash, ports, seed, slotShift);
        if ((map[slot * SERVICE_WORDS + 1] !== 0 && !own.has(slot)) || slots.includes(slot)) break;
        slots.push(slot);
      }
      if (slots.length < hashes.length) continue;
      this.seeds[hashes[0]!.hash >>> this.slotShift] = seed;
      return slots;
    }
    return undefined;
  }

  private allot(slots: number): void {
    this.map = new Int32Array(slots * SERVICE_WORDS);
    this.seeds = new Uint16Array(slots);
    this.slotShift = Math.clz32(slots - 1);
    this.cold = Array.from({ length: slots }, () => undefined);
    this.heads = new Int32Array(slots);
    this.nexts = new Int32Array(slots);
    this.generation++;
  }

  /** Places all rows anew. Should no seed be found for one, there are twice as many slots. */
  private rehash(slots: number): void {
    const { map, cold } = this;
    const placeAll = (): boolean => {
      for (let row = 0; row < map.length; row += SERVICE_WORDS) {
        if (map[row + 1] === 0) continue;
        if (!this.place(map.subarray(row, row + SERVICE_WORDS), cold[row / SERVICE_WORDS]!)) return false;
      }
      return true;
    };
    do {
      this.allot(slots);
      slots *= 2;
    } while (!placeAll());
  }

  /** The offset of the row of a key, -1 where it is not there. */
  find(address: number, portAndProtocol: number): number {
    return findService(this, address, portAndProtocol);
  }
}
