/**
 * `nft -j list ruleset` and what is fed to `nft -j -f`, into tables: each object becomes the command nft -f takes for it, and the reader
 * of texts reads that. Problems and rules stand where their object stands in the JSON.
 */
import { error, type Problem } from "../../../ruleset/problem.js";
import type { RuleSet, Span } from "../../../ruleset/types.js";
import { LineIndex } from "../line-index.js";
import { readNft } from "../reader.js";
import { writeElements, writeExpression } from "./expressions.js";
import {
  BadJson,
  entryOf,
  isList,
  isObject,
  type Json,
  type JsonObject,
  listOf,
  numberOf,
  objectOf,
  plainWord,
  quoted,
  stringOf,
} from "./shape.js";
import { writeStatement } from "./statements.js";

const verbs: ReadonlySet<string> = new Set(["add", "create", "insert", "delete", "flush"]);

/** Reads a whole text. The rule set is only good for anything where no problem is an error. */
export function readNftJson(text: string): { ruleset: RuleSet; problems: Problem[] } {
  const nothing = { tables: [] };
  let parsed: Json;
  try {
    parsed = JSON.parse(text) as Json;
  } catch (failure) {
    return { ruleset: nothing, problems: [parseProblem(text, failure as SyntaxError)] };
  }
  const items = isObject(parsed) ? parsed.nftables : undefined;
  if (!isList(items)) {
    const message = 'this is no output of nft -j: an object with a list "nftables" is expected';
    return { ruleset: nothing, problems: [error("bad-json", message, { line: 1, column: 1 })] };
  }
  const places = new LineIndex(text);
  const offsets = itemOffsets(text);
  const spans = items.map((_, i) => places.spanAt(offsets[i] ?? 0));
  const lines: string[] = [];
  const spanOfLine: Span[] = [];
  const problems: Problem[] = [];
  items.forEach((item, i) => {
    try {
      const line = writeCommand(item);
      if (line === undefined) return;
      lines.push(line);
      spanOfLine.push(spans[i]!);
    } catch (failure) {
      if (!(failure instanceof BadJson)) throw failure;
      problems.push(error(failure.code, failure.message, spans[i]));
    }
  });
  if (problems.length > 0) return { ruleset: nothing, problems };
  return readNft(`${lines.join("\n")}\n`, (span) => spanOfLine[span.line - 1] ?? { line: 1, column: 1 });
}

function parseProblem(text: string, failure: SyntaxError): Problem {
  const position = /at position (\d+)/.exec(failure.message)?.[1];
  const truncated = position === undefined || Number(position) >= text.trimEnd().length;
  const at = truncated ? text.length : Number(position);
  const message = truncated
    ? "the JSON ends before its end: the text is truncated"
    : `this is no JSON: ${failure.message.replace(/ \(line.*| at position.*/s, "").replace(/\s+/g, " ")}`;
  return error(truncated ? "truncated" : "bad-json", message, new LineIndex(text).spanAt(at));
}

/** Where the elements of the list inside the outermost object begin. */
function itemOffsets(text: string): number[] {
  const offsets: number[] = [];
  let depth = 0;
  let fresh = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c <= 32) continue;
    if (depth === 2 && fresh && c !== 93) offsets.push(i);
    fresh = false;
    if (c === 34) {
      for (i++; i < text.length && text.charCodeAt(i) !== 34; i++) if (text.charCodeAt(i) === 92) i++;
    } else if (c === 123 || c === 91) {
      depth++;
      fresh = depth === 2;
    } else if (c === 125 || c === 93) depth--;
    else if (c === 44) fresh = depth === 2;
  }
  return offsets;
}

/** One object as a command; undefined where it says nothing of rules. */
function writeCommand(item: Json): string | undefined {
  let [key, value] = entryOf(item, "an object of the list");
  let verb = "add";
  if (verbs.has(key)) {
    verb = key;
    [key, value] = entryOf(value, verb);
  }
  if (key === "metainfo") return undefined;
  if (key === "ruleset") return `${verb} ruleset`;
  const object = objectOf(value, key);
  const family = plainWord(object.family ?? "ip", "family");
  switch (key) {
    case "table":
      return writeTable(verb, family, object);
    case "chain":
      return writeChain(verb, family, object);
    case "rule":
      return writeRule(verb, family, object);
    case "set":
    case "map":
      return writeSet(verb, family, key, object);
    case "element":
      return `${verb} element ${family} ${plainWord(object.table, "table")} ${plainWord(object.name, "name")} ${writeElements(object.elem ?? [])}`;
    case "flowtable":
      throw new BadJson(
        "flowtable",
        "flowtables are not modelled: packets would pass by the chains; leave it out to see what the chains do",
      );
    default:
      throw new BadJson("unknown-keyword", `"${key}" is not read from JSON: use the text of nft list ruleset`);
  }
}

