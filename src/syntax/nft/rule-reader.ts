/** One rule: statements from left to right, then its comment. */
import type { Expression, KeyPart, Match, Statement, VerdictMap } from "../../ruleset/types.js";
import { readSet } from "./anonymous.js";
import { readComment } from "./comment.js";
import type { Context } from "./context.js";
import type { DataType } from "./data-types.js";
import { readConcatenation } from "./expression.js";
import { applyBits } from "./expressions/bitwise.js";
import { foreignStatements, readForeign } from "./foreign.js";
import { type Lexer, Token } from "./lexer.js";
import { compare } from "./matches/compare.js";
import { normalise } from "./normalise.js";
import type { Operand } from "./operand.js";
import { matchesByField, statementsByWord } from "./registry.js";
import type { Order, Relation } from "./relation.js";
import { readMark } from "./statements/mark.js";
import { beginsVerdict, readVerdict } from "./statements/verdict.js";
import { isNumbers, readPart, readSingle } from "./values.js";
import { addressToInteger, integerToAddress } from "../../packet/interval.js";
import { familyOf } from "../../packet/address.js";
import { prefixMask } from "../../packet/prefix.js";
import { parseNumber } from "../iptables/values.js";

export interface ReadRule {
  readonly statements: readonly Statement[];
  readonly comment?: string;
}

/** Reads to the end of the line, to a semicolon or to a closing brace. Throws BadInput. */
export function readRule(context: Context): ReadRule {
  const { lexer } = context;
  const statements: Statement[] = [];
  const { start } = lexer;
  let comment: string | undefined;
  while (!lexer.ended) {
    if (lexer.accept("comment")) {
      comment = readComment(lexer);
      if (!lexer.ended) lexer.unexpected("the end of the rule after its comment");
      break;
    }
    const last = statements[statements.length - 1];
    if (last !== undefined && endsRule(last))
      lexer.fail("after-verdict", `nothing may follow ${last.kind} in a rule, but ${lexer.describe()} does`);
    statements.push(readStatement(context));
  }
  if (statements.length === 0) lexer.fail("empty-rule", "a rule needs at least one statement", start);
  return { statements: normalise(statements, context.family), ...(comment === undefined ? {} : { comment }) };
}

const ending: ReadonlySet<string> = new Set(["accept", "drop", "return", "continue", "jump", "goto", "reject"]);
const endsRule = ({ kind }: Statement): boolean => ending.has(kind);

function readStatement(context: Context): Statement {
  const { lexer } = context;
  const { start } = lexer;
  if (beginsVerdict(lexer)) return readVerdict(lexer);
  if (lexer.kind === Token.Word) {
    const { word } = lexer;
    const statement = statementsByWord.get(word)?.read(context);
    if (statement !== undefined) return statement;
    if (foreignStatements.has(word)) return readForeign(lexer, start);
  }
  return readComparison(context, start);
}

function readComparison(context: Context, start: number): Statement {
  const { lexer, uses } = context;
  const { length } = uses;
  const operands = readConcatenation(lexer);
  const types = operands.map((operand) => operand.type);
  const key = operands.map((operand) => operand.expression);
  if (key.includes(undefined)) {
    const foreign = readForeign(lexer, start);
    return traceOf(foreign) ?? foreign;
  }
  const known = key as Expression[];
  if (lexer.accept("vmap")) {
    const map = readSet(lexer, types, "verdict", uses) as VerdictMap["map"];
    return { kind: "verdict-map", key: known, map };
  }
  if (lexer.is("set")) {
    const [field] = known;
    if (known.length > 1 || field!.kind !== "field" || (field!.field !== "mark" && field!.field !== "ctmark"))
      return readForeign(lexer, start);
    lexer.next();
    const action = readMark(context, field!.field);
    if (action !== undefined) return action;
    uses.length = length;
    return readForeign(lexer, start);
  }
  return readMatch(context, operands);
}

/** `meta nftrace set 1` is TRACE. */
function traceOf({ text }: { readonly text: string }): Statement | undefined {
  return text === "meta nftrace set 1" ? { kind: "log", target: "TRACE", options: [] } : undefined;
}

const operators = ["==", "!=", "<=", ">=", "<", ">", "!"] as const;
/** The same in letters. */
const named: ReadonlyMap<string, (typeof operators)[number]> = new Map([
  ["eq", "=="],
  ["ne", "!="],
  ["lt", "<"],
  ["gt", ">"],
  ["le", "<="],
  ["ge", ">="],
]);

function readOperator(lexer: Lexer): (typeof operators)[number] | "" {
  const found =
    operators.find((one) => lexer.is(one)) ?? (lexer.kind === Token.Word ? named.get(lexer.word) : undefined);
  if (found !== undefined) lexer.next();
  return found ?? "";
}

function readMatch(context: Context, operands: readonly Operand[]): Match {
  const { lexer, uses } = context;
  const at = lexer.start;
  const operator = readOperator(lexer);
  const types = operands.map((operand) => operand.type);
  const negate = operator === "!=";
  if (lexer.is("@") || lexer.is("{")) {
    if (operator !== "" && operator !== "==" && !negate)
      lexer.fail("bad-operator", `${operator} compares with one value, not with a set`, at);
    const set = readSet(lexer, types, "none", uses) as Extract<Match, { kind: "lookup" }>["set"];
    const only = typeof set !== "string" && set.length === 1 && operands.length === 1 ? set[0]!.key[0]! : undefined;
    if (only !== undefined && !wasMerged(lexer, at)) return matchOf(context, operands[0]!, operator, only, at);
    return { kind: "lookup", key: operands.map(({ expression }) => expression!), set, negate };
  }
  if (operands.length > 1) {
    if (lexer.ended) lexer.unexpected("a set, or vmap and a map, after the key");
    const element: KeyPart[] = [readPart(lexer, types[0]!, false)];
    while (element.length < types.length) {
      lexer.expect(".", "and the next part of the value");
      element.push(readPart(lexer, types[element.length]!, false));
    }
    return { kind: "lookup", key: operands.map(({ expression }) => expression!), set: [{ key: element }], negate };
  }
  const [operand] = operands as [Operand];
  if (operand.type.name === "mark") return readMarkMatch(context, operand, operator, at);
  const right = readPart(lexer, operand.type);
  if (operand.type.bits !== undefined && lexer.accept("/")) {
    const mask = readPart(lexer, operand.type);
    const masked = applyBits(operand.expression!, "&", (mask as readonly [number, number])[0]);
    return matchOf(context, { expression: masked, type: operand.type }, negate ? "!=" : "==", right, at);
  }
  return matchOf(context, operand, operator, right, at);
}

