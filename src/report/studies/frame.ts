/** What the reports of all studies have in common: the head, how it was measured, and what was left out. */
import type { Document, Figure, Section } from "../document.js";
import { describeRun } from "../environment.js";
import type { BenchCase, Measurement } from "../measurement.js";
import { findNoise } from "../noise.js";
import { countOutliers } from "../rounds.js";
import { formatCount } from "../table.js";

/** A report with the usual head and end around what is the study's own. */
export function frame(
  record: Measurement,
  sections: readonly (Section | undefined)[],
  figures: readonly Figure[],
  remarks: readonly string[] = [],
): Document {
  return {
    study: record.study,
    title: describeStudy(record),
    remarks: [describeMachine(record), "Median ± median absolute deviation.", ...remarks],
    sections: [...sections.filter((section) => section !== undefined), describeMethod(record), ...notes(record)],
    figures,
  };
}

/** `chainwalk bench, study lookup: seed 1, rounds 3 of processes, 151 s`. */
export function describeStudy(record: Measurement): string {
  const run = new Map(describeRun(record));
  const seconds = record.runs.reduce((sum, run) => sum + run.seconds, 0);
  return `chainwalk bench, study ${record.study}: seed ${record.seed}, rounds ${run.get("rounds")} of processes, ${Math.round(seconds)} s`;
}

export function describeMachine(record: Measurement): string {
  const run = new Map(describeRun(record));
  const values = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  return `${values("chainwalk", "node")}; ${run.get("cpu")}; ${run.get("kernel")}; flags ${run.get("flags")}`;
}

/** How the samples were taken, what is odd about them, and whether the machine was quiet enough to conclude anything. */
export function describeMethod(record: Measurement): Section {
  const rounds = record.cases.flatMap((one) => one.rounds);
  const sum = (count: (round: (typeof rounds)[number]) => number) =>
    rounds.reduce((all, round) => all + count(round), 0);
  const samples = sum((round) => round.samples.length);
  const warmed = rounds.filter((round) => round.warmUp !== undefined);
  const settled = warmed.filter((round) => round.warmUp?.settled).length;
  const noise = findNoise(record);
  return {
    title: "Method",
    paragraphs: [
      `${formatCount(samples)} samples of ${formatCount(record.cases.length)} cases in ${formatCount(record.processes.length)} processes; ` +
        `${formatCount(countOutliers(rounds))} outliers (more than three quartile ranges from the quartiles) are kept; ` +
        `${formatCount(sum((round) => round.collections))} garbage collections; ` +
        `times had settled before measuring in ${formatCount(settled)} of ${formatCount(warmed.length)} warm-ups.`,
      describeTails(record.cases),
      noise === undefined
        ? "Nothing speaks against the machine having been quiet."
        : `This run is too noisy to conclude from: ${noise}.`,
    ],
  };
}

function describeTails(cases: readonly BenchCase[]): string {
  const timed = cases.filter(({ unit }) => unit === "ns");
  const single = timed.filter(({ rounds }) => rounds.some(({ singles }) => singles !== undefined));
  if (single.length === 0)
    return "A sample is the mean over one batch; no operation took long enough to be timed alone, so no tail was measured.";
  return (
    `A sample is the mean over one batch. Operations of more than 2 us were timed alone too (${formatCount(single.length)} of ` +
    `${formatCount(timed.length)} cases); for the others no tail was measured.`
  );
}

function notes(record: Measurement): Section[] {
  return record.notes.length === 0 ? [] : [{ title: "", paragraphs: record.notes.map((note) => `Note: ${note}`) }];
}
