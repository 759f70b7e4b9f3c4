import type { RuleSet, Table } from "../../ruleset/types.js";
import { printRule, printRules } from "../../syntax/iptables/printer.js";

/** Lines of a piece: few enough to die young, many enough that writing them costs nothing. */
const PIECE = 2000;

/**
 * The text of `printRules` for a rule set as the writers of this folder make it (whole tables, no counters of rules), in pieces: that of a
 * large cluster is hundreds of megabytes, and holding its lines until the end takes longer than making them.
 */
export function* printInPieces(ruleset: RuleSet): Generator<string> {
  for (const table of ruleset.tables) yield* printTable(table);
}

const END = "COMMIT\n";

function* printTable(table: Table): Generator<string> {
  const frame = printRules({ tables: [{ ...table, chains: table.chains.map((chain) => ({ ...chain, rules: [] })) }] });
  const end = frame.lastIndexOf(END);
  yield frame.slice(0, end);
  let lines: string[] = [];
  for (const { name, rules } of table.chains) {
    for (const rule of rules) lines.push(printRule(rule, name));
    if (lines.length < PIECE) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join("\n")}\n`;
  yield frame.slice(end);
}
