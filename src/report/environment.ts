import type { Measurement } from "./measurement.js";
import { formatFigure } from "./table.js";

/**
 * Where and how a record was taken, as `name: value` pairs in reading order: printed over tables, and written into files. Of a record merged of
 * several runs what is the same in all stands once, what differs is listed.
 */
export function describeRun(record: Measurement): (readonly [name: string, value: string])[] {
  const all = (describe: (run: Measurement["runs"][number]) => string): string =>
    [...new Set(record.runs.map(describe))].join("; ");
  return [
    ["study", record.study],
    ["seed", String(record.seed)],
    ["rounds", all((run) => String(run.rounds))],
    ["started", all((run) => run.started)],
    [
      "chainwalk",
      all(({ environment: { chainwalk, git } }) => (git === null ? chainwalk : `${chainwalk} (${shorten(git)})`)),
    ],
    ["node", all(({ environment }) => `${environment.node} (V8 ${environment.v8})`)],
    ["flags", all(({ environment: { nodeFlags } }) => (nodeFlags.length > 0 ? nodeFlags.join(" ") : "none"))],
    ["cpu", all(({ environment }) => `${environment.cpu}, ${environment.cpus} CPUs`)],
    ["kernel", all(({ environment }) => `${environment.platform} ${environment.kernel}`)],
    ["memory", all(({ environment }) => `${formatFigure(environment.memoryBytes / 2 ** 30)} GiB`)],
    ["timer step", all(({ environment }) => `${environment.timerResolution} ns`)],
    ["tinybench", all(({ environment }) => environment.tinybench)],
    ["benchmark.js", all(({ environment }) => environment.benchmarkJs ?? "not installed")],
    ["compiler", all(({ environment }) => environment.compiler ?? "none")],
    ["command", all(({ command }) => quoteWords(command))],
  ];
}

/** Words as a shell reads them back. */
export function quoteWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** The beginning of a commit's name, and whether files were changed. The record has all of it. */
function shorten(commit: string): string {
  return commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, "$1");
}
