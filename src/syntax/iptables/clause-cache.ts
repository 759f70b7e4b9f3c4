import type { Statement } from "../../ruleset/types.js";
import type { Tokens } from "./tokens.js";

/** What a clause is read as: one statement, or some. */
export type Read = Statement | readonly Statement[];

const SLOTS = 1 << 15;

/**
 * Statements already read from the same words: dumps repeat most of theirs, and equal statements become one object. A slot holds
 * the place of its words in the text, so that nothing is copied; a newer clause takes the slot of an older one.
 */
export class ClauseCache {
  private readonly hashes = new Int32Array(SLOTS);
  private readonly starts = new Int32Array(SLOTS).fill(-1);
  private readonly lengths = new Int32Array(SLOTS);
  private readonly found: (Read | undefined)[] = Array.from({ length: SLOTS });

  constructor(private readonly tokens: Tokens) {}

  /** What the words from one index up to another were read as. */
  get(from: number, to: number): Read | undefined {
    const { tokens } = this;
    const hash = this.hashOf(from, to);
    const slot = hash & (SLOTS - 1);
    const other = this.starts[slot]!;
    if (other < 0 || this.hashes[slot] !== hash) return undefined;
    const start = tokens.start[from]!;
    const length = tokens.end[to - 1]! - start;
    if (this.lengths[slot] !== length) return undefined;
    const { codes } = tokens;
    for (let i = 0; i < length; i++) if (codes[start + i] !== codes[other + i]) return undefined;
    return this.found[slot];
  }

  set(from: number, to: number, read: Read): void {
    const { tokens } = this;
    const hash = this.hashOf(from, to);
    const slot = hash & (SLOTS - 1);
    this.hashes[slot] = hash;
    this.starts[slot] = tokens.start[from]!;
    this.lengths[slot] = tokens.end[to - 1]! - tokens.start[from]!;
    this.found[slot] = read;
  }

  /** Forgets everything: what a target's name means depends on the table's chains. */
  clear(): void {
    this.starts.fill(-1);
  }

  private hashOf(from: number, to: number): number {
    let hash = 0;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ this.tokens.hash[i]!, 0x5bd1e995) + i - from;
    return hash ^ (hash >>> 15);
  }
}
