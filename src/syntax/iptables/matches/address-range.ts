import { formatAddress } from "../../../packet/address.js";
import type { AddressRangeMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";
import { addressOf } from "../values.js";

/** How it is spelled: in the same `-m iprange` as the statement before it. */
export interface SpelledAddressRange extends AddressRangeMatch {
  readonly joined?: true;
}

/** xt_iprange (extensions/libxt_iprange.c): one statement a side. */
export const addressRange: MatchSyntax<SpelledAddressRange> = {
  kind: "address-range",
  modules: { iprange: { "--src-range": { values: 1, negate: true }, "--dst-range": { values: 1, negate: true } } },
  parse: (options) => {
    const source = range(options, "--src-range", "saddr");
    const destination = range(options, "--dst-range", "daddr");
    if (source && destination) return [source, { ...destination, joined: true }];
    return source ?? destination ?? options.fail("missing-option", "iprange needs --src-range or --dst-range");
  },
  print: (match) =>
    `${match.joined === true ? "" : " -m iprange"}${match.negate ? " !" : ""} ` +
    `${match.field === "saddr" ? "--src-range" : "--dst-range"} ${formatAddress(match.first)}-${formatAddress(match.last)}`,
};

function range(options: Options, name: string, field: "saddr" | "daddr"): SpelledAddressRange | undefined {
  const use = options.get(name);
  if (use === undefined) return undefined;
  const [first, last = first, ...rest] = use.values[0]!.split("-") as [string, ...string[]];
  if (rest.length > 0) options.fail("bad-address", `${name} needs FIRST-LAST, not "${use.values[0]}"`, use);
  return {
    kind: "address-range",
    field,
    first: addressOf(options, use, first),
    last: addressOf(options, use, last),
    negate: use.negate,
  };
}
