import type { ResolvedRuleSet } from "../ruleset/resolve.js";
import { chainWithoutVerdict } from "./chain-without-verdict.js";
import { danglingEndpoint } from "./dangling-endpoint.js";
import { duplicateDestination } from "./duplicate-destination.js";
import { noEndpoints } from "./no-endpoints.js";
import { shadowedRule } from "./shadowed-rule.js";
import { subjectOf } from "./subject.js";
import type { Check, Finding } from "./types.js";
import { undefinedChain } from "./undefined-chain.js";
import { unevenChoice } from "./uneven-choice.js";
import { unreachableChain } from "./unreachable-chain.js";

/** Every kind of finding. */
export const CHECKS: readonly Check[] = [
  unevenChoice,
  duplicateDestination,
  chainWithoutVerdict,
  shadowedRule,
  unreachableChain,
  danglingEndpoint,
  undefinedChain,
  noEndpoints,
];

/** What the checks find in a rule set without errors, in the order of its lines. */
export function lint(resolved: ResolvedRuleSet, checks: readonly Check[] = CHECKS): Finding[] {
  const subject = subjectOf(resolved);
  const findings = checks.flatMap((check) => check.find(subject));
  const line = (finding: Finding): number => finding.place.span?.line ?? Infinity;
  return findings.sort((a, b) => (line(a) === line(b) ? 0 : line(a) - line(b)));
}
