import type { Verdict } from "../../../ruleset/types.js";
import { type Lexer, Token } from "../lexer.js";

export type SimpleVerdict = Exclude<Verdict, { kind: "verdict-map" | "reject" }>;

const words: ReadonlySet<string> = new Set(["accept", "drop", "continue", "return", "jump", "goto"]);

export function beginsVerdict(lexer: Lexer): boolean {
  return lexer.kind === Token.Word && words.has(lexer.word);
}

const plain = {
  accept: { kind: "accept" },
  drop: { kind: "drop" },
  continue: { kind: "continue" },
  return: { kind: "return" },
} as const;

/** accept, drop, continue, return, jump CHAIN, goto CHAIN. */
export function readVerdict(lexer: Lexer): SimpleVerdict {
  if (!beginsVerdict(lexer)) lexer.unexpected("a verdict (accept, drop, return, continue, jump, goto)", "bad-verdict");
  const { word } = lexer;
  lexer.next();
  if (word !== "jump" && word !== "goto") return plain[word as keyof typeof plain];
  if (lexer.is("{"))
    lexer.fail("anonymous-chain", "a chain without a name is not in the language: define it with a name");
  return { kind: word, chain: lexer.take("the name of a chain") };
}

export function printVerdict(verdict: SimpleVerdict): string {
  return verdict.kind === "jump" || verdict.kind === "goto" ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}
