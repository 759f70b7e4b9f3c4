/** The table of all selectors, by their words and by their fields. */
import type { FieldExpression, TableFamily } from "../../ruleset/types.js";
import { type DataType, dataTypes } from "./data-types.js";
import { ct } from "./expressions/ct.js";
import { fib } from "./expressions/fib.js";
import { meta } from "./expressions/meta.js";
import { payload } from "./expressions/payload.js";
import { type Lexer, Token } from "./lexer.js";
import type { Selector } from "./selector.js";

const groups = [payload, meta, ct, fib];

/** A selector as it is met in a text, or a foreign one: then without a field. */
export interface Term {
  readonly field: FieldExpression | undefined;
  readonly type: DataType;
}

/** Words one after the other; `term` where they may end. */
interface Branch {
  readonly next: Map<string, Branch>;
  term?: Term;
}

const root: Branch = { next: new Map() };
const printed = new Map<string, string>();
const typesOfFields = new Map<string, DataType>();
const FOREIGN: Term = { field: undefined, type: dataTypes.integer };

for (const { selectors, foreign } of groups) {
  for (const one of selectors) {
    const type = one.bytes === undefined ? dataTypes[one.type] : { ...dataTypes[one.type], bytes: one.bytes };
    for (const words of [one.words, ...(one.also ?? [])]) branch(words).term = { field: one.field, type };
    printed.set(keyOf(one.field), one.words);
    typesOfFields.set(keyOf(one.field), type);
  }
  for (const words of foreign) branch(words).term ??= FOREIGN;
}
// `ct original saddr` is the older spelling, of the family of its table.
for (const direction of ["original", "reply"])
  for (const end of ["saddr", "daddr"]) {
    const { next } = root.next.get("ct")!.next.get(direction)!;
    next.set(end, { next: new Map(), term: next.get("ip")!.next.get(end)!.term! });
  }

function branch(words: string): Branch {
  let at = root;
  for (const word of words.split(" ")) {
    const next = at.next.get(word);
    if (next === undefined) at.next.set(word, (at = { next: new Map() }));
    else at = next;
  }
  return at;
}

function keyOf({ field, protocol, family, spelled }: FieldExpression): string {
  return `${field} ${protocol ?? ""} ${family ?? ""} ${spelled ?? ""}`;
}

/** Whether the token at hand begins a selector. */
export function beginsSelector(lexer: Lexer): boolean {
  return (lexer.kind === Token.Word && root.next.has(lexer.word)) || lexer.is("@");
}

/** Reads a selector. Throws BadInput where its first word begins one and the others do not go on. */
export function readSelector(lexer: Lexer): Term {
  const { start } = lexer;
  if (lexer.accept("@")) return FOREIGN;
  let at: Branch = root;
  let found: Term | undefined;
  for (;;) {
    const next: Branch | undefined =
      at.next.size > 0 && (lexer.kind === Token.Word || lexer.is(".")) ? at.next.get(lexer.word) : undefined;
    if (next === undefined) break;
    lexer.next();
    at = next;
    found = at.term ?? found;
  }
  if (at.term !== undefined) return at.term;
  if (found !== undefined) return found;
  const choices = [...at.next.keys()].join(", ");
  const words = lexer.text.slice(start, lexer.before);
  return lexer.fail("unknown-keyword", `expected one of ${choices} after "${words}", not ${lexer.describe()}`);
}

/** A field as nft prints it; one without a family is of the table's. */
export function printField(field: FieldExpression, family: TableFamily): string | undefined {
  return printed.get(keyOf(field)) ?? printed.get(keyOf(withFamily(field, family)));
}

export function typeOfField(field: FieldExpression, family: TableFamily): DataType | undefined {
  return typesOfFields.get(keyOf(field)) ?? typesOfFields.get(keyOf(withFamily(field, family)));
}

function withFamily(field: FieldExpression, family: TableFamily): FieldExpression {
  return { ...field, family: family === "ip6" ? "ip6" : "ip" };
}

export function selectorsOf(): readonly Selector[] {
  return groups.flatMap((group) => group.selectors);
}
