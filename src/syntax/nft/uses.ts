/** Named sets and maps against what rules take them for. That there are such is resolve's to say. */
import { error, type Problem } from "../../ruleset/problem.js";
import type { Span } from "../../ruleset/types.js";
import type { DataType } from "./data-types.js";
import type { SetUse } from "./anonymous.js";
import type { DraftSet, TableBuilder } from "./table-builder.js";

/** One problem for each set that is used as what it is not. */
export function checkUses(table: TableBuilder, spanAt: (offset: number) => Span): Problem[] {
  const problems: Problem[] = [];
  const blamed = new Set<string>();
  for (const use of table.uses) {
    const set = table.sets.get(use.name);
    const message = set && complaint(set, use);
    if (message === undefined || blamed.has(use.name)) continue;
    blamed.add(use.name);
    problems.push(error("wrong-type", message, spanAt(use.at)));
  }
  return problems;
}

function complaint({ facts, types, value }: DraftSet, use: SetUse): string | undefined {
  const kind = value === "none" ? "a set" : value === "verdict" ? "a map of verdicts" : "a map of values";
  const wanted = use.value === "none" ? "a set" : use.value === "verdict" ? "a map of verdicts" : "a map of values";
  if (kind !== wanted && !(use.updates === true && use.value === "none"))
    return `${facts.name} is ${kind}, but is used as ${wanted}`;
  if (!fits(types, use.types))
    return `${facts.name} has elements of ${namesOf(types)}, but is looked up with ${namesOf(use.types)}`;
  if (typeof value !== "string" && typeof use.value !== "string" && !fits(value.slice(0, use.value.length), use.value))
    return `${facts.name} has values of ${namesOf(value)}, but ${namesOf(use.value)} is wanted`;
  return undefined;
}

function fits(defined: readonly DataType[], used: readonly DataType[]): boolean {
  return defined.length === used.length && defined.every((type, i) => type.name === used[i]!.name);
}

const namesOf = (types: readonly DataType[]): string => types.map((type) => type.name).join(" . ");
