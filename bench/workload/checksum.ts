import type { BatchResults, OutcomeBatch } from "../../src/index.js";

/** Where a checksum begins (FNV-1a, 32 bits). */
export const CHECKSUM_START = 0x811c9dc5;

/** Folds the outcomes of a batch in order into a checksum, a uint32: CHECKSUM of bench/reference/common.h. IPv4. */
export function foldOutcomes(checksum: number, out: OutcomeBatch, count: number): number {
  let hash = checksum | 0;
  for (let i = 0; i < count; i++) {
    hash = foldWord(hash, out.verdict[i]! | (out.flags[i]! << 8) | (out.dport[i]! << 16));
    hash = foldWord(hash, out.dst[i]! | 0);
    hash = foldWord(hash, out.mark[i]! | 0);
  }
  return hash >>> 0;
}

/** One step of FNV-1a over 32-bit words. */
export function foldWord(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x01000193);
}

/** A cheap sum over the outcomes, for the timed part: it reads every outcome, so that none can be left out. */
export function sumOutcomes({ dst, dport, flags }: OutcomeBatch, count: number): number {
  return sumColumns(dst, dport, flags, count);
}

/** The same for what became of packets in the data path: fold_results of bench/reference/conntrack.c. IPv4. */
export function foldResults(checksum: number, out: BatchResults, count: number): number {
  let hash = checksum | 0;
  for (let i = 0; i < count; i++) {
    hash = foldWord(hash, out.verdict[i]! | (out.reason[i]! << 8) | (out.state[i]! << 16));
    hash = foldWord(hash, out.src[i]! | 0);
    hash = foldWord(hash, out.dst[i]! | 0);
    hash = foldWord(hash, (out.sport[i]! << 16) | out.dport[i]!);
    hash = foldWord(hash, out.mark[i]! | 0);
  }
  return hash >>> 0;
}

/** The cheap sum for the timed part. */
export function sumResults({ dst, dport, state }: BatchResults, count: number): number {
  return sumColumns(dst, dport, state, count);
}

/** Of columns, not of what holds them: V8 may throw away the code of a loop where an object was taken apart before it, and in some runs does. */
function sumColumns(a: Uint32Array, b: Uint16Array, c: Uint8Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + a[i]! + b[i]! + c[i]!) | 0;
  return sum;
}
