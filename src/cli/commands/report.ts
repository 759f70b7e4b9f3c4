import { type Command, Option } from "commander";
import { join } from "node:path";
import { compareRuns, type Comparison } from "../../report/compare/document.js";
import { drawFiles, PAGE } from "../../report/files.js";
import { formatText } from "../../report/formats/text.js";
import { ANSWER_NO, DONE, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { readRecords } from "../options/records.js";
import { percentWord } from "../options/values.js";

interface ReportOptions {
  readonly compare?: true;
  readonly out?: string;
  readonly threshold: number;
  readonly json?: true;
}

const HELP = `
Draws every record of a directory (STUDY.json, as chainwalk bench writes it) again: tables (CSV, Markdown, LaTeX), plots (SVG) and
one page of all, ${PAGE}. The same records give the same bytes.

--compare tells whether times differ between two runs, BEFORE and AFTER: directories or single records. Each process's times are
taken in units of a fixed loop it timed itself, so a slower machine is no slower program. Faster or slower is said of what surely
differs by more than the threshold, with the number of cases paid for; of everything else, that one cannot tell.
Exit code: 0 nothing is slower, 1 something is, 2 bad input.

JSON (--json, with --compare): [{study, cases: [{factors, unit, per, before, after, ratio: [low, estimate, high], pValue, sameWork,
outcome: "faster"|"slower"|"cannot tell"}]}]; before and after are medians, bounds of the ratio are null where nothing is known.
JSON without --compare: {written: [path]}.

Examples:
  chainwalk report bench/results
  chainwalk report bench/results --out paper
  chainwalk report --compare results-before results-after
  chainwalk report --compare before/lookup.json after/lookup.json --threshold 10 --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  command
    .argument("<paths...>", "the directory of the results; with --compare two directories or records")
    .option("--compare", "tell whether the second run is slower or faster than the first")
    .option("--out <dir>", "where the files go (default: the directory itself)")
    .addOption(
      new Option("--threshold <percent>", "smallest difference worth telling")
        .argParser(percentWord)
        .default(0.05, "5"),
    )
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (paths: readonly string[], options: ReportOptions) => {
      if (options.compare === true) finish(await compare(paths, options, io));
      else await redraw(paths, options, io);
    });
}

async function redraw(paths: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const [directory, more] = paths;
  if (directory === undefined || more !== undefined)
    throw new UsageError("one directory is drawn at a time; --compare takes two");
  const out = options.out ?? (directory.endsWith(".json") ? join(directory, "..") : directory);
  const written: string[] = [];
  for (const [name, text] of await drawFiles(await readRecords(directory, io))) {
    await io.writeFile(join(out, name), text);
    written.push(join(out, name));
  }
  io.write(options.json === true ? `${JSON.stringify({ written })}\n` : `Written: ${written.join(", ")}\n`);
}

async function compare(paths: readonly string[], options: ReportOptions, io: Io): Promise<number> {
  const [before, after, more] = paths;
  if (before === undefined || after === undefined || more !== undefined)
    throw new UsageError("--compare takes two paths: the run before and the run after");
  const comparisons = compareRuns(await readRecords(before, io), await readRecords(after, io), options.threshold);
  if (comparisons.length === 0) throw new UsageError(`${before} and ${after} have no study in common`);
  if (options.json === true) io.write(`${JSON.stringify(comparisons.map(jsonComparison), undefined, 1)}\n`);
  else io.write(`${comparisons.map(({ document }) => formatText(document)).join("\n")}\n`);
  const slower = comparisons.some(({ judged }) => judged.some(({ outcome }) => outcome === "slower"));
  return slower ? ANSWER_NO : DONE;
}

/** The schema of `--json`. */
function jsonComparison({ study, judged }: Comparison): object {
  return {
    study,
    cases: judged.map(({ contrast, ratio, pValue, outcome }) => ({
      factors: contrast.factors,
      unit: contrast.unit,
      per: contrast.per,
      before: contrast.medians[0],
      after: contrast.medians[1],
      ratio: ratio.high === Infinity ? [null, ratio.estimate, null] : [ratio.low, ratio.estimate, ratio.high],
      pValue,
      sameWork: contrast.sameWork,
      outcome,
    })),
  };
}
