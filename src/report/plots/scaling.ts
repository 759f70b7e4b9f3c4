import type { TopLevelSpec } from "vega-lite";
import type { BenchCase, Measurement } from "../measurement.js";
import { medianInterval } from "../rounds.js";
import { basePlot, COLOURS, DASHES, legendBelow, SHAPES } from "./style.js";

/** A line of a plot: the cases on it, with their places on the horizontal axis. */
export interface Line {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly one: BenchCase }[];
}

export interface ScalingOptions {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  /** Nanoseconds or bytes of one unit of the vertical axis; default 1. */
  readonly unit?: number;
  /** Both axes are logarithmic unless one is said to be linear. */
  readonly linear?: boolean;
}

/** Times by size: medians, with a band for their 95 % intervals. Undefined where there is nothing to draw. */
export function scalingPlot(
  record: Measurement,
  lines: readonly Line[],
  options: ScalingOptions,
): TopLevelSpec | undefined {
  const { unit = 1, linear = false } = options;
  const values = lines.flatMap(({ label, points }) =>
    points.map(({ x, one }) => {
      const { estimate, low, high } = medianInterval(one.rounds);
      return { line: label, x, y: estimate / unit, low: low / unit, high: high / unit };
    }),
  );
  if (values.length === 0) return undefined;
  const labels = lines.filter(({ points }) => points.length > 0).map(({ label }) => label);
  const places = [...new Set(values.map(({ x }) => x))].sort((a, b) => a - b);
  const legend = legendBelow(labels);
  const by = (range: readonly unknown[]) =>
    ({ field: "line", type: "nominal", scale: { domain: labels, range: [...range] as string[] }, legend }) as const;
  const scale = linear ? { zero: true, nice: true } : { type: "log" as const, nice: false, padding: 16 };
  const y = (field: string) => ({ field, type: "quantitative" }) as const;
  return {
    ...basePlot(record, options.title, options.subtitle),
    data: { values },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        title: options.x,
        scale,
        axis: linear
          ? { format: ",d", grid: false, tickCount: 10, labelFlush: false }
          : { values: thinOut(places), format: ",~r", grid: false, labelFlush: false },
      },
      color: by(COLOURS),
    },
    layer: [
      {
        mark: { type: "area", opacity: 0.18 },
        encoding: {
          y: { ...y("low"), title: options.y, scale: yScale(linear), axis: yAxis(linear) },
          y2: { field: "high" },
        },
      },
      { mark: { type: "line", strokeWidth: 1.5 }, encoding: { y: y("y"), strokeDash: by(DASHES) } },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { y: y("y"), shape: by(SHAPES) } },
      { mark: { type: "rule", strokeWidth: 1.5 }, encoding: { y: y("low"), y2: { field: "high" } } },
    ],
  };
}

const POWERS = Array.from({ length: 16 }, (_, i) => 10 ** (i - 4));

function yScale(linear: boolean) {
  return linear ? { zero: true, nice: true } : { type: "log" as const };
}

function yAxis(linear: boolean) {
  return linear ? { format: ",~r" } : { values: POWERS, format: ",~r" };
}

/** Labels that would touch each other on a logarithmic axis are left out. */
function thinOut(places: readonly number[]): number[] {
  const span = Math.log(places.at(-1)! / places[0]!) || 1;
  const kept: number[] = [];
  for (const place of places) {
    const last = kept.at(-1);
    if (last === undefined || Math.log(place / last) / span > 0.075) kept.push(place);
  }
  return kept;
}
