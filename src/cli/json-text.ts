/** JSON (RFC 8259) with the place of every value, so that what is wrong with one can be shown where it stands. */
import { error, ProblemError } from "../ruleset/problem.js";
import { spanAt } from "../syntax/input.js";

export type JsonNode = { /** Offset in the text. */ readonly at: number } & (
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly value: string | number | boolean | null }
);

const DEEPEST = 200;

/** Reads one JSON value. Throws ProblemError at the place that is no JSON. */
export function parseJson(text: string): JsonNode {
  return new JsonReader(text).document();
}

class JsonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): JsonNode {
    const node = this.value(0);
    this.skipBlanks();
    if (this.at < this.text.length) throw this.bad("nothing more is expected here");
    return node;
  }

  private value(depth: number): JsonNode {
    this.skipBlanks();
    const at = this.at;
    if (depth > DEEPEST) throw this.bad(`nested deeper than ${DEEPEST} levels`);
    switch (this.text[at]) {
      case undefined:
        throw this.bad("the text ends where a value is expected: it is truncated");
      case "{":
        return { at, kind: "object", members: this.members(depth) };
      case "[":
        return { at, kind: "array", items: this.items(depth) };
      case '"':
        return { at, kind: "scalar", value: this.string() };
      default:
        return { at, kind: "scalar", value: this.literal() };
    }
  }

  private members(depth: number): ReadonlyMap<string, JsonNode> {
    const members = new Map<string, JsonNode>();
    this.list("}", () => {
      if (this.text[this.at] !== '"') throw this.bad("expected the name of a member, in double quotes");
      const start = this.at;
      const name = this.string();
      if (members.has(name)) throw this.bad(`the member "${name}" stands twice`, start);
      this.skipBlanks();
      if (this.text[this.at] !== ":") throw this.bad('expected ":"');
      this.at++;
      members.set(name, this.value(depth + 1));
    });
    return members;
  }

  private items(depth: number): readonly JsonNode[] {
    const items: JsonNode[] = [];
    this.list("]", () => items.push(this.value(depth + 1)));
    return items;
  }

  /** What stands between brackets, with commas between. */
  private list(close: "]" | "}", readOne: () => void): void {
    this.at++;
    this.skipBlanks();
    if (this.text[this.at] === close) {
      this.at++;
      return;
    }
    for (;;) {
      this.skipBlanks();
      readOne();
      this.skipBlanks();
      const next = this.text[this.at];
      if (next === undefined) throw this.bad(`the text ends before "${close}": it is truncated`);
      if (next !== close && next !== ",") throw this.bad(`expected "," or "${close}"`);
      this.at++;
      if (next === close) return;
    }
  }

  private string(): string {
    const start = this.at;
    for (this.at++; this.text[this.at] !== '"'; this.at++) {
      const c = this.text[this.at];
      if (c === undefined || c === "\n") throw this.bad('the string has no closing "', start);
      if (c === "\\") this.at++;
    }
    this.at++;
    try {
      return JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      throw this.bad("the string holds a control character or an unknown escape", start);
    }
  }

  private literal(): number | boolean | null {
    const word = /^[^\s,\]}:"[{]*/.exec(this.text.slice(this.at, this.at + 64))![0];
    if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(word))
      throw this.bad("expected a JSON value");
    this.at += word.length;
    return JSON.parse(word) as number | boolean | null;
  }

  private skipBlanks(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? "")) this.at++;
  }

  private bad(message: string, at = this.at): ProblemError {
    return new ProblemError(error("bad-json", `this is no JSON: ${message}`, spanAt(this.text, at)));
  }
}
