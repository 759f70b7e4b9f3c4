import { type Command, Option } from "commander";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareRuns, type Comparison } from "../../report/compare/document.js";
import { drawFiles, drawOverlay, PAGE, PUBLISHED } from "../../report/files.js";
import { formatText } from "../../report/formats/text.js";
import { formatMeasurement } from "../../report/measurement.js";
import { parseCurves } from "../../report/published/curves.js";
import { compareWithPublished } from "../../report/published/document.js";
import { ANSWER_NO, DONE, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { readRecords } from "../options/records.js";
import { percentWord } from "../options/values.js";
import { findPackage } from "../package-folder.js";

interface ReportOptions {
  readonly compare?: true;
  readonly overlay?: true;
  readonly out?: string;
  readonly threshold: number;
  readonly json?: true;
}

const HELP = `
Draws every record of a directory (STUDY.json, as chainwalk bench writes it) again: tables (CSV, Markdown, LaTeX), plots (SVG) and
one page of all, ${PAGE}. The same records give the same bytes. Shards (chainwalk bench --shard 1/3, 2/3, 3/3) are merged first, from
one directory or from several, and STUDY.json is written of them; all must be there, of one seed, commit and command.

--compare tells whether times differ between two runs, BEFORE and AFTER: directories or single records. Each process's times are
taken in units of a fixed loop it timed itself, so a slower machine is no slower program. Faster or slower is said of what surely
differs by more than the threshold, with the number of cases paid for; of everything else, that one cannot tell.
Exit code: 0 nothing is slower, 1 something is, 2 bad input.

--overlay draws the shape of this run's first packets over the curves others published (datasets/published/curves.json), and tests what is
claimed of that shape: under iptables a line over the number of services, flat for maps and for established packets. The tests take the
measured points alone; nothing is fitted to a published curve. It writes ${PUBLISHED}.md, ${PUBLISHED}.html and a plot of each source.
Exit code: 0 no claim fails, 1 one does, 2 bad input. Too noisy and not tested are no failures.

JSON (--json, with --compare): [{study, cases: [{factors, unit, per, before, after, ratio: [low, estimate, high], pValue, sameWork,
outcome: "faster"|"slower"|"cannot tell"}]}]; before and after are medians, bounds of the ratio are null where nothing is known.
JSON with --overlay: {claims: [{id, says, series, outcome: "pass"|"fail"|"too noisy"|"not tested", detail}], written: [path]}; series is
null where nothing was tested. JSON of redrawing: {written: [path]}.

Examples:
  chainwalk report bench/results
  chainwalk report bench/results --out paper
  chainwalk report shards
  chainwalk report from-host-a from-host-b --out merged
  chainwalk report --overlay bench/results
  chainwalk report --compare results-before results-after
  chainwalk report --compare before/lookup.json after/lookup.json --threshold 10 --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  command
    .argument("<paths...>", "directories or records of results; with --compare two directories or records")
    .option("--compare", "tell whether the second run is slower or faster than the first")
    .addOption(
      new Option("--overlay", "draw the run over published curves, and test the claims on its shape").conflicts(
        "compare",
      ),
    )
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
      else if (options.overlay === true) finish(await overlay(paths, options, io));
      else await redraw(paths, options, io);
    });
}

async function redraw(paths: readonly string[], options: ReportOptions, io: Io): Promise<void> {
  const out = placeOf(paths, options);
  const records = await readRecords(paths, io);
  const merged = records
    .filter(({ runs }) => runs.length > 1)
    .map((record) => [`${record.study}.json`, formatMeasurement(record)] as const);
  const written = await writeAll([...merged, ...(await drawFiles(records))], out, io);
  io.write(
    options.json === true
      ? `${JSON.stringify({ written })}
`
      : sayWritten(written),
  );
}

/** The curves that come with the package. */
const CURVES = "datasets/published/curves.json";

async function overlay(paths: readonly string[], options: ReportOptions, io: Io): Promise<number> {
  const out = placeOf(paths, options);
  const records = await readRecords(paths, io);
  const bytes = await io.readFile(fileURLToPath(new URL(CURVES, findPackage().folder)));
  const published = compareWithPublished(records, parseCurves(new TextDecoder().decode(bytes)));
  const written = await writeAll(await drawOverlay(published.document, records), out, io);
  const claims = published.results.map(({ claim: { id, says }, ...rest }) => ({ id, says, ...rest }));
  if (options.json === true) io.write(`${JSON.stringify({ claims, written }, undefined, 1)}\n`);
  else io.write(`${formatText(published.document)}\n${sayWritten(written)}`);
  return claims.some(({ outcome }) => outcome === "fail") ? ANSWER_NO : DONE;
}

/** Where files go: where the user wants them, or else beside the records. */
function placeOf(paths: readonly string[], { out }: ReportOptions): string {
  const [first, more] = paths;
  if (out !== undefined) return out;
  if (more !== undefined) throw new UsageError("of several paths --out must say where the files go");
  return first!.endsWith(".json") ? join(first!, "..") : first!;
}

/** Writes files into a directory; gives their paths. */
async function writeAll(files: Iterable<readonly [string, string]>, directory: string, io: Io): Promise<string[]> {
  const written: string[] = [];
  for (const [name, text] of files) {
    await io.writeFile(join(directory, name), text);
    written.push(join(directory, name));
  }
  return written;
}

const sayWritten = (written: readonly string[]): string => `Written: ${written.join(", ")}\n`;

async function compare(paths: readonly string[], options: ReportOptions, io: Io): Promise<number> {
  const [before, after, more] = paths;
  if (before === undefined || after === undefined || more !== undefined)
    throw new UsageError("--compare takes two paths: the run before and the run after");
  const comparisons = compareRuns(await readRecords([before], io), await readRecords([after], io), options.threshold);
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
