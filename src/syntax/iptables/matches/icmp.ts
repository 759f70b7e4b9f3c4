import { ICMP, ICMPV6 } from "../../../packet/protocol.js";
import type { IcmpMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options, OptionUse } from "../module.js";
import { parseNumber } from "../values.js";
import { icmpNames, icmpv6Names, type NamedType } from "./icmp-names.js";

/** Type of `any` (xt_icmp in 1.8.9 takes it as no test of the type). */
const ANY_TYPE = 255;

/** xt_icmp and xt_icmp6 (extensions/libipt_icmp.c, libip6t_icmp6.c). */
export const icmp: MatchSyntax<IcmpMatch> = {
  kind: "icmp",
  modules: {
    icmp: { "--icmp-type": { values: 1, negate: true } },
    icmp6: {
      "--icmpv6-type": { values: 1, negate: true },
      "--icmp6-type": { values: 1, negate: true, as: "--icmpv6-type" },
    },
  },
  parse: (options) => {
    const v4 = options.module === "icmp";
    const use = options.require(v4 ? "--icmp-type" : "--icmpv6-type");
    const [type, codes] = typeOf(options, use, v4 ? icmpNames : icmpv6Names);
    return {
      kind: "icmp",
      protocol: v4 ? ICMP : ICMPV6,
      type,
      codes: v4 && type === ANY_TYPE ? [0, 255] : codes,
      negate: use.negate,
    };
  },
  print: (match) => {
    const code = match.codes[0] === 0 && match.codes[1] === 255 ? "" : `/${match.codes[0]}`;
    const type = match.protocol === ICMP && match.type === ANY_TYPE ? "any" : `${match.type}${code}`;
    const name = match.protocol === ICMP ? "icmp --icmp-type" : "icmp6 --icmpv6-type";
    const [module, option] = name.split(" ") as [string, string];
    return ` -m ${module}${match.negate ? " !" : ""} ${option} ${type}`;
  },
};

function typeOf(options: Options, use: OptionUse, names: readonly NamedType[]): [number, [number, number]] {
  const text = use.values[0]!;
  const named = names.find(([name]) => name === text.toLowerCase());
  if (named !== undefined) return [named[1], [named[2], named[3]]];
  const [first, code, ...rest] = text.split("/") as [string, ...string[]];
  const type = parseNumber(first, 255);
  const number = code === undefined ? 0 : parseNumber(code, 255);
  if (type === undefined || number === undefined || rest.length > 0)
    options.fail("bad-icmp-type", `${use.name} needs a name, TYPE or TYPE/CODE (0 to 255 each), not "${text}"`, use);
  return [type, code === undefined ? [0, 255] : [number, number]];
}
