import { describeRun } from "./environment.js";
import type { Measurement } from "./measurement.js";
import { median } from "../stats/summary.js";
import { medianInterval, summarizeRounds } from "./rounds.js";

/** Columns of a case in the CSV file; those of the run (see `describeRun`) follow them. */
const caseColumns = [
  "engine",
  "harness",
  "packet",
  "destination",
  "services",
  "endpoints",
  "rule_sets",
  "flows",
  "packets_per_sample",
  "processes",
  "samples",
  "median_ns",
  "median_low_ns",
  "median_high_ns",
  "mad_ns",
  "q1_ns",
  "q3_ns",
  "p99_of_batch_means_ns",
  "rules_visited",
  "chains_entered",
  "draws",
  "map_lookups",
  "checksum",
  "collections",
  "cpu_share",
] as const;

/** One line a case (RFC 4180, lines end in CRLF); what says nothing is left empty. The run stands in the last columns of every line. */
export function formatCsv(record: Measurement): string {
  const run = describeRun(record);
  const lines = record.cases.map((one) => {
    const summary = summarizeRounds(one.rounds);
    const interval = medianInterval(one.rounds);
    return [
      one.engine,
      one.harness,
      one.packet,
      one.destination,
      one.services,
      one.endpoints,
      one.ruleSets,
      one.flows,
      one.packetsPerSample,
      one.rounds.length,
      summary.samples,
      round(summary.median),
      round(interval.low),
      round(interval.high),
      round(summary.mad),
      round(summary.quartiles[0]),
      round(summary.quartiles[1]),
      round(summary.p99OfBatchMeans),
      one.work?.rulesVisited ?? "",
      one.work?.chainsEntered ?? "",
      one.work?.draws ?? "",
      one.work?.mapLookups ?? "",
      one.checksum ?? "",
      one.rounds.reduce((sum, { collections }) => sum + collections, 0),
      round(median(one.rounds.map(({ cpuShare }) => cpuShare))),
      ...run.map(([, value]) => value),
    ];
  });
  const titles = [...caseColumns, ...run.map(([name]) => name)];
  return [titles, ...lines].map((fields) => `${fields.map((field) => quote(String(field))).join(",")}\r\n`).join("");
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