/** Whether the set in braces had several elements, of which one was made: it keeps its braces. */
function wasMerged(lexer: Lexer, at: number): boolean {
  return lexer.text.slice(at, lexer.before).includes(",");
}

/** A mark may have a prefix length, which is a mask. */
function readMarkMatch(context: Context, operand: Operand, operator: string, at: number): Match {
  const lexer: Lexer = context.lexer;
  const { start } = lexer;
  const first = readSingle(lexer, operand.type);
  if (lexer.accept("/")) {
    const lengthAt = lexer.start;
    const length = parseNumber(lexer.take("the length of a prefix"), 32);
    if (length === undefined) lexer.fail("bad-prefix", "the length of a prefix is a number from 0 to 32", lengthAt);
    const expression = applyBits(operand.expression!, "&", prefixMask("ip", length) as number);
    return matchOf(context, { expression, type: operand.type }, operator, first, at);
  }
  if (!lexer.accept("-")) return matchOf(context, operand, operator, first, at);
  const last = readSingle(lexer, operand.type);
  const [low] = first as readonly [number, number];
  const [high] = last as readonly [number, number];
  if (low > high) lexer.fail("empty-range", "this range is empty: write the lower value first", start);
  return matchOf(context, operand, operator, [low, high], at);
}

function matchOf(context: Context, operand: Operand, operator: string, right: KeyPart, at: number): Match {
  const { lexer, family } = context;
  let { expression } = operand;
  let part = right;
  if (operand.xored !== undefined && (operator === "" || operator === "==" || operator === "!=")) {
    const moved = moveXor(operand, right);
    if (moved !== undefined) [expression, part] = moved;
  }
  if (
    operand.type.bits !== undefined &&
    isNumbers(part) &&
    (operator === "" || operator === "!") &&
    expression!.kind === "field"
  ) {
    const flags = applyBits(expression!, "&", part[0]);
    return relate({ left: flags, type: operand.type, ...sides(flags), right: [0, 0], negate: operator === "", family });
  }
  const order = operator === "<" || operator === ">" || operator === "<=" || operator === ">=" ? operator : undefined;
  if (order !== undefined) part = ranged(lexer, part, order, operand.type, at);
  const common = {
    left: expression!,
    type: operand.type,
    ...sides(expression!),
    right: part,
    negate: operator === "!=",
    family,
  };
  return relate(order === undefined ? common : { ...common, order });
}

function relate(relation: Relation): Match {
  const { field, mask, left } = relation;
  const plain =
    field === undefined || (mask === undefined && left.kind === "bitwise")
      ? []
      : (matchesByField.get(field.field) ?? []);
  for (const syntax of plain) {
    const match = syntax.read(relation);
    if (match !== undefined) return match;
  }
  return compare.read(relation)!;
}

/** The field an expression is of, and its mask where nothing else is done to it. */
function sides(left: Expression): Pick<Relation, "field" | "mask"> {
  if (left.kind === "field") return { field: left, mask: undefined };
  if (left.kind !== "bitwise" || left.of.kind !== "field") return { field: undefined, mask: undefined };
  const flips = typeof left.xor === "number" ? left.xor !== 0 : left.xor.some((word) => word !== 0);
  return flips ? { field: undefined, mask: undefined } : { field: left.of, mask: left.mask };
}

/** `x ^ a == b` is `x == b ^ a` (binop_transfer, src/evaluate.c). */
function moveXor({ xored }: Operand, right: KeyPart): [Expression, KeyPart] | undefined {
  const { of, by } = xored!;
  const moved = applyBits({ kind: "value", value: right }, "^", by);
  if (of.expression === undefined || moved.kind !== "value") return undefined;
  return [of.expression, moved.value];
}

/** The values an order operator leaves. */
function ranged(lexer: Lexer, part: KeyPart, order: Order, type: DataType, at: number): KeyPart {
  const empty = (): never => lexer.fail("empty-range", `no value is ${order} this one`, at);
  if (isNumbers(part) && part[0] === part[1]) {
    const [value] = part;
    if (order === "<") return value === 0 ? empty() : [0, value - 1];
    if (order === ">") return value === type.max ? empty() : [value + 1, type.max];
    return order === "<=" ? [0, value] : [value, type.max];
  }
  if (typeof part === "string" || isNumbers(part) || !("mask" in part))
    return lexer.fail("bad-operator", `${order} compares with one value`, at);
  const family = familyOf(part.value);
  const value = addressToInteger(part.value);
  const highest = (1n << BigInt(type.bytes * 8)) - 1n;
  if ((order === "<" && value === 0n) || (order === ">" && value === highest)) return empty();
  const first = order === ">" ? value + 1n : order === ">=" ? value : 0n;
  const last = order === "<" ? value - 1n : order === "<=" ? value : highest;
  return { first: integerToAddress(first, family), last: integerToAddress(last, family) };
}