function writeTable(verb: string, family: string, object: JsonObject): string {
  const head = `${verb} table ${family} ${plainWord(object.name, "name")}`;
  const flags = isList(object.flags) ? object.flags : object.flags === undefined ? [] : [object.flags];
  const facts = flags.map((flag) => `flags ${plainWord(flag, "flags")};`);
  if (object.comment !== undefined) facts.push(`comment ${quoted(object.comment, "comment")};`);
  return facts.length === 0 ? head : `${head} { ${facts.join(" ")} }`;
}

function writeChain(verb: string, family: string, object: JsonObject): string {
  const head = `${verb} chain ${family} ${plainWord(object.table, "table")} ${plainWord(object.name, "name")}`;
  const facts: string[] = [];
  if (object.comment !== undefined) facts.push(`comment ${quoted(object.comment, "comment")};`);
  if (object.type !== undefined) {
    const device = object.dev === undefined ? "" : ` device "${stringOf(object.dev, "dev")}"`;
    const type = `type ${plainWord(object.type, "type")} hook ${plainWord(object.hook, "hook")}${device}`;
    facts.push(`${type} priority ${priorityOf(object.prio)};`);
    if (object.policy !== undefined) facts.push(`policy ${plainWord(object.policy, "policy")};`);
  }
  return facts.length === 0 ? head : `${head} { ${facts.join(" ")} }`;
}

const priorityOf = (value: Json | undefined): string =>
  typeof value === "string" ? value.replace(/[^\w +-]/g, "") : String(numberOf(value, "prio"));

function writeRule(verb: string, family: string, object: JsonObject): string {
  const place = `${family} ${plainWord(object.table, "table")} ${plainWord(object.chain, "chain")}`;
  const index = object.index === undefined ? "" : ` index ${numberOf(object.index, "index")}`;
  const comment = object.comment === undefined ? "" : ` comment ${quoted(object.comment, "comment")}`;
  const statements = listOf(object.expr ?? [], "expr").map(writeStatement);
  return `${verb} rule ${place}${index} ${statements.join(" ")}${comment}`;
}

function writeSet(verb: string, family: string, kind: "set" | "map", object: JsonObject): string {
  const head = `${verb} ${kind} ${family} ${plainWord(object.table, "table")} ${plainWord(object.name, "name")}`;
  if (verb === "delete" || verb === "flush") return head;
  const typed = isObject(object.type) ? `typeof ${writeExpression(object.type)}` : `type ${typeNames(object.type)}`;
  const value = kind === "map" ? ` : ${typeNames(object.map)}` : "";
  const facts = [`${typed}${value};`];
  const flags = isList(object.flags) ? object.flags : object.flags === undefined ? [] : [object.flags];
  if (flags.length > 0) facts.push(`flags ${flags.map((flag) => plainWord(flag, "flags")).join(",")};`);
  if (object.timeout !== undefined) facts.push(`timeout ${numberOf(object.timeout, "timeout")}s;`);
  if (object["gc-interval"] !== undefined)
    facts.push(`gc-interval ${numberOf(object["gc-interval"], "gc-interval")}s;`);
  if (object.size !== undefined) facts.push(`size ${numberOf(object.size, "size")};`);
  if (object.policy !== undefined) facts.push(`policy ${plainWord(object.policy, "policy")};`);
  if (object["auto-merge"] === true) facts.push("auto-merge;");
  if (object.comment !== undefined) facts.push(`comment ${quoted(object.comment, "comment")};`);
  for (const statement of isList(object.stmt) ? object.stmt : []) facts.push(`${entryOf(statement, "stmt")[0]};`);
  if (isList(object.elem) && object.elem.length > 0) facts.push(`elements = ${writeElements(object.elem)};`);
  return `${head} { ${facts.join(" ")} }`;
}

/** `["ipv4_addr", "inet_service"]` or `"ipv4_addr . inet_service"`. */
function typeNames(value: Json | undefined): string {
  const names = isList(value) ? value : stringOf(value, "type").split(" . ");
  return names.map((name) => plainWord(name, "type")).join(" . ");
}
