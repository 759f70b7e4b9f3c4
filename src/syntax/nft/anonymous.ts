/** Sets and maps in braces inside a rule, and named ones after `@`. */
import type {
  Expression,
  MapExpression,
  DataElement,
  MapElement,
  SetElement,
  TableFamily,
} from "../../ruleset/types.js";
import type { DataType } from "./data-types.js";
import {
  type AnyElement,
  arrange,
  contradiction,
  type ElementValue,
  hasIntervals,
  printElements,
  readElements,
} from "./elements.js";
import { printConcatenation, typeOf } from "./expression.js";
import type { Lexer } from "./lexer.js";

/** A use of a named set or map: what it must be, to be held against its definition when all is read. */
export interface SetUse {
  readonly name: string;
  readonly types: readonly DataType[];
  readonly value: ElementValue;
  /** Offset into the text. */
  readonly at: number;
  /** A rule puts elements into it. */
  readonly updates?: true;
}

/** `@name` or `{ ... }`. */
export function readSet<E extends AnyElement>(
  lexer: Lexer,
  types: readonly DataType[],
  value: ElementValue,
  uses: SetUse[],
): string | E[] {
  const at = lexer.start;
  if (lexer.accept("@")) {
    const name = lexer.take("the name of a set or map after @");
    uses.push({ name, types, value, at });
    return name;
  }
  if (!lexer.is("{")) lexer.unexpected(value === "none" ? "a set" : 'a map: "@NAME" or "{ KEY : VALUE, ... }"');
  const elements = readElements(lexer, types, value) as E[];
  if (elements.length === 0) lexer.fail("empty-set", "a set in a rule needs at least one element", at);
  if (value !== "none" && contradiction(elements) !== undefined)
    lexer.fail("duplicate-element", "a key of this map stands twice, with different values", at);
  const order = !hasIntervals(elements) ? "hash" : types.length > 1 ? "as-written" : "interval";
  return arrange(elements, types, order, value === "none" && order === "interval");
}

export function typesOf(key: readonly Expression[], family: TableFamily): DataType[] {
  return key.map((part) => typeOf(part, family));
}

export function printSet(
  set: string | readonly (SetElement | MapElement | DataElement)[],
  types: readonly DataType[],
  value: ElementValue,
): string {
  return typeof set === "string" ? `@${set}` : printElements(set, types, value);
}

/** `KEY map { ... }`, whose values are of these types. */
export function printMap({ key, map }: MapExpression, value: readonly DataType[], family: TableFamily): string {
  return `${printConcatenation(key, family)} map ${printSet(map, typesOf(key, family), value)}`;
}
