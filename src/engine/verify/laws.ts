/**
 * Laws of the lookups themselves: a table finds every key it holds, and of the keys one bit away from those exactly the ones that it
 * holds too. They are asked of the functions the engine runs, with keys read off the arrays.
 */
import { type Address, addressWords } from "../../packet/address.js";
import { TCP } from "../../packet/protocol.js";
import { findService, type ServiceTables } from "../compile/services.js";
import { type KeyTable, NOT_FOUND, Source } from "../compile/key-table.js";
import type { ChainIndex } from "../compile/partition.js";
import { indexEntries, type IndexEntry, restOf } from "./read-indexes.js";
import type { ReadService } from "./read-services.js";
import { readTable } from "./read-tables.js";

/** The header fields of a packet that breaks a law. */
export interface StrayKey {
  readonly dst: Address;
  readonly src?: Address;
  readonly protocol: number;
  readonly sport: number;
  readonly dport: number;
}

/** Keys that are looked for after the first one that breaks a law: not every one of them makes a packet fare differently. */
const MOST_STRAYS = 256;

/** Some keys for which the service map finds what it does not hold, or does not find what it holds. */
export function strayServices(tables: ServiceTables, services: readonly ReadService[]): StrayKey[] {
  const strays: StrayKey[] = [];
  const { map } = tables;
  const held = new Map<number, Set<number>>();
  const keyOf = ({ protocol, port }: ReadService): number => (protocol << 16) | port;
  for (const service of services) {
    const own = held.get(service.address);
    if (own === undefined) held.set(service.address, new Set([keyOf(service)]));
    else own.add(keyOf(service));
  }
  const holds = (address: number, key: number): boolean => held.get(address)?.has(key) === true;
  const found = (address: number, key: number): boolean => {
    const row = findService(tables, address | 0, key);
    if (row < 0) return false;
    // Found is only what stands under the key.
    return !holds(address, key) || (map[row]! >>> 0 === address && (map[row + 1]! & 0xffffff) === key);
  };
  const stray = (address: number, key: number): boolean => found(address, key) !== holds(address, key);
  for (const { address, port, protocol } of services) {
    const key = (protocol << 16) | port;
    for (let bit = -1; bit < 56; bit++) {
      const near = bit >= 0 && bit < 32 ? (address ^ (1 << bit)) >>> 0 : address;
      const nearKey = bit >= 32 ? key ^ (1 << (bit - 32)) : key;
      if (nearKey !== 0 && stray(near, nearKey))
        strays.push({ dst: near, protocol: nearKey >>> 16, sport: 0, dport: nearKey & 0xffff });
    }
    if (strays.length >= MOST_STRAYS) break;
  }
  return strays;
}

/** Some keys for which an index leads elsewhere than its arrays say. */
export function strayIndexKeys(index: ChainIndex): StrayKey[] {
  const strays: StrayKey[] = [];
  const entries = indexEntries(index);
  const rest = restOf(index);
  const expect = expectation(entries, rest);
  for (const entry of entries) {
    const key: StrayKey = {
      dst: entry.dst.value,
      src: entry.src.value,
      protocol: entry.protocol ?? 0,
      sport: entry.sport ?? 0,
      dport: entry.dport ?? 0,
    };
    for (const near of nearKeys(key, entry)) {
      for (const from of near === key ? [0, entry.rules[0]!, entry.rules.at(-1)! + 1] : [0]) {
        if (from >= rest.length) continue;
        const words = { ...near, src: addressWords(near.src!), dst: addressWords(near.dst) };
        if (index.next(from, words) !== expect(from, near)) strays.push(near);
      }
    }
    if (strays.length >= MOST_STRAYS) break;
  }
  return strays;
}

/** Some keys for which a table of nftables gives another value than the element of its arrays that holds them. */
export function strayTableKeys(table: KeyTable): StrayKey[] {
  const strays: StrayKey[] = [];
  const elements = readTable(table).elements.map(({ parts, value }) => ({
    ends: parts as readonly (readonly [first: number, last: number])[],
    value,
  }));
  const exact = new Map<string, number>();
  const spans: { readonly first: number; readonly last: number; readonly value: number }[] = [];
  for (const { ends, value } of elements) {
    if (ends.every(([first, last]) => first === last)) exact.set(ends.map(([first]) => first).join(), value);
    else spans.push({ first: ends[0]![0], last: ends[0]![1], value });
  }
  const held = (key: readonly number[]): number | undefined =>
    exact.get(key.join()) ?? spans.find(({ first, last }) => first <= key[0]! && key[0]! <= last)?.value;
  // A value below 0 would say that there is no element.
  const stray = (found: number, value: number | undefined): boolean =>
    value === undefined ? found !== NOT_FOUND : found !== value || value < 0;
  for (const { ends } of elements) {
    for (const key of keysAround(ends)) {
      table.key.set(key);
      if (stray(table.find(), held(key))) strays.push(packetWith(table, key));
    }
    if (strays.length >= MOST_STRAYS) break;
  }
  return strays;
}

