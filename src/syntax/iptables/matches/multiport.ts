import type { MultiportMatch } from "../../../ruleset/types.js";
import type { MatchSyntax } from "../module.js";
import { formatPortRange, portRangeOf } from "../values.js";

/** XT_MULTI_PORTS: a range takes two of them. */
const MAX_PORTS = 15;

const sides = { "--sports": "source", "--dports": "destination", "--ports": "either" } as const;
const options = { source: "--sports", destination: "--dports", either: "--ports" } as const;

/** xt_multiport (extensions/libxt_multiport.c). */
export const multiport: MatchSyntax<MultiportMatch> = {
  kind: "multiport",
  modules: {
    multiport: {
      "--sports": { values: 1, negate: true },
      "--source-ports": { values: 1, negate: true, as: "--sports" },
      "--dports": { values: 1, negate: true },
      "--destination-ports": { values: 1, negate: true, as: "--dports" },
      "--ports": { values: 1, negate: true },
    },
  },
  parse: (given) => {
    const use = given.oneOf(Object.keys(sides));
    const ranges = use.values[0]!.split(",").map((text) => portRangeOf(given, use, text, false));
    const ports = ranges.reduce((sum, [first, last]) => sum + (first === last ? 1 : 2), 0);
    if (ports > MAX_PORTS)
      given.fail("too-many-ports", `multiport takes at most ${MAX_PORTS} ports, a range counting as two`, use);
    return { kind: "multiport", side: sides[use.name as keyof typeof sides], ranges, negate: use.negate };
  },
  print: (match) =>
    ` -m multiport${match.negate ? " !" : ""} ${options[match.side]} ${match.ranges.map((range) => formatPortRange(range)).join(",")}`,
};
