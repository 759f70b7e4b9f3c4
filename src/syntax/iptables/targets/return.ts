import type { Verdict } from "../../../ruleset/types.js";
import { NO_OPTIONS, type TargetSyntax } from "../module.js";

export const returns: TargetSyntax<Extract<Verdict, { kind: "return" }>> = {
  kind: "return",
  targets: { RETURN: NO_OPTIONS },
  parse: () => ({ kind: "return" }),
  print: () => " -j RETURN",
};
