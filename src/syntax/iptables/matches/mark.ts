import type { MarkMatch } from "../../../ruleset/types.js";
import type { MatchSyntax } from "../module.js";
import { hex, markOf, UINT32 } from "../values.js";

const options = { "--mark": { values: 1, negate: true } } as const;

/** xt_mark, xt_connmark (extensions/libxt_mark.c, libxt_connmark.c). */
export const mark: MatchSyntax<MarkMatch> = {
  kind: "mark",
  modules: { mark: options, connmark: options },
  parse: (given) => {
    const use = given.require("--mark");
    const field = given.module === "mark" ? "mark" : "ctmark";
    return { kind: "mark", field, ...markOf(given, use), negate: use.negate };
  },
  print: (match) => {
    const mask = match.mask === UINT32 ? "" : `/${hex(match.mask)}`;
    const module = match.field === "mark" ? "mark" : "connmark";
    return ` -m ${module}${match.negate ? " !" : ""} --mark ${hex(match.value)}${mask}`;
  },
};
