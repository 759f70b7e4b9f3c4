/** How a command fails, and what is said of it: no stack traces for bad use and bad input. */
import { type Problem, ProblemError } from "../ruleset/problem.js";
import { formatProblem, type ProblemSource } from "../syntax/problem.js";

/** Exit codes. */
export const DONE = 0;
/** The command was carried out, and its answer is "no". */
export const ANSWER_NO = 1;
/** Bad use or bad input. */
export const BAD = 2;

/** Errors shown before the rest is only counted. */
const MOST_SHOWN = 20;

/** Bad use: wrong options, or options that do not go together. */
export class UsageError extends Error {}

/** Bad input: problems of one file. */
export class InputError extends Error {
  constructor(
    readonly source: ProblemSource,
    readonly problems: readonly Problem[],
  ) {
    super(problems.map((problem) => problem.message).join("; "));
  }
}

/** Runs what works on one input; a ProblemError of it becomes the InputError of that input. */
export function blaming<T>(source: ProblemSource, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw new InputError(source, thrown.problems);
    throw thrown;
  }
}

/**
 * Problems of one input as text: `file:line:column: message`, the line, a caret. What concerns the whole file stands at 1:1,
 * without a line shown. The same message again is only counted.
 */
export function describeProblems(problems: readonly Problem[], source: ProblemSource): string {
  const kinds = new Map<string, { first: Problem; count: number }>();
  for (const problem of problems) {
    const key = `${problem.severity} ${problem.message}`;
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, { first: problem, count: 1 });
    else known.count++;
  }
  const shown = [...kinds.values()].slice(0, MOST_SHOWN).map(({ first, count }) => {
    const again = count > 1 ? ` (and ${count - 1} more line${count > 2 ? "s" : ""})` : "";
    const problem = { ...first, message: first.message + again };
    return problem.span === undefined
      ? formatProblem({ ...problem, span: { line: 1, column: 1 } }, { file: source.file })
      : formatProblem(problem, source);
  });
  const left = kinds.size - shown.length;
  return [...shown, ...(left > 0 ? [`${source.file}:1:1: and ${left} more problems`] : [])]
    .map((text) => `${text}\n`)
    .join("");
}
