import type { BatchTask } from "./task.js";

/** Words of the table: 512 kB, more than the first cache holds and less than the second. */
const WORDS = 2 ** 17;
const TURNS = 8192;

/**
 * A fixed piece of work that calls nothing of the project: dependent reads of a table and some arithmetic. Every measuring process times it
 * between its variants. What makes the machine slower for a while makes it slower too, so two runs are compared by their times in units of it.
 */
export function makeYardstick(): BatchTask {
  const table = new Uint32Array(WORDS);
  let word = 0x9e3779b9;
  for (let i = 0; i < WORDS; i++) {
    word = step(word);
    table[i] = word;
  }
  let at = 1;
  const run = (): number => {
    let x = at;
    for (let i = 0; i < TURNS; i++) x = (table[(x ^ i) & (WORDS - 1)]! + Math.imul(x, 0x2c1b3c6d)) | 0;
    at = x;
    return x;
  };
  return { name: "yardstick", operations: TURNS, run };
}

/** xorshift32 (Marsaglia 2003). */
function step(x: number): number {
  x ^= x << 13;
  x ^= x >>> 17;
  return (x ^ (x << 5)) >>> 0;
}
