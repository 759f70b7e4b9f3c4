import type { Rule } from "../ruleset/types.js";
import { placeOf } from "./place.js";
import type { Check } from "./types.js";

export const shadowedRule: Check = {
  code: "shadowed-rule",
  summary:
    "A rule that never matches, because an earlier rule, of its chain or of every chain that leads to it, takes away every packet it asks for.",
  severity: "warning",
  find({ resolved, shadows }) {
    return [...shadows]
      .map(([id, by]) => ({ rule: resolved.rules[id]!, by }))
      .filter(({ rule }) => hasTarget(rule.rule))
      .map(({ rule, by }) => {
        const of = by.chain === rule.chain ? "" : ` of ${by.chain.name}`;
        const line = by.rule.span === undefined ? "" : ` (line ${by.rule.span.line})`;
        return {
          code: "shadowed-rule",
          severity: "warning" as const,
          message: `rule ${rule.number} of ${rule.chain.name} never matches: rule ${by.number}${of}${line} takes every packet it asks for`,
          right: "the narrower rule first, or only one of the two",
          place: placeOf(rule),
          related: [{ ...placeOf(by), message: "takes the packets away" }],
        };
      });
  },
};

/** A rule that ends in a test has no target: it counts, or is a remark. */
function hasTarget({ statements }: Rule): boolean {
  return TARGETS.has(statements[statements.length - 1]?.kind);
}

const TARGETS: ReadonlySet<string | undefined> = new Set(
  (
    "accept drop reject return jump goto verdict-map dnat snat masquerade redirect " +
    "set-mark copy-mark assign log notrack set-update opaque-target"
  ).split(" "),
);
