/** Findings of lint as text: as compilers print theirs, with the line and what would be right. */
import type { Finding, Severity } from "../../lint/types.js";
import { type ProblemSource, visible } from "../../syntax/problem.js";
import { WIDTH, wrapRule } from "./wrap.js";

/** Findings of one kind shown before the rest is only counted. */
const MOST_SHOWN = 10;

export type Counts = Readonly<Record<Severity, number>>;

export function countFindings(findings: readonly Finding[]): Counts {
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

/** The worst first; of one severity in the order of lines. */
export function drawFindings(findings: readonly Finding[], source: ProblemSource): string {
  const lines = findings.length === 0 ? [] : (source.text ?? "").split("\n");
  const byKind = new Map<string, number>();
  const shown: string[] = [];
  for (const severity of ["error", "warning", "info"] as const) {
    for (const finding of findings) {
      if (finding.severity !== severity) continue;
      const key = `${finding.code} ${severity}`;
      const count = (byKind.get(key) ?? 0) + 1;
      byKind.set(key, count);
      if (count <= MOST_SHOWN) shown.push(drawFinding(finding, source.file, lines));
    }
  }
  const left = [...byKind].filter(([, count]) => count > MOST_SHOWN);
  const more = left.map(([kind, count]) => `and ${count - MOST_SHOWN} more of ${kind}: --json shows all\n`).join("");
  return `${shown.map((text) => `${text}\n`).join("")}${more === "" ? "" : `${more}\n`}${summary(countFindings(findings), source.file)}`;
}

function drawFinding(finding: Finding, file: string, lines: readonly string[]): string {
  const { code, severity, message, right, place, related } = finding;
  const where = place.span ?? { line: 1, column: 1 };
  const line = place.span === undefined ? "" : (lines[place.span.line - 1] ?? "").trim();
  const others = related.filter((one) => one.span !== undefined).slice(0, 3);
  return [
    `${file}:${where.line}:${where.column}: ${severity}: ${message} [${code}]`,
    ...(line === "" ? [] : wrapRule(line, WIDTH - 6)).map((part, i) => `${i === 0 ? "    " : "      "}${part}`),
    ...others.map((one) => `  line ${one.span!.line}: ${one.message}`),
    `  right: ${right}`,
    "",
  ]
    .map(visible)
    .join("\n");
}

function summary({ error, warning, info }: Counts, file: string): string {
  if (error + warning + info === 0) return `${file}: nothing to say\n`;
  const part = (count: number, name: string): string => `${count} ${name}${count === 1 ? "" : "s"}`;
  return `${file}: ${part(error, "error")}, ${part(warning, "warning")}, ${info} for information\n`;
}
