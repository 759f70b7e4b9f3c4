import { prefixLength } from "../../../packet/prefix.js";
import type { MarkMatch } from "../../../ruleset/types.js";
import { UINT32 } from "../../iptables/values.js";
import { dataTypes } from "../data-types.js";
import { type MatchSyntax, notEqual } from "../relation.js";
import { isNumbers } from "../values.js";

const hex = (value: number): string => dataTypes.mark.formatNumber(value);

/** `meta mark 0x00000001`, `ct mark & 0x000000ff == 0x00000001`; a mask that is a prefix prints as one. */
export const mark: MatchSyntax<MarkMatch> = {
  kind: "mark",
  fields: ["mark", "ctmark"],
  read: ({ field, mask, right, negate, order }) =>
    isNumbers(right) && right[0] === right[1] && order === undefined
      ? { kind: "mark", field: field!.field as "mark", value: right[0], mask: (mask as number) ?? UINT32, negate }
      : undefined,
  print: ({ field, value, mask, negate }) => {
    const left = field === "mark" ? "meta mark" : "ct mark";
    if (mask === UINT32) return `${left}${notEqual(negate)} ${hex(value)}`;
    const length = prefixLength(mask);
    if (length >= 0) return `${left}${notEqual(negate)} ${hex(value)}/${length}`;
    return `${left} & ${hex(mask)} ${negate ? "!=" : "=="} ${hex(value)}`;
  },
};
