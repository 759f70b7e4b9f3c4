/**
 * The compiled tables, in the eBPF shape: a hash map from {address, port, protocol} to a service, and an array of backends.
 * Flat typed arrays, read by the hot loop of service-passes.ts.
 *
 * Service map: a two-level perfect hash (hash and displace, Belazzougui, Botelho and Dietzfelbinger 2009). The hash of a key names a bucket;
 * the bucket has a seed, chosen so that its keys meet no other key; hash and seed name the one slot where the key can stand. A lookup
 * is one probe and has no branch that depends on the keys. Rows of four int32 (16 bytes, four to a cache line):
 *   0 address
 *   1 port | protocol << 16 | source test << 24; 0 where the row is empty
 *   2 first backend
 *   3 count of backends | offset of the pick in `bounds` and `thresholds` << 16; count 0: the outcome is fixed, see `cold`
 *
 * Backend array: two int32 (8 bytes): 0 address   1 port | flags << 16.
 */
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { FinalVerdict } from "../types.js";

/** int32 a row of the service map. */
export const SERVICE_WORDS = 4;
/** The bits of a row's second word that are its key. */
export const KEY_MASK = 0xffffff;
/** What fits 8 and 16 bits of a row: source tests, backends of a service, offsets of picks. What does not is left to the walk. */
export const MOST_TESTS = 0xff;
export const MOST_BACKENDS = 0xffff;
export const LAST_PICK_OFFSET = 0xffff;

/** Bits of a backend's flags: what becomes of the packet, by whether a source test marked it. */
export const BackendFlag = {
  masqueradeUnmarked: 1,
  masqueradeMarked: 2,
  /** The masquerade takes any port of its class. */
  fullyRandom: 4,
  /** Delivered to the node. */
  local: 8,
  /** A source equal to the backend's address is marked (hairpin). */
  hairpin: 16,
} as const;

/** A test of the source address: (src & mask) === value, negated. Number 0 is the test that never holds. */
export interface SourceTest {
  readonly value: number;
  readonly mask: number;
  readonly negate: boolean;
}

/** What the hot loop does not need. */
export interface ServiceRecord {
  readonly address: number;
  readonly port: number;
  readonly protocol: number;
  /** Rules that draw, in order: the k-th sends to backend k when it matches; the last backend has none. Of an even choice the one rule that makes it. */
  readonly picks: readonly ResolvedRule[];
  /** For a fixed outcome: the verdict, and whether it came after the routing decision. */
  readonly verdict: FinalVerdict;
  readonly routed: boolean;
  /** Stopped before conntrack had seen it. */
  readonly unseen?: true;
  readonly rejectWith?: string;
  readonly by?: ResolvedRule;
  /** The chain that picks, where there is one: its name stands for the service. */
  readonly chain?: string;
}

export interface ServiceTables {
  readonly map: Int32Array;
  /** The seed of each bucket. */
  readonly seeds: Uint16Array;
  /** A hash shifted right by this is a bucket, or a slot: there are as many of both, a power of two. */
  readonly slotShift: number;
  readonly backends: Int32Array;
  /** For each pick: the last u32 that still falls to backend k, xor SIGN. Shared by services with equal probabilities. */
  readonly bounds: Int32Array;
  /**
   * At the offset of each pick: how near draw * count may come to a multiple of 2^32, either way, for the backend guessed from it to be in doubt: d where it is from
   * -d to d - 1 beyond one; 1 to 2^31 (as int32; then always).
   */
  readonly doubts: Int32Array;
  /** Thresholds of the drawing rules, parallel to `bounds` (2^31 for the last backend, which draws nothing); EVEN where one rule draws one for all. */
  readonly thresholds: Float64Array;
  readonly sourceTests: readonly SourceTest[];
  /** The mark when the walk has ended, unmarked and marked by a source test. */
  readonly markUnmarked: number;
  readonly markMarked: number;
  /** Counts the times an array was replaced: whoever holds arrays must fetch them anew. */
  readonly generation: number;
  /** Of each slot of the map: its record. */
  readonly cold: readonly (ServiceRecord | undefined)[];
}

