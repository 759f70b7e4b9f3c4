import { error, ProblemError } from "../ruleset/problem.js";
import type { Rule } from "../ruleset/types.js";

/** Ends the translation: nftables has no counterpart for something a rule says. Throws ProblemError with the rule's line. */
export function refuseRule(rule: Rule, message: string): never {
  throw new ProblemError(error("no-counterpart", message, rule.span));
}
