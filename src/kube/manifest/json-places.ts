/** Where values stand in a JSON text (RFC 8259), found without building anything. JSON.parse reads; this is asked when something is wrong. */
import { error, ProblemError } from "../../ruleset/problem.js";
import { spanAt } from "../../syntax/input.js";
import type { ObjectPath } from "../object-problem.js";

const DEEPEST = 500;
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** A string without an escape or control character, the usual case; and one with any legal escape. */
// oxlint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** The offset behind the value that begins at `from` (blanks may precede it). Throws ProblemError where it is no JSON. */
export function endOfValue(text: string, from: number): number {
  return new Scanner(text).skipValue(skipBlanks(text, from), 0);
}

/** The offset of the value a path leads to, from the value at `from`; where a step is missing, that of the last value there is. */
export function offsetOf(text: string, from: number, path: ObjectPath): number {
  const scanner = new Scanner(text);
  let at = skipBlanks(text, from);
  for (const step of path) {
    const next = scanner.step(at, step);
    if (next === undefined) break;
    at = next;
  }
  return at;
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const c = text.charCodeAt(at);
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return at;
    at++;
  }
}

class Scanner {
  constructor(private readonly text: string) {}

  skipValue(at: number, depth: number): number {
    const { text } = this;
    if (depth > DEEPEST) throw this.bad(at, `it is nested deeper than ${DEEPEST} levels`);
    switch (text[at]) {
      case undefined:
        throw this.bad(at, "the text ends where a value is expected: it is truncated");
      case "{":
        return this.members(at, depth, () => undefined);
      case "[":
        return this.items(at, depth, () => undefined);
      case '"':
        return this.skip(STRING, at, "the string has no end, or holds a control character or an unknown escape");
      default: {
        const end = this.skip(LITERAL, at, "expected a value");
        if (/[\w.+-]/.test(text[end] ?? "")) throw this.bad(at, "expected a value");
        return end;
      }
    }
  }

  /** The offset of a member (the last of that name, as JSON.parse takes it) or an item. */
  step(at: number, step: string | number): number | undefined {
    let found: number | undefined;
    if (this.text[at] === "{")
      this.members(at, 0, (name, value) => {
        if (name === step) found = value;
      });
    else if (this.text[at] === "[")
      this.items(at, 0, (i, value) => {
        if (i === step) found = value;
      });
    return found;
  }

  private members(at: number, depth: number, visit: (name: string, value: number) => void): number {
    return this.list(at, "}", (start) => {
      if (this.text[start] !== '"') throw this.bad(start, "expected the name of a member, in double quotes");
      const end = this.skip(STRING, start, "the name has no end, or holds a control character or an unknown escape");
      const colon = skipBlanks(this.text, end);
      if (this.text[colon] !== ":") throw this.bad(colon, 'expected ":"');
      const value = skipBlanks(this.text, colon + 1);
      visit(JSON.parse(this.text.slice(start, end)) as string, value);
      return this.skipValue(value, depth + 1);
    });
  }

  private items(at: number, depth: number, visit: (index: number, value: number) => void): number {
    let index = 0;
    return this.list(at, "]", (start) => {
      visit(index++, start);
      return this.skipValue(start, depth + 1);
    });
  }

  private list(open: number, close: "]" | "}", skipOne: (start: number) => number): number {
    let at = skipBlanks(this.text, open + 1);
    if (this.text[at] === close) return at + 1;
    for (;;) {
      at = skipBlanks(this.text, skipOne(skipBlanks(this.text, at)));
      const next = this.text[at];
      if (next === undefined) throw this.bad(at, `the text ends before "${close}": it is truncated`);
      if (next !== close && next !== ",") throw this.bad(at, `expected "," or "${close}"`);
      at++;
      if (next === close) return at;
    }
  }

  private skip(pattern: RegExp, at: number, otherwise: string): number {
    pattern.lastIndex = at;
    if (!pattern.test(this.text)) throw this.bad(at, otherwise);
    return pattern.lastIndex;
  }

  private bad(at: number, message: string): ProblemError {
    return new ProblemError(error("bad-json", `this is no JSON: ${message}`, spanAt(this.text, at)));
  }
}
