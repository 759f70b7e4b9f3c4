/** A rule set as `nft list ruleset` prints it. It sees the language in the middle alone, never the source text. */
import { error, ProblemError } from "../../ruleset/problem.js";
import type {
  Chain,
  MapDefinition,
  OpaqueTable,
  Rule,
  RuleSet,
  SetDefinition,
  Table,
  TableFamily,
} from "../../ruleset/types.js";
import { dataTypes } from "./data-types.js";
import { type ElementValue, printElement } from "./elements.js";
import { printConcatenation } from "./expression.js";
import { NoSpelling } from "./operand.js";
import { formatPriority } from "./priority.js";
import { printRuleLine } from "./rule-printer.js";
import { formatTime } from "./time.js";

/** Lines of a piece. */
const PIECE = 2000;

/** Prints every table. Throws ProblemError where nft has no words for something (`-m recent`, two masks in one rule). */
export function printNft(ruleset: RuleSet): string {
  return [...printNftInPieces(ruleset)].join("");
}

/** The text of `printNft` in pieces. */
export function* printNftInPieces(ruleset: RuleSet): Generator<string> {
  const opaque = [...(ruleset.opaqueTables ?? [])];
  for (const [i, table] of ruleset.tables.entries()) {
    while (opaque.length > 0 && opaque[0]!.after <= i) yield printOpaque(opaque.shift()!);
    let lines: string[] = [];
    for (const line of tableLines(table)) {
      lines.push(line);
      if (lines.length < PIECE) continue;
      yield `${lines.join("\n")}\n`;
      lines = [];
    }
    if (lines.length > 0) yield `${lines.join("\n")}\n`;
  }
  for (const table of opaque) yield printOpaque(table);
}

const printOpaque = ({ text }: OpaqueTable): string => `${text}\n`;

function* tableLines(table: Table): Generator<string> {
  yield* table.remarks?.before ?? [];
  yield `table ${table.family} ${table.name} {`;
  if (table.comment !== undefined) yield `\tcomment "${table.comment}"`;
  let first = true;
  for (const lines of definitions(table)) {
    if (!first) yield "";
    first = false;
    yield* lines;
  }
  for (const chain of table.chains) {
    if (!first) yield "";
    first = false;
    yield* chainLines(chain, table.family);
  }
  yield "}";
}

/** Sets, maps and what is kept as text, in their order. */
function* definitions(table: Table): Generator<Iterable<string>> {
  const { sets, maps, opaqueDefinitions = [], setOrder } = table;
  const all = new Map<string, Iterable<string>>();
  for (const set of sets) all.set(set.name, setLines(set, "set", "none", table.family));
  for (const map of maps)
    all.set(
      map.name,
      setLines(
        map,
        "map",
        map.value === "verdict" ? "verdict" : map.value.map((type) => dataTypes[type]),
        table.family,
      ),
    );
  for (const { name, text } of opaqueDefinitions) all.set(name, [`\t${text}`]);
  for (const name of setOrder ?? []) {
    const lines = all.get(name);
    all.delete(name);
    if (lines !== undefined) yield lines;
  }
  yield* all.values();
}

function* setLines(
  set: SetDefinition | MapDefinition,
  kind: "set" | "map",
  value: ElementValue,
  family: TableFamily,
): Generator<string> {
  const types = set.type.map((type) => dataTypes[type]);
  yield `\t${kind} ${set.name} {`;
  yield `\t\t${typeLine(set, value, family)}`;
  const constant = set.flags.includes("constant");
  if (!constant && set.policy === "memory") yield "\t\tpolicy memory";
  if (!constant && set.size !== undefined) yield `\t\tsize ${set.size}`;
  const shown = set.flags.some((flag) => flag !== "timeout" || set.timeout === undefined);
  if (shown) yield `\t\tflags ${FLAGS.filter((flag) => set.flags.includes(flag)).join(",")}`;
  if (set.counter === true) yield "\t\tcounter";
  if (set.autoMerge === true) yield "\t\tauto-merge";
  if (set.timeout !== undefined) yield `\t\ttimeout ${formatTime(set.timeout)}`;
  if (set.gcInterval !== undefined) yield `\t\tgc-interval ${formatTime(set.gcInterval)}`;
  if (set.comment !== undefined) yield `\t\tcomment "${set.comment}"`;
  const perLine = types.length > 1 ? 1 : types[0]!.perLine;
  const interval = set.flags.includes("interval");
  let line = "\t\telements = { ";
  for (let i = 0; i < set.elements.length; i++) {
    const last = i === set.elements.length - 1;
    line += printElement(set.elements[i]!, types, value, interval);
    if (last) yield `${line} }`;
    else if ((i + 1) % perLine === 0) {
      yield `${line},`;
      line = "\t\t\t     ";
    } else line += ", ";
  }
  yield "\t}";
}

const FLAGS = ["constant", "dynamic", "interval", "timeout"] as const;

function typeLine(set: SetDefinition | MapDefinition, value: ElementValue, family: TableFamily): string {
  const width = set.type.length;
  const names =
    set.typeof === undefined ? set.type.join(" . ") : printConcatenation(set.typeof.slice(0, width), family);
  let text = `${set.typeof === undefined ? "type" : "typeof"} ${names}`;
  if (value === "verdict") text += " : verdict";
  else if (value !== "none")
    text += ` : ${set.typeof === undefined ? value.map((type) => type.name).join(" . ") : printConcatenation(set.typeof.slice(width), family)}`;
  return text;
}

function* chainLines({ name, base, comment, rules }: Chain, family: TableFamily): Generator<string> {
  yield `\tchain ${name} {`;
  if (comment !== undefined) yield `\t\tcomment "${comment}"`;
  if (base !== undefined)
    yield `\t\ttype ${base.type} hook ${base.hook} priority ${formatPriority(base.priority, base.hook)}; policy ${base.policy};`;
  for (const rule of rules) yield `\t\t${printNftRule(rule, family)}`;
  yield "\t}";
}

/** A rule without the blanks before it. Throws ProblemError where nft has no words for something. */
export function printNftRule(rule: Rule, family: TableFamily): string {
  try {
    return printRuleLine(rule, family);
  } catch (failure) {
    if (!(failure instanceof NoSpelling)) throw failure;
    throw new ProblemError(error("not-nft", `nft has no spelling for ${failure.message}`, rule.span));
  }
}
