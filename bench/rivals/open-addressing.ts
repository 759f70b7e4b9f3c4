import { SERVICE_WORDS, type ServiceTables } from "../../src/index.js";

/** A service map with open addressing and linear probing, at most half full: the rows of the compiled one, where their hash puts them. */
export interface OpenMap {
  readonly map: Int32Array;
  /** Slots less one: a power of two. */
  readonly slotMask: number;
}

const KEY_MASK = 0xffffff;

export function openAddressing({ map }: ServiceTables): OpenMap {
  const rows: Int32Array[] = [];
  for (let at = 0; at < map.length; at += SERVICE_WORDS)
    if (map[at + 1] !== 0) rows.push(map.subarray(at, at + SERVICE_WORDS));
  let slots = 16;
  while (slots < rows.length * 2) slots *= 2;
  const open = new Int32Array(slots * SERVICE_WORDS);
  for (const row of rows) open.set(row, findOpen(open, slots - 1, row[0]!, row[1]! & KEY_MASK));
  return { map: open, slotMask: slots - 1 };
}

/** Two multiply-xorshift rounds, as in the murmur3 finaliser; both halves of the key are int32. */
export function hashOpen(address: number, portAndProtocol: number): number {
  let h = Math.imul(address ^ Math.imul(portAndProtocol, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}

/** The offset of the key's row, or of the empty row where it would stand: find_service of bench/reference/lookup.h. */
export function findOpen(map: Int32Array, slotMask: number, address: number, portAndProtocol: number): number {
  let slot = hashOpen(address, portAndProtocol) & slotMask;
  for (;;) {
    const row = slot * SERVICE_WORDS;
    const held = map[row + 1]!;
    if (held === 0 || ((held & KEY_MASK) === portAndProtocol && map[row] === address)) return row;
    slot = (slot + 1) & slotMask;
  }
}
