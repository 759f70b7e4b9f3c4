/** What the readers of statements share, and the shape of the files in statements/. */
import type { Statement, TableFamily } from "../../ruleset/types.js";
import type { SetUse } from "./anonymous.js";
import type { Lexer } from "./lexer.js";

export interface Context {
  readonly lexer: Lexer;
  readonly family: TableFamily;
  /** Named sets and maps that were used. */
  readonly uses: SetUse[];
}

/** A statement that begins with a word of its own: text to statements and back. */
export interface StatementSyntax<S extends Statement = Statement> {
  readonly kinds: readonly S["kind"][];
  /** The words it begins with. */
  readonly words: readonly string[];
  /** The word is still at hand. Undefined, nothing being read: the language in the middle has no statement for it. */
  read(context: Context): Statement | undefined;
  /** Throws NoSpelling where nft cannot say it. */
  print(statement: S, family: TableFamily): string;
}
