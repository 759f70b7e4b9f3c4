import type { Expression, SetUpdateAction } from "../../../ruleset/types.js";
import { printTuple } from "../elements.js";
import type { Context, StatementSyntax } from "../context.js";
import { dataTypes } from "../data-types.js";
import { printConcatenation, readConcatenation } from "../expression.js";
import type { Lexer } from "../lexer.js";
import type { Operand } from "../operand.js";
import { formatTime, readTime } from "../time.js";

/** `add|update|delete @set { key [timeout 1h] [: data] }` (src/statement.c). With a limit or counter of the element it is kept as its text. */
export const setUpdate: StatementSyntax<SetUpdateAction> = {
  kinds: ["set-update"],
  words: ["add", "update", "delete", "set"],
  read: (context) => {
    const { lexer } = context;
    if (lexer.is("set")) return readOldForm(context);
    const braces = /^\w+\s*@\s*\S+\s*\{[^}]*\}/.exec(lexer.text.slice(lexer.start, lexer.start + 1000))?.[0];
    if (braces !== undefined && /\b(limit|counter|quota|ct count|last)\b/.test(braces)) return undefined;
    const operation = lexer.take("add, update or delete") as SetUpdateAction["operation"];
    lexer.expect("@", `and a set after ${operation}`);
    const at = lexer.start;
    const set = lexer.take("the name of a set");
    lexer.expect("{", "before the key");
    const key = readConcatenation(lexer);
    const timeout = lexer.accept("timeout") ? readTime(lexer) : undefined;
    const data = lexer.accept(":") ? readConcatenation(lexer, dataTypes.mark) : undefined;
    lexer.expect("}", "after the key");
    return actionOf(context, operation, set, at, key, timeout, data);
  },
  print: ({ operation, set, key, data, timeout }, family) => {
    const time = timeout === undefined ? "" : ` timeout ${formatTime(timeout)}`;
    const value = data === undefined ? "" : ` : ${printData(data, family)}`;
    return `${operation} @${set} { ${printConcatenation(key, family)}${time}${value} }`;
  },
};

function printData(data: readonly Expression[], family: Context["family"]): string {
  return data
    .map((part) =>
      part.kind === "value" && Array.isArray(part.value)
        ? printTuple([part.value], [dataTypes.mark])
        : printConcatenation([part], family),
    )
    .join(" . ");
}

function actionOf(
  { lexer, uses }: Context,
  operation: SetUpdateAction["operation"],
  set: string,
  at: number,
  key: readonly Operand[],
  timeout?: number,
  data?: readonly Operand[],
): SetUpdateAction {
  const expressions = (operands: readonly Operand[]): Expression[] =>
    operands.map(({ expression }) => {
      if (expression === undefined || expression.kind === "value")
        return lexer.fail("foreign-key", "this key cannot be made of fields of the language", at);
      return expression;
    });
  uses.push({
    name: set,
    types: key.map((operand) => operand.type),
    value: data === undefined ? "none" : data.map((d) => d.type),
    at,
    updates: true,
  });
  return {
    kind: "set-update",
    operation,
    set,
    key: expressions(key),
    ...(timeout === undefined ? {} : { timeout }),
    ...(data === undefined ? {} : { data: data.map(({ expression }) => expression!) }),
  };
}

/** `set add ip saddr @clients`, the older spelling. */
function readOldForm(context: Context): SetUpdateAction | undefined {
  const lexer: Lexer = context.lexer;
  lexer.next();
  const operation = lexer.take("add, update or delete after set");
  if (operation !== "add" && operation !== "update" && operation !== "delete")
    lexer.fail("bad-set-update", `set takes add, update or delete, not "${operation}"`);
  const key = readConcatenation(lexer);
  const timeout = lexer.accept("timeout") ? readTime(lexer) : undefined;
  lexer.expect("@", "and the set after the key");
  const at = lexer.start;
  return actionOf(context, operation, lexer.take("the name of a set"), at, key, timeout);
}
