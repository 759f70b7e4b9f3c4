import type { NthMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";
import { numberOf, UINT32 } from "../values.js";

/** xt_statistic in its mode nth; random.ts owns the module's name. */
export const nth: MatchSyntax<NthMatch> = {
  kind: "nth",
  modules: {},
  parse: parseNth,
  print: (match) =>
    ` -m statistic --mode nth${match.negate ? " !" : ""} --every ${match.every} --packet ${match.packet}`,
};

export function parseNth(options: Options): NthMatch {
  const wrong = options.get("--probability");
  if (wrong !== undefined) options.fail("conflicting-options", "--probability belongs to --mode random", wrong);
  const use = options.require("--every");
  const every = numberOf(options, use, 1, UINT32);
  const at = options.require("--packet");
  const packet = numberOf(options, at, 0, UINT32);
  if (packet >= every) options.fail("bad-number", `--packet must be below --every ${every}`, at);
  return { kind: "nth", every, packet, negate: use.negate };
}
