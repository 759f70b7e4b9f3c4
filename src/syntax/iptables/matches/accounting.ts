import type { AccountingMatch } from "../../../ruleset/types.js";
import type { MatchSyntax } from "../module.js";
import { quote } from "../quote.js";

/** xt_nfacct (extensions/libxt_nfacct.c), which prints two blanks before the name. */
export const accounting: MatchSyntax<AccountingMatch> = {
  kind: "accounting",
  modules: { nfacct: { "--nfacct-name": { values: 1 } } },
  parse: (options) => ({ kind: "accounting", name: options.require("--nfacct-name").values[0]! }),
  print: (match) => ` -m nfacct --nfacct-name  ${quote(match.name)}`,
};
