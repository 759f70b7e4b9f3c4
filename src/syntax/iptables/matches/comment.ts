import type { CommentMatch } from "../../../ruleset/types.js";
import type { MatchSyntax } from "../module.js";
import { quote } from "../quote.js";

/** xt_comment (extensions/libxt_comment.c). */
export const comment: MatchSyntax<CommentMatch> = {
  kind: "comment",
  modules: { comment: { "--comment": { values: 1 } } },
  parse: (options) => ({ kind: "comment", text: options.require("--comment").values[0]! }),
  print: (match) => ` -m comment --comment ${quote(match.text)}`,
};
