import { expect } from "vitest";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { formatProblem } from "../../src/syntax/problem.js";
import { type ReadOptions, readRules } from "../../src/syntax/read.js";

/** A value as JSON holds it, without spans. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, field: unknown) => (key === "span" ? undefined : field))) as T;
}

/** Reads a text that must be without problems. */
export function readClean(input: Uint8Array | string, options: ReadOptions = {}, file = "text"): RuleSet {
  const { ruleset, problems, text } = readRules(input, options);
  const shown = problems.map((problem) => formatProblem(problem, { file, ...(text === undefined ? {} : { text }) }));
  expect(shown).toEqual([]);
  return ruleset!;
}

/** Prints from the language in the middle alone: through JSON, without spans. */
export function printPlain(ruleset: RuleSet): string {
  return printRules(plain(ruleset));
}
