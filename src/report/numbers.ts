import type { BenchCase } from "./measurement.js";
import { type Interval, ratioInterval, summarizeRounds } from "./rounds.js";
import { formatFigure } from "./table.js";

/** `14.2 ±0.31`: median and median absolute deviation, divided by `unit`; `-` where it was not measured. */
export function formatTime(one: BenchCase | undefined, unit = 1): string {
  if (one === undefined) return "-";
  const { median, mad } = summarizeRounds(one.rounds);
  return `${formatFigure(median / unit)} ±${formatFigure(mad / unit)}`;
}

/** `1.31 [1.24, 1.40]`. */
export function formatRatio({ estimate, low, high }: Interval): string {
  return `${formatFigure(estimate)} [${formatFigure(low)}, ${formatFigure(high)}]`;
}

/** The ratio of two cases with its interval; `-` where one was not measured. */
export function formatCaseRatio(over: BenchCase | undefined, under: BenchCase | undefined): string {
  return over === undefined || under === undefined ? "-" : formatRatio(ratioInterval(over.rounds, under.rounds));
}
