import { ICMP } from "../../../packet/protocol.js";
import type { IcmpMatch } from "../../../ruleset/types.js";
import { dataTypes } from "../data-types.js";
import { NoSpelling } from "../operand.js";
import { type MatchSyntax, notEqual } from "../relation.js";
import { isNumbers } from "../values.js";

/** Type 255 means any type to this match, as to iptables. */
const ANY_TYPE = 255;

/** `icmp type echo-request`; with a code after it, both. */
export const icmp: MatchSyntax<IcmpMatch> = {
  kind: "icmp",
  fields: ["icmp-type"],
  read: ({ field, mask, right, negate }) =>
    isNumbers(right) && right[0] === right[1] && right[0] !== ANY_TYPE && mask === undefined
      ? { kind: "icmp", protocol: field!.protocol as 1 | 58, type: right[0], codes: [0, 255], negate }
      : undefined,
  print: ({ protocol, type, codes, negate }) => {
    const name = protocol === ICMP ? "icmp" : "icmpv6";
    const types = dataTypes[protocol === ICMP ? "icmp_type" : "icmpv6_type"];
    const anyCode = codes[0] === 0 && codes[1] === 255;
    if (type === ANY_TYPE) {
      if (negate || !anyCode) throw new NoSpelling("a negated test of any ICMP type");
      return `meta l4proto ${protocol === ICMP ? "icmp" : "ipv6-icmp"}`;
    }
    const text = `${name} type${notEqual(negate)} ${types.formatNumber(type)}`;
    if (anyCode) return text;
    if (negate) throw new NoSpelling("a negated test of an ICMP type and code");
    const code = dataTypes[protocol === ICMP ? "icmp_code" : "icmpv6_code"];
    const shown =
      codes[0] === codes[1]
        ? code.formatNumber(codes[0])
        : `${code.formatNumber(codes[0])}-${code.formatNumber(codes[1])}`;
    return `${text} ${name} code ${shown}`;
  },
};
