/** A rule as `nft list ruleset` prints it. */
import type { Rule, Statement, TableFamily, VerdictMap } from "../../ruleset/types.js";
import { printSet, typesOf } from "./anonymous.js";
import { cutComment } from "./comment.js";
import { printConcatenation } from "./expression.js";
import { printLookup } from "./matches/lookup.js";
import { normalise, withoutImplied } from "./normalise.js";
import { NoSpelling } from "./operand.js";
import { matchesByKind, statementsByKind } from "./registry.js";
import { type MarkAction, printMark } from "./statements/mark.js";
import { printVerdict, type SimpleVerdict } from "./statements/verdict.js";

/** Statements and comment, without the blanks before. Throws NoSpelling where nft cannot say it. */
export function printRuleLine({ statements, comment, counters }: Rule, family: TableFamily): string {
  const words: string[] = [];
  const comments: string[] = comment === undefined ? [] : [comment];
  let counted = counters === undefined || (counters.packets === 0 && counters.bytes === 0);
  for (const statement of withoutImplied(normalise(statements, family), family)) {
    if (statement.kind === "comment") {
      comments.push(statement.text);
      continue;
    }
    if (!counted && (isAction(statement) || statement.kind === "counter")) {
      if (statement.kind !== "counter") words.push(`counter packets ${counters!.packets} bytes ${counters!.bytes}`);
      counted = true;
    }
    words.push(printStatement(statement, family));
  }
  if (!counted) words.push(`counter packets ${counters!.packets} bytes ${counters!.bytes}`);
  if (comments.length > 0) words.push(`comment "${cutComment(comments.join("; ").replaceAll('"', "'"))}"`);
  return words.join(" ");
}

function isAction({ kind }: Statement): boolean {
  return !matchesByKind.has(kind as "compare") && kind !== "lookup" && kind !== "limit" && kind !== "opaque-match";
}

function printStatement(statement: Statement, family: TableFamily): string {
  const { kind } = statement;
  const match = matchesByKind.get(kind as "compare");
  if (match !== undefined) return match.print(statement as never, family);
  const syntax = statementsByKind.get(kind);
  if (syntax !== undefined) return syntax.print(statement, family);
  switch (kind) {
    case "lookup":
      return printLookup(statement, family);
    case "verdict-map":
      return printVerdictMap(statement, family);
    case "set-mark":
    case "copy-mark":
    case "assign":
      return printMark(statement as MarkAction, family);
    case "accept":
    case "drop":
    case "continue":
    case "return":
    case "jump":
    case "goto":
      return printVerdict(statement as SimpleVerdict);
    case "opaque-match":
    case "opaque-target":
      if (statement.text.startsWith("-") || statement.text.startsWith("!"))
        throw new NoSpelling(`"${statement.text}", which iptables wrote`);
      return statement.text;
    default:
      throw new NoSpelling(`the match ${kind}`);
  }
}

function printVerdictMap({ key, map }: VerdictMap, family: TableFamily): string {
  return `${printConcatenation(key, family)} vmap ${printSet(map, typesOf(key, family), "verdict")}`;
}
