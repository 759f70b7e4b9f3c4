import { describeRun } from "../environment.js";
import { type BenchCase, EXACT_NAMES, FACTOR_NAMES, type Measurement } from "../measurement.js";
import { median } from "../../stats/summary.js";
import { escapeCsv } from "./escape.js";
import { countOutliers, medianInterval, summarizeRounds } from "../rounds.js";

/** What is computed from the samples of a case, in its unit per operation where it is no count. */
const summaries: Readonly<Record<string, (one: BenchCase) => string | number>> = {
  unit: ({ unit }) => unit,
  per: ({ per }) => per,
  batch: ({ batch }) => batch,
  processes: ({ rounds }) => rounds.length,
  samples: ({ rounds }) => summarizeRounds(rounds).samples,
  median: ({ rounds }) => round(summarizeRounds(rounds).median),
  median_low: ({ rounds }) => round(medianInterval(rounds).low),
  median_high: ({ rounds }) => round(medianInterval(rounds).high),
  mad: ({ rounds }) => round(summarizeRounds(rounds).mad),
  q1: ({ rounds }) => round(summarizeRounds(rounds).quartiles[0]),
  q3: ({ rounds }) => round(summarizeRounds(rounds).quartiles[1]),
  p99_of_batch_means: ({ rounds }) => round(summarizeRounds(rounds).p99OfBatchMeans),
  outliers: ({ rounds }) => countOutliers(rounds),
  collections: ({ rounds }) => rounds.reduce((sum, { collections }) => sum + collections, 0),
  cpu_share: ({ rounds }) => round(median(rounds.map(({ cpuShare }) => cpuShare))),
};

/**
 * One line a case (RFC 4180, lines end in CRLF): its factors and exact columns as far as the record has any, then summaries of its samples. What
 * says nothing is left empty; an apostrophe stands before text that a spreadsheet would run. The run stands in the last columns of every line.
 */
export function formatCsv(record: Measurement): string {
  const run = describeRun(record);
  const factors = FACTOR_NAMES.filter((name) => record.cases.some((one) => one.factors[name] !== undefined));
  const exact = EXACT_NAMES.filter((name) => record.cases.some((one) => one.exact[name] !== undefined));
  const lines = record.cases.map((one) => [
    ...factors.map((name) => one.factors[name] ?? ""),
    ...exact.map((name) => one.exact[name] ?? ""),
    ...Object.values(summaries).map((summarize) => summarize(one)),
    ...run.map(([, value]) => value),
  ]);
  const titles = [...factors, ...exact].map(snakeCase);
  const head = [...titles, ...Object.keys(summaries), ...run.map(([name]) => name)];
  return [head, ...lines].map((fields) => `${fields.map((field) => escapeCsv(String(field))).join(",")}\r\n`).join("");
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
