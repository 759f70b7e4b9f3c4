import { integerToAddress, addressToInteger } from "../../../packet/interval.js";
import { familyOf, formatAddress } from "../../../packet/address.js";
import type { CompareMatch, KeyPart } from "../../../ruleset/types.js";
import type { DataType } from "../data-types.js";
import { printExpression, typeOf } from "../expression.js";
import { type MatchSyntax, notEqual, type Order } from "../relation.js";
import { isNumbers, isSpan, printBits, printPart } from "../values.js";
import { bound, printMaskedBits } from "./transport.js";

/** Every comparison that is no plainer match. */
export const compare: MatchSyntax<CompareMatch> = {
  kind: "compare",
  fields: [],
  read: ({ left, right, negate, order }) => ({
    kind: "compare",
    left,
    right,
    negate,
    ...(order === undefined ? {} : { spelled: order }),
  }),
  print: (match, family) => {
    const { left, right, negate, spelled } = match;
    const type = typeOf(left, family);
    const text = printExpression(left, family);
    if (spelled !== undefined) return `${text} ${spelled} ${printBound(right, spelled, type)}`;
    if (type.bits !== undefined && isNumbers(right)) {
      if (left.kind === "bitwise" && left.xor === 0)
        return printMaskedBits(printExpression(left.of, family), left.mask as number, right[0], negate, type.bits);
      // nft 1.0.6 prints what it compares with as a number where a TCP flag is not alone.
      const several = type.name === "tcp_flag" && (right[0] & (right[0] - 1)) !== 0;
      const value = several ? `0x${right[0].toString(16)}` : printBits(right[0], type.bits, " | ");
      return `${text} ${negate ? "!=" : "=="} ${value}`;
    }
    const operator = left.kind === "bitwise" ? (negate ? " !=" : " ==") : notEqual(negate);
    return `${text}${operator} ${printPart(right, type)}`;
  },
};

function printBound(right: KeyPart, order: Order, type: DataType): string {
  if (isNumbers(right)) return type.formatNumber(bound(right, order));
  if (!isSpan(right)) return printPart(right, type);
  const family = familyOf(right.first);
  if (order === ">=") return formatAddress(right.first);
  if (order === "<=") return formatAddress(right.last);
  const end = addressToInteger(order === ">" ? right.first : right.last) + (order === ">" ? -1n : 1n);
  return formatAddress(integerToAddress(end, family));
}
