/** Where a statement stands, and how it refuses. */
import { error, ProblemError } from "../ruleset/problem.js";
import type { ResolvedRule } from "../ruleset/resolve.js";
import type { StatementId } from "./state.js";

/** Where a statement stands, for those that keep state or refuse. */
export interface Place extends StatementId {
  readonly at: ResolvedRule;
}

/** Ends the walk: principle 5, refuse rather than guess. */
export function refuse(place: Place, message: string): never {
  throw new ProblemError(error("cannot-evaluate", message, place.at.rule.span));
}

/** `table chain number`, as iptables would name the rule. */
export function describe(place: { readonly at: ResolvedRule }): string {
  const { chain, number } = place.at;
  return `${chain.table.name} ${chain.name} ${number}`;
}
