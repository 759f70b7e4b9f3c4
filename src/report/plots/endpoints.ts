import type { TopLevelSpec } from "vega-lite";
import type { Measurement, Picks } from "../measurement.js";
import { basePlot, COLOURS } from "./style.js";

/** Picks of each endpoint as bars, each with a line where the rules expect it. One row for each engine. */
export function endpointPlot(
  record: Measurement,
  all: readonly Picks[],
  options: { readonly title: string; readonly subtitle: string },
): TopLevelSpec | undefined {
  if (all.length === 0) return undefined;
  const values = all.flatMap(({ factors, observed, expected }) => {
    const total = observed.reduce((sum, count) => sum + count, 0);
    return observed.map((count, i) => ({
      engine: factors.engine,
      endpoint: i + 1,
      observed: count / total,
      expected: expected[i]!,
    }));
  });
  const { width, height: _, ...base } = basePlot(record, options.title, options.subtitle);
  const endpoints = Math.max(...all.map(({ observed }) => observed.length));
  const ticks = Array.from({ length: endpoints }, (_, i) => i + 1).filter(
    (i) => endpoints <= 20 || i === 1 || i % 5 === 0,
  );
  const x = { field: "endpoint", type: "ordinal", title: "endpoint, in the order of the rules" } as const;
  return {
    ...base,
    data: { values },
    facet: {
      row: {
        field: "engine",
        type: "nominal",
        title: null,
        header: { labelOrient: "top", labelAnchor: "start", labelFontWeight: "bold" },
      },
    },
    spec: {
      width,
      height: 110,
      encoding: { x: { ...x, axis: { values: ticks, labelAngle: 0 } } },
      layer: [
        {
          mark: { type: "bar", color: COLOURS[3] as string },
          encoding: {
            y: { field: "observed", type: "quantitative", title: "share of picks", axis: { format: ".0%" } },
          },
        },
        {
          mark: { type: "tick", color: "black", thickness: 2, width: { band: 0.95 } },
          encoding: { y: { field: "expected", type: "quantitative" } },
        },
      ],
    },
  } as TopLevelSpec;
}
