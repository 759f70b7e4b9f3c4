/** Statements nft knows and the language in the middle does not: where each ends, so that it can be kept as its text. */
import type { OpaqueAction, OpaqueMatch } from "../../ruleset/types.js";
import { beginsSelector } from "./field.js";
import { type Lexer, Token } from "./lexer.js";

/** Words that begin a statement and are no value. */
const verbs: ReadonlySet<string> = new Set(
  (
    "accept drop continue return jump goto reject counter log limit quota masquerade dnat snat redirect notrack queue dup fwd tproxy " +
    "synproxy comment add update delete numgen jhash symhash xt last"
  ).split(" "),
);
/** Statements of words: what is not a comparison. */
export const foreignStatements: ReadonlySet<string> = new Set(
  "counter limit quota queue dup fwd tproxy synproxy xt last meter flow reset dnat snat add update delete set secmark".split(
    " ",
  ),
);
/** After these, at least two words belong to what is compared. */
const long =
  /^(tcp option|socket|osf|ether|vlan|arp|rt|exthdr|frag|hbh|dst|srh|mh|ah|esp|comp|igmp|gre|vxlan|geneve|gretap|ipsec|ip option|sctp chunk|dccp option|fib)\b/;

/** Which statements of iptables-nft are not shown by nft. */
export const XT_HINT = "use iptables-save for this table";

/**
 * Goes to the end of the statement that began at an offset, whose first words were read. `xt match NAME` and other comparisons become
 * a match, what does something an action.
 */
export function readForeign(lexer: Lexer, start: number): OpaqueMatch | OpaqueAction {
  const first = lexer.text.slice(start, Math.max(lexer.before, start));
  const beginsWith = lexer.text.slice(start, start + 40);
  let values = long.test(beginsWith) ? -1 : 0;
  let acts = false;
  let joined = false;
  for (let depth = 0; ;) {
    if (lexer.kind === Token.End) break;
    if (depth === 0) {
      if (lexer.kind === Token.Break || lexer.is("}")) break;
      if (lexer.kind === Token.Word && values > 0 && !joined && (verbs.has(lexer.word) || beginsSelector(lexer))) break;
      if (
        lexer.kind === Token.Word &&
        values <= 0 &&
        verbs.has(lexer.word) &&
        lexer.before > start &&
        values === 0 &&
        lexer.before !== start
      ) {
        if (lexer.start > start && isVerdictWord(lexer.word)) break;
      }
    }
    if (lexer.is("{")) depth++;
    else if (lexer.is("}")) depth--;
    if (lexer.is("set") || lexer.is("vmap")) acts = true;
    joined = lexer.kind === Token.Mark && !lexer.is("}");
    if (!joined && !lexer.is("set") && !lexer.is("vmap") && !lexer.is("over") && depth === 0) values++;
    lexer.next();
  }
  const text = tidy(lexer.text.slice(start, lexer.before));
  const name = /^xt\s+(match|target)\s+"?([\w-]+)/.exec(text);
  const module = name === null ? words(first || text) : name[2]!;
  if (
    acts ||
    name?.[1] === "target" ||
    (name === null && foreignStatements.has(text.split(/\s/)[0]!) && !/^(quota|limit)/.test(text))
  )
    return { kind: "opaque-target", target: module, text };
  return { kind: "opaque-match", module, text };
}

const isVerdictWord = (word: string): boolean => /^(accept|drop|continue|return|jump|goto)$/.test(word);

const words = (text: string): string => text.trim().split(/\s+/).slice(0, 2).join(" ");

/** One blank between words, and no `==` where nft prints none; what stands in quotes stays. */
function tidy(text: string): string {
  return text
    .split(/("[^"]*")/)
    .map((piece, i) => (i % 2 === 1 ? piece : piece.replace(/\s+/g, " ")))
    .join("")
    .trim()
    .replace(/^([^&|^"{]*?) == (?!.* == )/, "$1 ");
}
