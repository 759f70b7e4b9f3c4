/** The tokens of an nftables text (src/scanner.l of nft), one at a time, as offsets: nothing is copied until somebody asks for a word. */
import { BadInput } from "../iptables/module.js";

export const enum Token {
  /** The end of the text. */
  End,
  /** A line end or a semicolon: both end a statement. */
  Break,
  /** A keyword, name, number, time or address. */
  Word,
  /** In double quotes. */
  Quoted,
  /** An operator or bracket. */
  Mark,
}

/** Deepest nesting: of `$name` in the text of another, and of brackets. */
const MAX_DEPTH = 16;

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isLetter = (c: number): boolean => (c | 32) >= 97 && (c | 32) <= 122;
const isHex = (c: number): boolean => isDigit(c) || ((c | 32) >= 97 && (c | 32) <= 102);
/** What may stand inside a name after its first letter. */
const NAME = new Uint8Array(128);
/** What may stand inside a number, a time or an IPv4 address. */
const NUMERIC = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  if (isDigit(c) || isLetter(c) || c === 95 || c === 46) NAME[c] = NUMERIC[c] = 1;
  if (c === 45 || c === 47) NAME[c] = 1; // - and /
}
/** Operators of two characters. */
const PAIRS = new Set(["==", "!=", "<=", ">=", "<<", ">>", "&&"]);

interface Place {
  readonly at: number;
  readonly to: number;
}

export class Lexer {
  kind: Token = Token.Break;
  /** Offsets of the token: of its first character (a quote, where there is one), and after its last. */
  start = 0;
  end = 0;
  /** Where the token before this one ended. */
  before = 0;
  private to: number;
  /** Where reading goes on after the text of a definition. */
  private readonly callers: Place[] = [];
  /** `define NAME = ...`: where the text of each stands. */
  readonly definitions = new Map<string, Place>();

  constructor(readonly text: string) {
    this.to = text.length;
    this.next();
  }

  /** Goes on to the next token. */
  next(): void {
    const { text } = this;
    this.before = this.end;
    let at = this.end;
    for (;;) {
      if (at >= this.to) {
        const caller = this.callers.pop();
        if (caller === undefined) return this.set(Token.End, at, at);
        at = caller.at;
        this.to = caller.to;
        continue;
      }
      const c = text.charCodeAt(at);
      if (c === 32 || c === 9 || c === 13) at++;
      else if (c === 10 || c === 59) return this.set(Token.Break, at, at + 1);
      else if (c === 92 && /^\\\r?\n/.test(text.slice(at, at + 3))) at = text.indexOf("\n", at) + 1;
      else if (c === 35) {
        at = text.indexOf("\n", at);
        if (at < 0 || at > this.to) at = this.to;
      } else if (c === 36) at = this.enterDefinition(at);
      else return this.token(at, c);
    }
  }

  private set(kind: Token, start: number, end: number): void {
    this.kind = kind;
    this.start = start;
    this.end = end;
  }

  private token(at: number, c: number): void {
    const { text, to } = this;
    if (c === 34) {
      const close = text.indexOf('"', at + 1);
      const line = text.indexOf("\n", at);
      if (close < 0 || close >= to || (line >= 0 && line < close))
        throw new BadInput("unclosed-quote", "this quote is not closed before the line ends", at);
      return this.set(Token.Quoted, at, close + 1);
    }
    if (isLetter(c) || c === 95 || (c === 46 && isName(text.charCodeAt(at + 1)))) return this.name(at);
    if (isDigit(c) || (c === 58 && text.charCodeAt(at + 1) === 58)) return this.numeric(at);
    const pair = PAIRS.has(text.slice(at, at + 2)) && at + 1 < to;
    this.set(Token.Mark, at, at + (pair ? 2 : 1));
  }

  /** A name; an address whose first group is letters; a name with a star at its end. */
  private name(at: number): void {
    const { text, to } = this;
    let end = at + 1;
    let c = 0;
    while (end < to && (c = text.charCodeAt(end)) < 128 && NAME[c] === 1) end++;
    if (end < to && c === 58 && end - at <= 4 && isHex(text.charCodeAt(at))) {
      const address = this.addressEnd(at);
      if (address > end) return this.set(Token.Word, at, address);
    }
    if (end < to && c === 42) end++;
    else if (end + 1 < to && c === 92 && text.charCodeAt(end + 1) === 42) end += 2;
    this.set(Token.Word, at, end);
  }

  private numeric(at: number): void {
    const { text, to } = this;
    let end = at;
    let c = 0;
    while (end < to && (c = text.charCodeAt(end)) < 128 && NUMERIC[c] === 1) end++;
    if (end < to && c === 58) end = Math.max(end, this.addressEnd(at));
    this.set(Token.Word, at, Math.max(end, at + 1));
  }

