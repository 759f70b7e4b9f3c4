/** Expressions: selectors, numbers drawn and hashed, bits, concatenations; read to the language in the middle, and printed. */
import { type Address, addressWords } from "../../packet/address.js";
import type { BitwiseExpression, Expression, FieldExpression, KeyPart, TableFamily } from "../../ruleset/types.js";
import { parseNumber, UINT32 } from "../iptables/values.js";
import { type DataType, dataTypes } from "./data-types.js";
import { applyBits, type BitOperator, printBitwise } from "./expressions/bitwise.js";
import { printHash, readHash } from "./expressions/hash.js";
import { printNumgen, readNumgen } from "./expressions/numgen.js";
import { beginsSelector, printField, readSelector, typeOfField } from "./field.js";
import type { Lexer } from "./lexer.js";
import { NoSpelling, type Operand } from "./operand.js";
import { isMasked, isNumbers, printPart, readSingle } from "./values.js";

const operators: readonly (readonly (readonly [string, BitOperator])[])[] = [
  [
    ["|", "|"],
    ["or", "|"],
  ],
  [
    ["^", "^"],
    ["xor", "^"],
  ],
  [
    ["&", "&"],
    ["and", "&"],
  ],
];

/** `a . b . c`, each with its bits. A word that begins no selector is a constant of the type expected. */
export function readConcatenation(lexer: Lexer, expected?: DataType): Operand[] {
  const parts = [readOperand(lexer, expected)];
  while (lexer.accept(".")) parts.push(readOperand(lexer));
  return parts;
}

/** One operand with its bit operators: `meta mark & 0xff | 0x100`. */
export function readOperand(lexer: Lexer, expected?: DataType, level = 0): Operand {
  if (level === operators.length) return readPrimary(lexer, expected);
  let left = readOperand(lexer, expected, level + 1);
  for (;;) {
    const found = operators[level]!.find(([text]) => lexer.is(text));
    if (found === undefined) {
      if (lexer.is("<<") || lexer.is(">>")) lexer.fail("no-shifts", "shifts of bits are not in the language");
      return left;
    }
    lexer.next();
    const at = lexer.start;
    const right = readOperand(lexer, left.type, level + 1);
    const by = constantOf(right);
    if (by === undefined) lexer.fail("bad-value", "the right side of a bit operator is a constant", at);
    left = operate(left, found[1], by);
  }
}

function operate(left: Operand, operator: BitOperator, by: number | Address): Operand {
  if (left.expression === undefined) return left;
  const expression = applyBits(left.expression, operator, by);
  return operator === "^" ? { expression, type: left.type, xored: { of: left, by } } : { expression, type: left.type };
}

function constantOf({ expression, type }: Operand): number | Address | undefined {
  if (expression === undefined) return 0;
  if (expression.kind !== "value") return undefined;
  const { value } = expression;
  if (isNumbers(value)) return value[0];
  return isMasked(value) && type.bytes >= 4 ? value.value : undefined;
}

function readPrimary(lexer: Lexer, expected: DataType | undefined): Operand {
  if (lexer.accept("(")) {
    const inner =
      expected?.bits === undefined ? lexer.nested(() => readOperand(lexer, expected)) : readFlags(lexer, expected);
    lexer.expect(")", "to close the parenthesis");
    return inner;
  }
  if (lexer.is("numgen")) return { expression: readNumgen(lexer), type: dataTypes.integer };
  if (lexer.is("jhash")) return lexer.nested(() => readHash(lexer, readConcatenation));
  if (expected !== undefined && expected.parse(lexer.word, false) !== undefined && !beginsSelector(lexer))
    return { expression: { kind: "value", value: readSingle(lexer, expected) }, type: expected };
  if (beginsSelector(lexer)) {
    const { field, type } = readSelector(lexer);
    return { expression: field, type };
  }
  if (expected !== undefined)
    return { expression: { kind: "value", value: readSingle(lexer, expected) }, type: expected };
  return lexer.unexpected("a statement", "unknown-keyword");
}

/** `(syn | ack)`. */
function readFlags(lexer: Lexer, type: DataType): Operand {
  let bits = 0;
  do bits |= (readSingle(lexer, type) as readonly [number, number])[0];
  while (lexer.accept("|") || lexer.accept("or") || lexer.accept(","));
  return { expression: { kind: "value", value: [bits, bits] }, type };
}

/** Whether the token at hand begins an expression that is no constant. */
export function beginsExpression(lexer: Lexer): boolean {
  return beginsSelector(lexer) || lexer.is("numgen") || lexer.is("jhash") || lexer.is("(");
}

export function printConcatenation(parts: readonly Expression[], family: TableFamily): string {
  return parts.map((part) => printExpression(part, family)).join(" . ");
}

/** Throws where nft has no words for it. */
export function printExpression(expression: Expression, family: TableFamily): string {
  switch (expression.kind) {
    case "field": {
      const words = printField(expression, family);
      if (words === undefined) throw new NoSpelling(`the field ${expression.field}`);
      return words;
    }
    case "numgen":
      return printNumgen(expression);
    case "hash":
      return printHash(expression, (parts) => printConcatenation(parts, family));
    case "bitwise":
      return printBitwise(expression, printExpression(expression.of, family), typeOf(expression.of, family));
    case "value":
      return printPart(expression.value, typeOfPart(expression.value));
    case "map":
      throw new NoSpelling("a map inside an expression");
  }
}

/** The data type of an expression. */
export function typeOf(expression: Expression, family: TableFamily): DataType {
  switch (expression.kind) {
    case "field":
      return typeOfField(expression, family) ?? dataTypes.integer;
    case "bitwise":
      return typeOf(expression.of, family);
    case "value":
      return typeOfPart(expression.value);
    default:
      return dataTypes.integer;
  }
}

function typeOfPart(part: KeyPart): DataType {
  if (typeof part === "string") return dataTypes.ifname;
  if (isNumbers(part)) return dataTypes.integer;
  const address = isMasked(part) ? part.value : part.first;
  return typeof address === "number" ? dataTypes.ipv4_addr : dataTypes.ipv6_addr;
}

export function isField(expression: Expression | undefined, field: FieldExpression["field"]): boolean {
  return expression?.kind === "field" && expression.field === field && expression.spelled === undefined;
}

/** Whether every bit of the mask is set. */
export function isWhole(mask: BitwiseExpression["mask"]): boolean {
  return addressWords(mask).every((word) => word === UINT32);
}

/** A number of at most `max`, as nft takes it (decimal or hexadecimal). */
export function readNumber(lexer: Lexer, what: string, max = UINT32): number {
  const { start } = lexer;
  const value = parseNumber(lexer.take(what), max);
  if (value === undefined)
    lexer.fail(
      "bad-number",
      `expected ${what} from 0 to ${max}, not "${lexer.text.slice(start, lexer.before)}"`,
      start,
    );
  return value;
}
