import type { Chain, Rule } from "../../ruleset/types.js";
import type { Tokens } from "./tokens.js";

/** A chain whose rules are still being added. */
export type OpenChain = Omit<Chain, "rules"> & { readonly rules: Rule[] };

/** Chains by name, looked up by a word of the text as it stands there: no string is made for a look-up. */
export class ChainIndex {
  readonly chains: OpenChain[] = [];
  /** Index of a chain plus 1; 0 is free. Open addressing, at most half full. */
  private slots = new Int32Array(64);
  private readonly hashes: number[] = [];
  /** Offset of each chain's name in the text. */
  private readonly starts: number[] = [];

  constructor(private readonly tokens: Tokens) {}

  /** Adds a chain whose name stands in the text at an offset, and is not in the index yet. */
  add(chain: OpenChain, start: number): void {
    this.chains.push(chain);
    this.hashes.push(this.tokens.hashOf(start, start + chain.name.length));
    this.starts.push(start);
    if (this.chains.length * 2 > this.slots.length) {
      this.slots = new Int32Array(this.slots.length * 2);
      for (let i = 0; i < this.chains.length; i++) this.place(i);
    } else this.place(this.chains.length - 1);
  }

  /** The chain that word i of the line names. */
  find(i: number): OpenChain | undefined {
    const { tokens } = this;
    const start = tokens.start[i]!;
    return this.lookUp(tokens.hash[i]!, start, tokens.end[i]! - start);
  }

  /** The chain whose name stands in the text from an offset on. */
  findAt(start: number, length: number): OpenChain | undefined {
    return this.lookUp(this.tokens.hashOf(start, start + length), start, length);
  }

  private lookUp(hash: number, start: number, length: number): OpenChain | undefined {
    const { codes } = this.tokens;
    const mask = this.slots.length - 1;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const at = this.slots[slot]! - 1;
      if (at < 0) return undefined;
      if (this.hashes[at] !== hash) continue;
      const chain = this.chains[at]!;
      const other = this.starts[at]!;
      let i = chain.name.length === length ? 0 : length + 1;
      while (i < length && codes[start + i] === codes[other + i]) i++;
      if (i === length) return chain;
    }
  }

  private place(i: number): void {
    const mask = this.slots.length - 1;
    let slot = spread(this.hashes[i]!) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = i + 1;
  }
}

function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
