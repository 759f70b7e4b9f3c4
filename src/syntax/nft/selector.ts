/** Selectors: the words that name a field (`tcp dport`, `ct original ip saddr`), and the fields they name. */
import type { FieldExpression, KeyType } from "../../ruleset/types.js";

export interface Selector {
  /** As nft prints it. */
  readonly words: string;
  readonly field: FieldExpression;
  readonly type: KeyType;
  /** Its width in memory, where that is not its type's. */
  readonly bytes?: number;
  /** Other words for the same. */
  readonly also?: readonly string[];
}

/** What the files of expressions/ are made of. */
export interface SelectorGroup {
  readonly selectors: readonly Selector[];
  /** Words nft knows and the language in the middle does not: a statement with them is kept as its text. */
  readonly foreign: readonly string[];
}

export function selector(
  words: string,
  type: KeyType,
  field: Omit<FieldExpression, "kind">,
  more: Partial<Selector> = {},
): Selector {
  return { words, type, field: { kind: "field", ...field }, ...more };
}
