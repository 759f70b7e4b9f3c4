/** The key tables of the columns, read off their flat arrays: the key as expressions, and every element. */
import type { Expression, FieldName, KeyPart } from "../../ruleset/types.js";
import { type KeyField, type KeyTable, Source } from "../compile/key-table.js";

export interface ReadTable {
  readonly key: readonly Expression[];
  readonly elements: readonly { readonly parts: readonly KeyPart[]; readonly value: number }[];
  /** A key of bytes that are not modelled is left to the readable walk. */
  readonly ranged: boolean;
}

interface TableArrays {
  readonly first: Uint32Array;
  readonly last: Uint32Array;
  readonly spanValues: Int32Array;
  readonly rows: Int32Array;
  readonly used: Uint8Array;
}

const FIELDS: Readonly<Record<number, FieldName>> = {
  [Source.src]: "saddr",
  [Source.dst]: "daddr",
  [Source.protocol]: "protocol",
  [Source.sport]: "sport",
  [Source.dport]: "dport",
  [Source.mark]: "mark",
  [Source.state]: "ct-state",
  [Source.random]: "random",
};

export function readTable(table: KeyTable): ReadTable {
  const { first, last, spanValues, rows, used } = table as unknown as TableArrays;
  const count = table.fields.length;
  const elements: { parts: KeyPart[]; value: number }[] = [];
  for (let slot = 0; slot < used.length; slot++) {
    if (used[slot] !== 1) continue;
    const at = slot * (count + 1);
    const parts = Array.from({ length: count }, (_, i): KeyPart => [rows[at + i]! >>> 0, rows[at + i]! >>> 0]);
    elements.push({ parts, value: rows[at + count]! });
  }
  for (let i = 0; i < first.length; i++) elements.push({ parts: [[first[i]!, last[i]!]], value: spanValues[i]! });
  return { key: table.fields.map(expressionOf), elements, ranged: table.hasSpans || table.hasMasks };
}

function expressionOf({ source, protocol, mask, xor, mod, offset }: KeyField): Expression {
  const plain: Expression =
    source === Source.numgen
      ? { kind: "numgen", mode: "random", mod, offset }
      : { kind: "field", field: FIELDS[source]!, ...(protocol === 0 ? {} : { protocol }) };
  if (mask === -1 && xor === 0) return plain;
  return { kind: "bitwise", of: plain, mask: mask >>> 0, xor: xor >>> 0 };
}
