/** Keys as steps: that all parts must be had, and that asking counts. */
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { Expression } from "../../ruleset/types.js";
import type { LookupPlace, LookupReader } from "./read-lookups.js";
import type { Step } from "./rows.js";

/** A key whose parts must all be had, whatever they are. */
export function havingKey(key: readonly Expression[], rule: ResolvedRule, at: LookupPlace, reader: LookupReader): Step {
  const refusal: Step = { kind: "end", end: { kind: "refuse", rule: at.rule, statement: at.statement } };
  const lookup = { key, alike: true, negate: true, changes: false, refusal: [refusal] };
  return reader.step("key", at, rule, lookup, () => []);
}

/** That an expression counts is a change of state. */
export function counted(
  key: readonly Expression[],
  place: { readonly rule: number; readonly statement: number },
): Step[] {
  return key.some(counts) ? [{ kind: "change", ...place }] : [];
}

function counts(expression: Expression): boolean {
  switch (expression.kind) {
    case "numgen":
      return expression.mode === "inc";
    case "bitwise":
      return counts(expression.of);
    case "map":
      return expression.key.some(counts);
    case "hash":
      return expression.inputs.some(counts);
    default:
      return false;
  }
}