/** A row of the service map, taken apart. */
export interface ServiceRow {
  readonly first: number;
  /** 0: the outcome is fixed. */
  readonly count: number;
  /** Offset in `bounds` and `thresholds`. */
  readonly pick: number;
  /** Index in `sourceTests`. */
  readonly test: number;
  readonly record: ServiceRecord;
}

/** Reads the row at an offset of the map (as findService gives it); undefined where it is empty. */
export function readServiceRow({ map, cold }: ServiceTables, row: number): ServiceRow | undefined {
  if (map[row + 1] === 0) return undefined;
  return {
    first: map[row + 2]!,
    count: map[row + 3]! & 0xffff,
    pick: map[row + 3]! >>> 16,
    test: map[row + 1]! >>> 24,
    record: cold[row / SERVICE_WORDS]!,
  };
}

/** The part of a service key's hash that comes from `port | protocol << 16`. All int32, as everything in these functions. */
export function hashPorts(portAndProtocol: number): number {
  return Math.imul(portAndProtocol, 0x9e3779b1);
}

/** The hash of a service key, its upper bits the better ones: two multiply-xorshift rounds, as in the murmur3 finaliser. */
export function hashService(address: number, portsHash: number): number {
  const h = Math.imul(address ^ portsHash, 0x85ebca6b);
  return Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
}

/** The slot of a key under its bucket's seed. The ports enter once more: two keys of one hash differ in them. */
export function slotOf(hash: number, portsHash: number, seed: number, slotShift: number): number {
  return (Math.imul(hash ^ seed, 0x27d4eb2f) ^ portsHash) >>> slotShift;
}

/** The offset in the map of the key's row, -1 where it is not there. Both halves of the key are int32. */
export function findService(
  { map, seeds, slotShift }: Pick<ServiceTables, "map" | "seeds" | "slotShift">,
  address: number,
  portAndProtocol: number,
): number {
  const ports = hashPorts(portAndProtocol);
  const hash = hashService(address, ports);
  const row = SERVICE_WORDS * slotOf(hash, ports, seeds[hash >>> slotShift]!, slotShift);
  const held = map[row + 1]!;
  return held !== 0 && map[row] === address && (held & KEY_MASK) === portAndProtocol ? row : -1;
}

/**
 * The backend of a draw (int32, taken as u32) if all of the choice were equally likely: the high half of draw * count, 16 by 16 bits (see
 * MOST_BACKENDS). Everything here is int32: V8 would keep a uint32 as a double.
 */
export function guessBackend(count: number, draw: number): number {
  const low = (draw & 0xffff) * count;
  return ((draw >>> 16) * count + (low >>> 16)) >>> 16;
}

/**
 * Whether the backend guessed is the one of the draw, by the doubt of the choice: the low half of draw * count tells how near the draw is
 * to where an even choice would change from one backend to the next. No bound is read, and there is no branch on the backend.
 */
export function isGuessCertain(doubt: number, count: number, draw: number): boolean {
  return (Math.imul(draw, count) + doubt) >>> 0 > ((doubt << 1) - 1) >>> 0;
}

/** The backend of a draw (int32, taken as u32): the first whose bound is not below it. Guessed, then corrected where that is not certain. */
export function pickBackend(
  { bounds, doubts }: Pick<ServiceTables, "bounds" | "doubts">,
  offset: number,
  count: number,
  draw: number,
): number {
  let k = guessBackend(count, draw);
  if (isGuessCertain(doubts[offset]!, count, draw)) return k;
  const signed = draw ^ SIGN;
  while (signed > bounds[offset + k]!) k++;
  while (k > 0 && signed <= bounds[offset + k - 1]!) k--;
  return k;
}

/** The threshold of every backend of a choice that one rule makes by one number: `numgen random mod N`, whose values are equally likely. */
export const EVEN = -1;

/** Turns the order of uint32 into that of int32. */
export const SIGN = 0x80000000 | 0;
