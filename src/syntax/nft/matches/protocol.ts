import { protocolName } from "../../../packet/protocol.js";
import type { ProtocolMatch } from "../../../ruleset/types.js";
import { type MatchSyntax, notEqual } from "../relation.js";
import { isNumbers } from "../values.js";

/** `meta l4proto tcp`; in a table of one family also `ip protocol tcp`, `ip6 nexthdr tcp`. */
export const protocol: MatchSyntax<ProtocolMatch> = {
  kind: "protocol",
  fields: ["protocol"],
  read: ({ field, mask, right, negate, family }) => {
    if (!isNumbers(right) || right[0] !== right[1] || mask !== undefined) return undefined;
    // In a table of both families it also says which: that is no plain test of the protocol.
    if (field!.spelled !== undefined && family === "inet") return undefined;
    const spelled = field!.spelled === undefined ? {} : { spelled: field!.spelled as "ip protocol" };
    return { kind: "protocol", protocol: right[0], negate, ...spelled };
  },
  print: ({ protocol: number, negate, spelled }) =>
    `${spelled ?? "meta l4proto"}${notEqual(negate)} ${protocolName(number)}`,
};