/** The first and the last key of an element, and every key one bit away from those or next to them. */
function* keysAround(ends: readonly (readonly [first: number, last: number])[]): Iterable<number[]> {
  for (const side of ends.every(([first, last]) => first === last) ? ([0] as const) : ([0, 1] as const)) {
    const key = ends.map((part) => part[side]);
    yield key;
    for (const [part, value] of key.entries()) {
      const changed = (to: number): number[] => key.with(part, to >>> 0);
      for (let bit = 0; bit < 32; bit++) yield changed(value ^ (1 << bit));
      if (value > 0) yield changed(value - 1);
      if (value < 0xffffffff) yield changed(value + 1);
    }
  }
}

/** Header fields that make such a key, of a protocol with ports unless it names another; what it has of other things than a header is left out. */
function packetWith({ fields }: KeyTable, key: readonly number[]): StrayKey {
  const packet = { dst: 0, src: 1, protocol: TCP, sport: 0, dport: 0 };
  for (const [i, { source, protocol, xor }] of fields.entries()) {
    const name = HEADER_FIELDS[source];
    if (name !== undefined) packet[name] = (key[i]! ^ xor) >>> 0;
    if (protocol !== 0) packet.protocol = protocol;
  }
  return packet;
}

const HEADER_FIELDS: Readonly<Record<number, "dst" | "src" | "protocol" | "sport" | "dport">> = {
  [Source.src]: "src",
  [Source.dst]: "dst",
  [Source.protocol]: "protocol",
  [Source.sport]: "sport",
  [Source.dport]: "dport",
};

/** The rule a packet goes to by the arrays: the first of those with its key, or of those in no table. */
function expectation(entries: readonly IndexEntry[], rest: Int32Array): (from: number, key: StrayKey) => number {
  const groups = new Map<string, { readonly shape: IndexEntry; readonly rules: Map<string, readonly number[]> }>();
  for (const entry of entries) {
    const shape = [
      entry.dst.mask,
      entry.src.mask,
      entry.protocol !== undefined,
      entry.sport !== undefined,
      entry.dport !== undefined,
    ].join();
    let group = groups.get(shape);
    if (group === undefined) groups.set(shape, (group = { shape: entry, rules: new Map() }));
    const { dst, src, protocol = 0, sport = 0, dport = 0 } = entry;
    group.rules.set(
      [...addressWords(dst.value), ...addressWords(src.value), protocol, sport, dport].join(),
      entry.rules,
    );
  }
  const masked = (value: Address, mask: Address): number[] => {
    const masks = addressWords(mask);
    return addressWords(value).map((word, i) => (word & masks[i]!) >>> 0);
  };
  return (from, key) => {
    let best = rest[from]!;
    for (const { shape, rules } of groups.values()) {
      const own = rules.get(
        [
          ...masked(key.dst, shape.dst.mask),
          ...masked(key.src!, shape.src.mask),
          shape.protocol === undefined ? 0 : key.protocol,
          shape.sport === undefined ? 0 : key.sport,
          shape.dport === undefined ? 0 : key.dport,
        ].join(),
      );
      for (const rule of own ?? []) if (rule >= from && rule < best) best = rule;
    }
    return best;
  };
}

/** The key itself, and every key one bit away in a field that counts. */
function* nearKeys(key: StrayKey, entry: IndexEntry): Iterable<StrayKey> {
  yield key;
  for (const field of ["dst", "src"] as const) {
    const mask = addressWords(entry[field].mask);
    for (let w = 0; w < mask.length; w++)
      for (let bit = 0; bit < 32; bit++)
        if ((mask[w]! >>> bit) & 1) yield { ...key, [field]: flip(key[field]!, w, bit) };
  }
  for (const [field, width] of [
    ["protocol", 8],
    ["sport", 16],
    ["dport", 16],
  ] as const) {
    if (entry[field] === undefined) continue;
    for (let bit = 0; bit < width; bit++) yield { ...key, [field]: key[field] ^ (1 << bit) };
  }
}

function flip(address: Address, word: number, bit: number): Address {
  if (typeof address === "number") return (address ^ (1 << bit)) >>> 0;
  const words = [...address] as [number, number, number, number];
  words[word] = (words[word]! ^ (1 << bit)) >>> 0;
  return words;
}
