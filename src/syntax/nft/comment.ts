/** Comments of rules, sets, elements, chains and tables: bytes of UTF-8, and nft refuses a longer one (NFTNL_UDATA_COMMENT_MAXLEN). */
import type { Lexer } from "./lexer.js";

/** In bytes. */
const LONGEST = 128;

/** The comment at hand, its word `comment` read already. */
export function readComment(lexer: Lexer): string {
  const { start } = lexer;
  const comment = lexer.take("a comment in quotes");
  const bytes = Buffer.byteLength(comment);
  if (bytes > LONGEST)
    lexer.fail("long-comment", `a comment has at most ${LONGEST} bytes: this one has ${bytes}`, start);
  return comment;
}

/** As much of a comment, in whole characters, as nft takes: iptables takes longer ones. */
export function cutComment(comment: string): string {
  if (Buffer.byteLength(comment) <= LONGEST) return comment;
  let cut = "";
  let bytes = 0;
  for (const character of comment) {
    bytes += Buffer.byteLength(character);
    if (bytes > LONGEST) break;
    cut += character;
  }
  return cut;
}
