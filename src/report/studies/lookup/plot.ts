import type { TopLevelSpec } from "vega-lite";
import { describeRun } from "../../environment.js";
import { findCases, type Measurement } from "../../measurement.js";
import { medianInterval } from "../../rounds.js";

/** What stands in the legend, in the order of the colours. Shapes tell the lines apart in a grey print. */
const lines = [
  { engine: "linear", packet: "first", label: "first packet: linear (column scan)" },
  { engine: "string-map", packet: "first", label: "first packet: Map keyed by string" },
  { engine: "indexed", packet: "first", label: "first packet: indexed" },
  { engine: "linear", packet: "established-chains", label: "established: entry, linear filter chains" },
  { engine: "indexed", packet: "established-chains", label: "established: entry, indexed filter chains" },
  { engine: "indexed", packet: "established-fast-path", label: "established: fast path" },
] as const;

const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
/** Okabe and Ito: told apart by readers who are colour-blind. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#000000"];

interface PlotPoint {
  readonly line: string;
  readonly services: number;
  readonly ns: number;
  readonly low: number;
  readonly high: number;
}

/** The specification of the plot: ns per packet against services, both axes logarithmic, bars for the 95 % intervals of the medians. */
export function plotLookup(record: Measurement): TopLevelSpec {
  const values = lines.flatMap(({ engine, packet, label }) => plotPoints(record, engine, packet, label));
  const labels = lines.map(({ label }) => label).filter((label) => values.some((point) => point.line === label));
  const run = new Map(describeRun(record));
  const of = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  const services = {
    field: "services",
    type: "quantitative" as const,
    title: "services in the rule set",
    scale: { type: "log" as const, nice: false, padding: 16 },
    axis: { values: [...new Set(values.map((point) => point.services))], format: ",d", grid: false, labelFlush: false },
  };
  const legend = { title: null, orient: "bottom" as const, columns: 2, labelLimit: 400, symbolSize: 80 };
  const line = { field: "line", type: "nominal" as const, scale: { domain: labels, range: COLOURS } };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    width: 640,
    height: 400,
    title: {
      text: "Cost of a packet to a Service",
      subtitle: [
        "medians with 95 % intervals, uniform destinations",
        `${of("study", "seed", "rounds", "chainwalk", "node")}`,
        `${of("flags")}; ${run.get("cpu")}; ${run.get("kernel")}`,
      ],
      anchor: "start",
      subtitlePadding: 4,
      offset: 12,
    },
    data: { values: values as unknown as Record<string, unknown>[] },
    encoding: { x: services, color: { ...line, legend } },
    layer: [
      {
        mark: { type: "line", strokeWidth: 1.5 },
        encoding: {
          y: {
            field: "ns",
            type: "quantitative",
            title: "ns per packet",
            scale: { type: "log" },
            axis: { values: POWERS, format: "~s" },
          },
        },
      },
      {
        mark: { type: "point", filled: true, size: 45, opacity: 1 },
        encoding: {
          y: { field: "ns", type: "quantitative" },
          shape: { field: "line", type: "nominal", scale: { domain: labels }, legend },
        },
      },
      {
        mark: { type: "rule", strokeWidth: 1.5 },
        encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
      },
    ],
  };
}

function plotPoints(
  record: Measurement,
  engine: string,
  packet: (typeof lines)[number]["packet"],
  line: string,
): PlotPoint[] {
  const found = findCases(record, { engine, packet, harness: "tinybench", destination: "uniform", ruleSets: 1 });
  const flows = Math.min(...found.map(({ factors }) => factors.flows ?? 0));
  return found
    .filter(({ factors }) => (factors.flows ?? 0) === flows)
    .map(({ factors, rounds }) => {
      const { estimate, low, high } = medianInterval(rounds);
      return { line, services: factors.services ?? 0, ns: estimate, low, high };
    });
}
