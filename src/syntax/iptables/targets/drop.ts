import type { Verdict } from "../../../ruleset/types.js";
import { NO_OPTIONS, type TargetSyntax } from "../module.js";

export const drop: TargetSyntax<Extract<Verdict, { kind: "drop" }>> = {
  kind: "drop",
  targets: { DROP: NO_OPTIONS },
  parse: () => ({ kind: "drop" }),
  print: () => " -j DROP",
};
