/** The words of one line, as offsets into the text: nothing is copied until somebody asks for a word. */
import { Buffer } from "node:buffer";
import { BadInput } from "./module.js";

const PLAIN = 0;
/** In double quotes from end to end, without a backslash inside. */
const QUOTED = 1;
/** Quotes begin in its middle, or a backslash stands inside them. */
const MIXED = 2;

const QUOTE = 34;
const BACKSLASH = 92;
const SPACE = 32;
const TAB = 9;
const FACTOR = 0x01000193;

/**
 * Splits lines as iptables-restore does (add_param_to_argv, iptables/xshared.c): blanks and tabs part words; a double quote opens a
 * quoted stretch in which a backslash keeps the next character as it is, and the closing quote ends the word. Single quotes are
 * nothing special.
 */
export class Tokens {
  count = 0;
  /** Offset of the first character (a quote, where there is one) and after the last, of each word. */
  start = new Int32Array(256);
  end = new Int32Array(256);
  /** Equal words have equal hashes. */
  hash = new Int32Array(256);
  private form = new Uint8Array(256);

  /** The characters of the text: a typed array is read several times as fast as a string. */
  readonly codes: Uint8Array | Uint16Array;

  constructor(
    readonly text: string,
    codes?: Uint8Array,
  ) {
    this.codes = codes ?? codesOf(text);
  }

  /** Splits the text between two offsets; throws BadInput where a quote is not closed. */
  scan(from: number, to: number): void {
    const { codes } = this;
    let count = 0;
    let i = from;
    for (;;) {
      let c = 0;
      while (i < to && ((c = codes[i]!) === SPACE || c === TAB)) i++;
      if (i >= to) break;
      if (count === this.start.length) this.grow();
      const start = i;
      let hash = 0;
      let form = PLAIN;
      for (; i < to; i++) {
        c = codes[i]!;
        if (c === SPACE || c === TAB) break;
        if (c === QUOTE) {
          form = i === start ? QUOTED : MIXED;
          let close = i + 1;
          for (; close < to && (c = codes[close]!) !== QUOTE; close++) {
            hash = Math.imul(hash ^ c, FACTOR);
            if (c === BACKSLASH) {
              form = MIXED;
              close++;
            }
          }
          if (close >= to) throw new BadInput("unclosed-quote", "this quote is not closed before the line ends", i);
          i = close + 1;
          break;
        }
        hash = Math.imul(hash ^ c, FACTOR);
      }
      this.start[count] = start;
      this.end[count] = i;
      this.hash[count] = hash;
      this.form[count] = form;
      count++;
    }
    this.count = count;
  }

  private grow(): void {
    this.start = bigger(this.start);
    this.end = bigger(this.end);
    this.hash = bigger(this.hash);
    const form = new Uint8Array(this.form.length * 2);
    form.set(this.form);
    this.form = form;
  }

  /** The hash that a word of the characters between two offsets has. */
  hashOf(from: number, to: number): number {
    let hash = 0;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ this.codes[i]!, FACTOR);
    return hash;
  }

  /** The word without its quotes and backslashes. */
  word(i: number): string {
    const start = this.start[i]!;
    const end = this.end[i]!;
    if (this.form[i] === PLAIN) return this.text.slice(start, end);
    if (this.form[i] === QUOTED) return this.text.slice(start + 1, end - 1);
    const raw = this.text.slice(start, end);
    const open = raw.indexOf('"');
    return raw.slice(0, open) + raw.slice(open + 1, -1).replace(/\\([^])/g, "$1");
  }

  /** The n-th word after the option at index i; throws BadInput where the line ends before. */
  value(i: number, n: number): string {
    if (i + n >= this.count) throw new BadInput("missing-value", `${this.word(i)} needs a value`, this.start[i]!);
    return this.word(i + n);
  }

  /** `-x`: the code of x; 0 for any other word. */
  shortOption(i: number): number {
    const start = this.start[i]!;
    if (this.end[i]! - start !== 2 || this.codes[start] !== 45) return 0;
    const c = this.codes[start + 1]!;
    return c === 45 ? 0 : c;
  }

  isLongOption(i: number): boolean {
    const start = this.start[i]!;
    return this.end[i]! - start > 2 && this.codes[start] === 45 && this.codes[start + 1] === 45;
  }

  /** An exclamation mark, not quoted. */
  isNegation(i: number): boolean {
    const start = this.start[i]!;
    return this.end[i] === start + 1 && this.codes[start] === 33;
  }

  isQuoted(i: number): boolean {
    return this.form[i] !== PLAIN;
  }
}

function bigger(old: Int32Array): Int32Array<ArrayBuffer> {
  const next = new Int32Array(old.length * 2);
  next.set(old);
  return next;
}

function codesOf(text: string): Uint8Array | Uint16Array {
  if (Buffer.byteLength(text, "utf8") === text.length) return Buffer.from(text, "latin1");
  const bytes = Buffer.from(text, "utf16le");
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
