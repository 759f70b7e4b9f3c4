import type { Address } from "../../packet/address.js";
import type { Expression } from "../../ruleset/types.js";
import type { DataType } from "./data-types.js";

/** What was read: an expression with its type; without an expression where the language in the middle has none for it. */
export interface Operand {
  readonly expression: Expression | undefined;
  readonly type: DataType;
  /** The operand before its last `^ NUMBER`, which a comparison moves to its other side. */
  readonly xored?: { readonly of: Operand; readonly by: number | Address };
}

/** nft has no words for something of the language in the middle. */
export class NoSpelling extends Error {}
