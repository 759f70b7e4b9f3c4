import type { SetMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, OptionSpec } from "../module.js";
import { bare } from "../quote.js";

/** A set has at most six dimensions (IPSET_DIM_MAX). */
const MAX_DIMENSIONS = 6;

const counted: OptionSpec = { values: 1, negate: true };
const bounded: OptionSpec = { values: 1 };

/** xt_set (extensions/libxt_set.c). Counter tests and flags are kept as written. */
export const set: MatchSyntax<SetMatch> = {
  kind: "set",
  modules: {
    set: {
      "--match-set": { values: 2, negate: true },
      "--set": { values: 2, negate: true, as: "--match-set" },
      "--return-nomatch": { values: 0 },
      "--update-counters": { values: 0, negate: true },
      "--update-subcounters": { values: 0, negate: true },
      "--packets-eq": counted,
      "--packets-lt": bounded,
      "--packets-gt": bounded,
      "--bytes-eq": counted,
      "--bytes-lt": bounded,
      "--bytes-gt": bounded,
    },
  },
  parse: (options) => {
    const use = options.require("--match-set");
    const directions = use.values[1]!.split(",");
    const wrong = directions.find((word) => word !== "src" && word !== "dst");
    if (wrong !== undefined || directions.length > MAX_DIMENSIONS)
      options.fail(
        "bad-direction",
        `--match-set NAME needs up to ${MAX_DIMENSIONS} of src and dst, with commas between`,
        use,
      );
    const others = options
      .all()
      .filter((other) => other !== use)
      .map((other) => [...(other.negate ? ["!"] : []), other.name, ...other.values.map(bare)].join(" "));
    return {
      kind: "set",
      set: use.values[0]!,
      directions: directions as ("src" | "dst")[],
      negate: use.negate,
      ...(others.length > 0 && { options: others.join(" ") }),
    };
  },
  print: (match) =>
    ` -m set${match.negate ? " !" : ""} --match-set ${bare(match.set)} ${match.directions.join(",")}` +
    (match.options === undefined ? "" : ` ${match.options}`),
};
