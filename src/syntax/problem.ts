import type { Problem } from "../ruleset/problem.js";

/** Characters of a line shown on each side of the caret. */
const CONTEXT = 60;

/** The input a problem belongs to: its name as the user gave it, and its text where that is known. */
export interface ProblemSource {
  readonly file: string;
  readonly text?: string;
}

/**
 * `file:line:column: message`, then the line and a caret under the place. A warning says so before its message; a long line
 * is cut around the caret. The result has no line end. Columns count UTF-16 units from 1.
 */
export function formatProblem(problem: Problem, source: ProblemSource): string {
  const message = problem.severity === "warning" ? `warning: ${problem.message}` : problem.message;
  if (problem.span === undefined) return `${source.file}: ${message}`;
  const { line, column } = problem.span;
  const head = `${source.file}:${line}:${column}: ${message}`;
  const shown = source.text === undefined ? undefined : lineOf(source.text, line);
  return shown === undefined ? head : `${head}\n${caretLines(shown, column)}`;
}

function lineOf(text: string, line: number): string | undefined {
  let from = 0;
  for (let i = 1; i < line; i++) {
    const end = text.indexOf("\n", from);
    if (end < 0) return undefined;
    from = end + 1;
  }
  const end = text.indexOf("\n", from);
  return text.slice(from, end < 0 ? undefined : end).replace(/\r$/, "");
}

function caretLines(line: string, column: number): string {
  const at = Math.min(column - 1, line.length);
  const from = at > CONTEXT + 3 ? at - CONTEXT : 0;
  const to = line.length - at > CONTEXT + 3 ? at + CONTEXT : line.length;
  const before = (from > 0 ? "..." : "") + visible(line.slice(from, at));
  const after = visible(line.slice(at, to)) + (to < line.length ? "..." : "");
  return `${before}${after}\n${before.replace(/[^\t]/g, " ")}^`;
}

/** Text of the input as it may be shown: tabs stay (they are repeated before a caret); other control characters would move the cursor. */
export function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, "\ufffd");
}
