import { writeFileSync } from "node:fs";

/** First word of an input file ("CWLK"). */
const MAGIC = 0x43574c4b;

/** Numbers as uint32 words; those of signed arrays keep their bits. */
export type Words = ArrayLike<number>;

/** Writes arrays for a C program, in its order: bench/reference/common.h says how. */
export function writeWords(path: string, arrays: readonly Words[]): void {
  const total = arrays.reduce((sum, { length }) => sum + 1 + length, 2);
  const words = new Uint32Array(total);
  words[0] = MAGIC;
  words[1] = arrays.length;
  let at = 2;
  for (const array of arrays) {
    words[at++] = array.length;
    words.set(array, at);
    at += array.length;
  }
  writeFileSync(path, words);
}

/** One column of all batches of a pool. */
export function joinColumns(columns: readonly Words[]): Uint32Array {
  const joined = new Uint32Array(columns.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const column of columns) {
    joined.set(column, at);
    at += column.length;
  }
  return joined;
}

/** A seed as the two words draw_key takes. */
export function seedWords(seed: number): [low: number, high: number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}
