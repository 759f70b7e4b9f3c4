import { type Command, Option } from "commander";
import { CHECKS, lint } from "../../lint/lint.js";
import type { Finding } from "../../lint/types.js";
import type { Place } from "../../lint/place.js";
import { countFindings, drawFindings } from "../draw/findings.js";
import { sarifLog } from "../draw/sarif.js";
import { ANSWER_NO, DONE, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord } from "../options/values.js";
import { version } from "../version.js";

const FORMATS = ["text", "json", "sarif"] as const;

interface LintOptions extends RulesOptions {
  readonly format: (typeof FORMATS)[number];
  readonly json?: true;
}

const HELP = `
What it looks for:
${CHECKS.map(({ code, summary }) => `  ${code.padEnd(22)} ${summary}`).join("\n")}

What it cannot judge (an unknown match, a listing that shows a part of a table) it passes over in silence.
Exit code: 0 nothing of severity warning or error, 1 something, 2 bad input.

JSON (--format json, --json): {file, counts: {error, warning, info}, findings: [{code, severity: "error"|"warning"|"info", message,
right, family, table, chain, rule, line, column, related: [{message, family, table, chain, rule, line, column}]}]}; rule (its number
in the chain, from 1), line and column are null where a finding has none. --format sarif: SARIF 2.1.0.

Examples:
  iptables-save | chainwalk lint --rules -
  chainwalk lint --rules datasets/nginx-clusterip/rules.iptables-save --json
  chainwalk lint --rules rules.iptables-save.gz --format sarif > lint.sarif`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addRulesOptions(command)
    .addOption(new Option("--format <format>", FORMATS.join(", ")).argParser(choiceWord(FORMATS)).default("text"))
    .option("--json", "the same as --format json")
    .addHelpText("after", HELP)
    .action(async (options: LintOptions) => {
      if (options.json === true && options.format === "sarif")
        throw new UsageError("--json and --format sarif are two forms: choose one");
      const format = options.json === true ? "json" : options.format;
      const { resolved, source } = await loadRules(options, io, ["undefined-chain"]);
      const findings = lint(resolved);
      if (format === "sarif") io.write(`${JSON.stringify(sarifLog(findings, source.file, version()), undefined, 1)}\n`);
      else if (format === "json") io.write(`${JSON.stringify(jsonFindings(findings, source.file), undefined, 1)}\n`);
      else io.write(drawFindings(findings, source));
      finish(findings.some(({ severity }) => severity !== "info") ? ANSWER_NO : DONE);
    });
}

/** The schema of `--json`. */
function jsonFindings(findings: readonly Finding[], file: string): object {
  return {
    file,
    counts: countFindings(findings),
    findings: findings.map(({ code, severity, message, right, place, related }) => ({
      code,
      severity,
      message,
      right,
      ...jsonPlace(place),
      related: related.map((one) => ({ message: one.message, ...jsonPlace(one) })),
    })),
  };
}

function jsonPlace({ family, table, chain, rule, span }: Place): object {
  return { family, table, chain, rule: rule ?? null, line: span?.line ?? null, column: span?.column ?? null };
}
