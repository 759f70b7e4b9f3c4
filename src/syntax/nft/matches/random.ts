import type { RandomMatch } from "../../../ruleset/types.js";
import { type MatchSyntax } from "../relation.js";
import { isNumbers } from "../values.js";

/** What xt_statistic keeps of a random number. */
const MASK = 0x7fffffff;

/** `meta random & 2147483647 < 1073741824`, which iptables-nft writes for `-m statistic --mode random`. */
export const random: MatchSyntax<RandomMatch> = {
  kind: "random",
  fields: ["random"],
  read: ({ mask, right, negate, order }) => {
    if (mask !== MASK || !isNumbers(right) || negate) return undefined;
    if (order === "<") return right[1] < MASK ? { kind: "random", threshold: right[1] + 1, negate: false } : undefined;
    if (order === ">=") return right[0] <= MASK ? { kind: "random", threshold: right[0], negate: true } : undefined;
    return undefined;
  },
  print: ({ threshold, negate }) => `meta random & ${MASK} ${negate ? ">=" : "<"} ${threshold}`,
};
