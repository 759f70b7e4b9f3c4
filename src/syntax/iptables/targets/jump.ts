import type { Verdict } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";

/** A target that no file here claims is the name of a chain: the rule reader makes the jump itself. */
export const jump: TargetSyntax<Extract<Verdict, { kind: "jump" }>> = {
  kind: "jump",
  targets: {},
  parse: (options) => ({ kind: "jump", chain: options.module }),
  print: (verdict) => ` -j ${verdict.chain}`,
};
