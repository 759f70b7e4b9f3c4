import type { Measurement } from "../../src/report/measurement.js";
import type { NamedRecord } from "../../src/report/merge.js";

/** A whole record as if it had been measured in shards: each has some of the cases, and processes of its own. */
export function makeShards(whole: Measurement, count: number): NamedRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const mine = <T>(all: readonly T[]): T[] => all.filter((_one, at) => at % count === i);
    const shard = { index: i + 1, count, plan: "0".repeat(64) };
    const runs = [{ ...whole.runs[0]!, shard }];
    return {
      name: `shard-${i + 1}.json`,
      record: { ...whole, runs, cases: mine(whole.cases), picks: mine(whole.picks) },
    };
  });
}
