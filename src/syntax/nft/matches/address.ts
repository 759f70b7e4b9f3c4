import { type Address, familyOf, formatAddress, sameAddress } from "../../../packet/address.js";
import { maskAddress, prefixLength } from "../../../packet/prefix.js";
import type { AddressMatch, AddressRangeMatch } from "../../../ruleset/types.js";
import { type MatchSyntax, notEqual, type Relation } from "../relation.js";
import { isMasked, isSpan, printMasked } from "../values.js";

/** `ip saddr 10.0.0.0/8`, `ip6 daddr & MASK == VALUE`. */
export const address: MatchSyntax<AddressMatch> = {
  kind: "address",
  fields: ["saddr", "daddr"],
  read: ({ field, mask, right, negate }) => {
    if (!isMasked(right)) return undefined;
    const counted = mask === undefined ? right.mask : (mask as Address);
    if (!sameAddress(maskAddress(right.value, counted), right.value)) return undefined;
    return { kind: "address", field: field!.field as "saddr", value: right.value, mask: counted, negate };
  },
  print: ({ field, value, mask, negate }) => {
    const left = `${familyOf(value)} ${field}`;
    if (prefixLength(mask) >= 0) return `${left}${notEqual(negate)} ${printMasked({ value, mask })}`;
    return `${left} & ${formatAddress(mask)} ${negate ? "!=" : "=="} ${formatAddress(value)}`;
  },
};

/** `ip saddr 10.0.0.1-10.0.0.9`. */
export const addressRange: MatchSyntax<AddressRangeMatch> = {
  kind: "address-range",
  fields: ["saddr", "daddr"],
  read: ({ field, mask, right, negate, order }: Relation) =>
    isSpan(right) && mask === undefined && order === undefined
      ? { kind: "address-range", field: field!.field as "saddr", first: right.first, last: right.last, negate }
      : undefined,
  print: ({ field, first, last, negate }) =>
    `${familyOf(first)} ${field}${notEqual(negate)} ${formatAddress(first)}-${formatAddress(last)}`,
};
