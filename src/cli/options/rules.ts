/** `--rules F` and what goes with it. */
import { type Command, Option } from "commander";
import type { Problem } from "../../ruleset/problem.js";
import { resolve, type ResolvedRuleSet } from "../../ruleset/resolve.js";
import { tableNames } from "../../syntax/iptables/builtin.js";
import type { ProblemSource } from "../../syntax/problem.js";
import { formats, readRules, type RuleFormat } from "../../syntax/read.js";
import { describeProblems, InputError } from "../failure.js";
import type { Io } from "../io.js";
import { readInput } from "../read-input.js";
import { choiceWord } from "./values.js";

export interface RulesOptions {
  readonly rules: string;
  readonly from?: RuleFormat;
  readonly table?: string;
  readonly complete?: true;
}

/** A rule set that has no error, and the text it came from. */
export interface LoadedRules {
  readonly resolved: ResolvedRuleSet;
  readonly source: ProblemSource;
  readonly format: RuleFormat;
}

/** With `optional` the command has another way to its answer, and asks for the rules itself. */
export function addRulesOptions(command: Command, optional = false): Command {
  const flags = "--rules <file>";
  const about = "iptables-save text, iptables -S listing, nft list ruleset text or JSON, gzipped or not";
  return (optional ? command.option(flags, about) : command.requiredOption(flags, about))
    .addOption(
      new Option("--from <format>", `format of the rules (otherwise recognised): ${formats.join(", ")}`).argParser(
        choiceWord(formats),
      ),
    )
    .addOption(new Option("--table <name>", "table of a bare listing (default: nat)").argParser(choiceWord(tableNames)))
    .option("--complete", "add kube-proxy's static chains to a bare listing");
}

/** Reads, completes where asked for, and resolves the rules; warnings go to standard error, but for the codes in `untold`. Throws InputError. */
export async function loadRules(options: RulesOptions, io: Io, untold: readonly string[] = []): Promise<LoadedRules> {
  const input = await readInput(options.rules, io);
  const read = readRules(input.bytes, {
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.table === undefined ? {} : { table: options.table }),
  });
  const source = { file: input.name, ...(read.text === undefined ? {} : { text: read.text }) };
  if (read.ruleset === undefined) throw new InputError(source, read.problems);
  let ruleset = read.ruleset;
  if (options.complete === true) {
    const { complete } = await import("../../kube/complete.js");
    const completed = complete(ruleset);
    ruleset = completed.ruleset;
    io.complain(describeAddition(completed.added, input.name));
  }
  const resolved = resolve(ruleset);
  const problems = [...read.problems, ...resolved.problems];
  if (problems.some(isError)) throw new InputError(source, problems);
  const told = problems.filter((problem) => !untold.includes(problem.code));
  if (told.length > 0) io.complain(describeProblems(told, source));
  return { resolved, source, format: read.format! };
}

const isError = (problem: Problem): boolean => problem.severity === "error";

function describeAddition(added: readonly string[], file: string): string {
  if (added.length === 0) return `${file}: nothing to complete: it is no bare listing, or has all static chains\n`;
  const lines = added.map((line) => `  ${line}\n`).join("");
  return `${file}: completed with kube-proxy's static chains:\n${lines}`;
}
