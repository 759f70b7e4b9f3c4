import type { InterfaceMatch } from "../../../ruleset/types.js";
import { type MatchSyntax, notEqual } from "../relation.js";
import { quoteName } from "../values.js";

/** `iifname "eth0"`, `oifname != "cali*"`, `iif "lo"`. */
export const device: MatchSyntax<InterfaceMatch> = {
  kind: "interface",
  fields: ["iif", "oif"],
  read: ({ field, mask, right, negate }) => {
    if (typeof right !== "string" || mask !== undefined) return undefined;
    const prefix = right.endsWith("*") && !right.endsWith("\\*");
    const name = prefix ? right.slice(0, -1) : right.replace(/\\\*$/, "*");
    const byIndex = field!.spelled === undefined ? {} : { byIndex: true as const };
    return { kind: "interface", field: field!.field as "iif", name, prefix, negate, ...byIndex };
  },
  print: ({ field, name, prefix, negate, byIndex }) => {
    const shown = prefix ? `${name}*` : name.replace(/\*$/, "\\*");
    return `${field}${byIndex === true ? "" : "name"}${notEqual(negate)} ${quoteName(shown)}`;
  },
};