  /** The end of an IPv6 or MAC address that begins here; `at` where none does (`80:8080` is three tokens). */
  private addressEnd(at: number): number {
    const { text, to } = this;
    let end = at;
    let colons = 0;
    let doubled = false;
    for (; end < to; end++) {
      const c = text.charCodeAt(end);
      if (c === 58) {
        colons++;
        if (text.charCodeAt(end - 1) === 58 && end > at) doubled = true;
      } else if (!isHex(c) && c !== 46) break;
    }
    // `::1:80` cannot be told from an address; a colon at the end belongs to what follows.
    if (text.charCodeAt(end - 1) === 58 && text.charCodeAt(end - 2) !== 58) {
      end--;
      colons--;
    }
    return doubled || colons === 7 || colons === 5 ? end : at;
  }

  /** `$name`: reading goes on in what was defined. */
  private enterDefinition(at: number): number {
    const name = /^[A-Za-z_.][\w/.-]*/.exec(this.text.slice(at + 1, at + 128))?.[0] ?? "";
    const place = this.definitions.get(name);
    if (place === undefined)
      throw new BadInput("undefined-variable", `$${name} is not defined: "define ${name} = ..." must come first`, at);
    if (this.callers.length >= MAX_DEPTH)
      throw new BadInput("definition-loop", `$${name} is defined by itself, or too deep`, at);
    this.callers.push({ at: at + 1 + name.length, to: this.to });
    this.to = place.to;
    return place.at;
  }

  /** Takes the text up to the end of the statement as the definition of a name. The token at hand is its first. */
  define(name: string): void {
    const at = this.start;
    let to = at;
    for (let depth = 0; this.kind !== Token.End && (depth > 0 || this.kind !== Token.Break); this.next()) {
      if (this.is("{")) depth++;
      if (this.is("}")) depth--;
      if (this.callers.length === 0) to = this.end;
    }
    this.definitions.set(name, { at, to });
  }

  /** The word as it is used: without its quotes. */
  get word(): string {
    return this.kind === Token.Quoted
      ? this.text.slice(this.start + 1, this.end - 1)
      : this.text.slice(this.start, this.end);
  }

  /** Whether the token at hand is this operator, or this word without quotes. */
  is(text: string): boolean {
    return (
      this.end - this.start === text.length &&
      this.kind !== Token.Quoted &&
      this.kind !== Token.End &&
      this.text.startsWith(text, this.start)
    );
  }

  /** Goes on where the token is this one. */
  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.next();
    return true;
  }

  expect(text: string, why: string): void {
    if (!this.accept(text)) this.unexpected(`"${text}" ${why}`);
  }

  /** Whether a statement ends here. */
  get ended(): boolean {
    return this.kind === Token.Break || this.kind === Token.End || this.is("}");
  }

  /** Reads something that may contain itself. */
  nested<T>(read: () => T): T {
    if (this.depth >= MAX_DEPTH) this.fail("too-deep", `brackets are nested more than ${MAX_DEPTH} deep`);
    this.depth++;
    const result = read();
    this.depth--;
    return result;
  }
  private depth = 0;

  /** Where the token at hand stands, to return to. */
  place(): number {
    return this.start;
  }

  /** Reads again from the token that stood there; not across the text of a definition. */
  returnTo(place: number): void {
    this.end = place;
    this.next();
  }

  /** Goes to the end of the line of an offset, out of all definitions. */
  skipLine(offset: number): void {
    const out = this.callers[0];
    if (out !== undefined) [this.to, this.end] = [out.to, out.at];
    this.callers.length = 0;
    this.depth = 0;
    const end = this.text.indexOf("\n", out === undefined ? Math.max(offset, this.start) : this.end);
    this.end = end < 0 ? this.to : end;
    this.next();
  }

  /** Line ends, and semicolons. */
  skipBreaks(): void {
    while (this.kind === Token.Break) this.next();
  }

  /** The word at hand (quoted or not), going on. */
  take(what: string): string {
    if (this.kind !== Token.Word && this.kind !== Token.Quoted) this.unexpected(what);
    const { word } = this;
    this.next();
    return word;
  }

  /** What stands here instead of what is wanted. */
  unexpected(wanted: string, code = "syntax"): never {
    this.fail(code, `expected ${wanted}, not ${this.describe()}`);
  }

  describe(): string {
    if (this.kind === Token.End) return "the end of the text";
    if (this.kind === Token.Break) return this.text[this.start] === ";" ? '";"' : "the end of the line";
    const shown = this.text.slice(this.start, Math.min(this.end, this.start + 60));
    return this.kind === Token.Quoted ? shown : `"${shown}"`;
  }

  fail(code: string, message: string, at = this.start): never {
    throw new BadInput(this.kind === Token.End && at === this.start ? "truncated" : code, message, at);
  }
}

function isName(c: number): boolean {
  return c < 128 && NAME[c] === 1;
}
