import { median } from "../stats/summary.js";
import type { BenchCase, Measurement } from "./measurement.js";

/** Medians of the yardstick may differ by this factor from process to process. */
export const YARDSTICK_SPREAD = 1.3;
/** A time from processes that got less than this share of a CPU says more about the machine than about the program. */
export const LEAST_CPU_SHARE = 0.9;

/** Why no time of this run can be trusted; undefined: nothing speaks against it. */
export function findNoise(record: Measurement): string | undefined {
  return findStrangers(record) ?? findUnsteady(record) ?? findBusy(record.cases);
}

/** Shards came from machines of different kinds: a ratio between them is one of machines. */
export function findStrangers({ runs }: Pick<Measurement, "runs">): string | undefined {
  const machines = new Set(runs.map(({ environment: { cpu, node } }) => `${cpu}, Node ${node}`));
  return machines.size > 1 ? `its shards were measured on ${[...machines].join(" and on ")}` : undefined;
}

/** The machine was at times slower than at others: the yardstick, which is always the same work, shows it. */
export function findUnsteady({ processes }: Pick<Measurement, "processes">): string | undefined {
  const medians = processes.filter(({ yardstick }) => yardstick.length > 0).map(({ yardstick }) => median(yardstick));
  if (medians.length === 0) return undefined;
  const spread = Math.max(...medians) / Math.min(...medians);
  return spread > YARDSTICK_SPREAD
    ? `the same fixed loop differed by a factor of ${spread.toFixed(2)} between processes`
    : undefined;
}

/** Processes had to share a CPU. */
export function findBusy(cases: readonly BenchCase[]): string | undefined {
  const shares = cases.map(({ rounds }) => median(rounds.map(({ cpuShare }) => cpuShare)));
  const least = Math.min(...shares);
  return least < LEAST_CPU_SHARE ? `a process had ${Math.round(least * 100)} % of a CPU` : undefined;
}
