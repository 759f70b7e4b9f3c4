import type { Verdict } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";

/** `-g CHAIN`: the rule reader makes it itself, as a goto names nothing but chains. */
export const goto: TargetSyntax<Extract<Verdict, { kind: "goto" }>> = {
  kind: "goto",
  targets: {},
  parse: (options) => ({ kind: "goto", chain: options.module }),
  print: (verdict) => ` -g ${verdict.chain}`,
};
