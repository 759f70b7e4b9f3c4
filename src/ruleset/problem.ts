import type { Span } from "./types.js";

/** Something wrong with the input, at a place of it. An error stops a command; a warning is only said. */
export interface Problem {
  /** Stable, kebab-case: `undefined-chain`, `bad-address`. */
  readonly code: string;
  readonly severity: "error" | "warning";
  /** What is wrong, and what would be right. */
  readonly message: string;
  readonly span?: Span;
}

/** Thrown where a problem ends the work at once; a command prints it and exits with 2. */
export class ProblemError extends Error {
  readonly problems: readonly Problem[];

  constructor(...problems: readonly Problem[]) {
    super(problems.map((problem) => problem.message).join("; "));
    this.name = "ProblemError";
    this.problems = problems;
  }
}

export function error(code: string, message: string, span?: Span): Problem {
  return { code, severity: "error", message, ...(span ? { span } : {}) };
}

export function warning(code: string, message: string, span?: Span): Problem {
  return { code, severity: "warning", message, ...(span ? { span } : {}) };
}
