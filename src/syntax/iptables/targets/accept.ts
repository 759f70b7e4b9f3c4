import type { Verdict } from "../../../ruleset/types.js";
import { NO_OPTIONS, type TargetSyntax } from "../module.js";

export const accept: TargetSyntax<Extract<Verdict, { kind: "accept" }>> = {
  kind: "accept",
  targets: { ACCEPT: NO_OPTIONS },
  parse: () => ({ kind: "accept" }),
  print: () => " -j ACCEPT",
};
