import type { TopLevelSpec } from "vega-lite";
import type { BenchCase, Measurement } from "../measurement.js";
import { basePlot, COLOURS, DASHES, legendBelow } from "./style.js";

/** Steps of a line that stands for many samples. */
const STEPS = 200;

/**
 * How the cost is distributed: the share of operations that took at most so long. Operations that were timed alone are drawn as such, the others by the
 * means of their batches, which have no tail of single ones; the label says which.
 */
export function costPlot(
  record: Measurement,
  cases: readonly { readonly label: string; readonly one: BenchCase }[],
  options: { readonly title: string; readonly subtitle: string },
): TopLevelSpec | undefined {
  if (cases.length === 0) return undefined;
  const lines = cases.map(({ label, one }) => {
    const alone = shareOfSingles(one);
    return alone === undefined
      ? { label: `${label}: means of ${one.batch}`, points: shareOfMeans(one) }
      : { label: `${label}: one by one`, points: alone };
  });
  const values = lines.flatMap(({ label, points }) => points.map(([ns, share]) => ({ line: label, ns, share })));
  const labels = lines.map(({ label }) => label);
  const legend = { ...legendBelow(labels), symbolType: "stroke" };
  const by = (range: readonly unknown[]) =>
    ({ field: "line", type: "nominal", scale: { domain: labels, range: [...range] as string[] }, legend }) as const;
  return {
    ...basePlot(record, options.title, options.subtitle),
    data: { values },
    mark: { type: "line", interpolate: "step-after", strokeWidth: 1.8 },
    encoding: {
      x: {
        field: "ns",
        type: "quantitative",
        title: "ns per packet",
        scale: { type: "log", nice: true },
        axis: { format: "~s", grid: true, tickCount: 8 },
      },
      y: { field: "share", type: "quantitative", title: "share that took at most so long", axis: { format: ".0%" } },
      color: by(COLOURS),
      strokeDash: by(DASHES),
    },
  };
}

/** Points of the cumulative distribution, from 0 to 1. */
function shareOfSingles({ rounds }: BenchCase): [ns: number, share: number][] | undefined {
  const counts = new Map<number, number>();
  let growth = 1;
  for (const { singles } of rounds) {
    growth = singles?.growth ?? growth;
    for (const [bound, count] of singles?.buckets ?? []) counts.set(bound, (counts.get(bound) ?? 0) + count);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const sorted = [...counts].sort(([a], [b]) => a - b);
  let below = 0;
  return [
    [sorted[0]![0], 0],
    ...sorted.map(([bound, count]): [number, number] => [bound * growth, (below += count) / total]),
  ];
}

function shareOfMeans({ rounds }: BenchCase): [ns: number, share: number][] {
  const sorted = rounds.flatMap(({ samples }) => samples).sort((a, b) => a - b);
  const steps = Math.min(STEPS, sorted.length);
  return Array.from({ length: steps + 1 }, (_, i) => {
    const at = Math.min(sorted.length - 1, Math.floor((i * sorted.length) / steps));
    return [sorted[at]!, i / steps];
  });
}
