/** A comparison as it was read, before it becomes a match; and the shape of the files in matches/. */
import type { Address } from "../../packet/address.js";
import type { Expression, FieldExpression, FieldName, KeyPart, Match, TableFamily } from "../../ruleset/types.js";
import type { DataType } from "./data-types.js";

export type Order = "<" | ">" | "<=" | ">=";

/** `left == right`, or with `negate` `!=`. What nft writes by flags (`ct state new`, `! syn`, `a / b`) is already a mask and a value. */
export interface Relation {
  readonly left: Expression;
  readonly type: DataType;
  /** The field the left side is of, and the bits of it that count; no mask: all. */
  readonly field: FieldExpression | undefined;
  readonly mask: number | Address | undefined;
  readonly right: KeyPart;
  readonly negate: boolean;
  /** How a range was written. */
  readonly order?: Order;
  readonly family: TableFamily;
}

/** A match that comparisons of some fields become: text to match and back. */
export interface MatchSyntax<M extends Match = Match> {
  readonly kind: M["kind"];
  readonly fields: readonly FieldName[];
  /** Undefined where the comparison is not of this form. */
  read(relation: Relation): M | undefined;
  /** Throws NoSpelling where nft cannot say it. */
  print(match: M, family: TableFamily): string;
}

export const notEqual = (negate: boolean): string => (negate ? " !=" : "");
