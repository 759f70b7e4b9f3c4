import type { TopLevelSpec } from "vega-lite";
import { describeRun } from "../../environment.js";
import { findCases, type Measurement } from "../../measurement.js";
import { formatFigure } from "../../table.js";
import { calibrate, type Calibration, LINEAR_ENGINES, netInterval } from "./prediction.js";

/** What stands in the legend, in the order of the colours (Okabe and Ito). Shapes tell the lines apart in a grey print. */
const lines = [
  { engine: "iptables-legacy", packet: "first-datapath", label: "first packet: iptables legacy" },
  { engine: "iptables-nft", packet: "first-datapath", label: "first packet: iptables nft" },
  { engine: "nft-maps", packet: "first-datapath", label: "first packet: nft maps" },
  { engine: "iptables-legacy", packet: "established-chains", label: "established: iptables legacy" },
  { engine: "ebpf", packet: "first", label: "eBPF: lookup and pick alone" },
] as const;
const LABELS = lines.map(({ label }) => label);
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#56b4e9", "#cc79a7"];
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
/** Points along a line, evenly spread over the logarithms: it is bent there. */
const STEPS = 60;

const FITTED = "fitted to";
const FORETOLD = "foretold, and then measured";

interface Point {
  readonly line: string;
  readonly x: number;
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  readonly kind: string;
}

type Values = Record<string, unknown>[];

/**
 * Two pictures, all axes logarithmic. Left: ns of a first packet against the rules it visits, with the line fitted at the calibrating sizes (solid
 * as far as they reach) and the sizes it foretells. Right: ns against services, uniform destinations.
 */
export function plotKernel(record: Measurement): TopLevelSpec {
  const run = new Map(describeRun(record));
  const of = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  const fits = LINEAR_ENGINES.flatMap((engine) => calibrate(record, engine) ?? []);
  const lowest = fits.toSorted((a, b) => a.line.slope - b.line.slope)[0];
  const bySize = sizePoints(record);
  const colour = {
    field: "line",
    type: "nominal" as const,
    scale: { domain: LABELS, range: COLOURS },
    legend: { title: null, orient: "right" as const, labelLimit: 300, symbolSize: 80 },
  };
  const ns = (title: string) => ({
    field: "ns",
    type: "quantitative" as const,
    title,
    scale: { type: "log" as const },
    axis: { values: POWERS, format: "~s" },
  });
  const interval = {
    mark: { type: "rule" as const, strokeWidth: 1.5 },
    encoding: { y: { field: "low", type: "quantitative" as const }, y2: { field: "high" } },
  };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    title: {
      text: "A packet to a Service in the real kernel",
      subtitle: [
        "ns net of an empty namespace (eBPF: of an empty program), medians with 95 % intervals",
        `${of("study", "seed", "rounds")}; ${run.get("cpu")}; ${run.get("kernel")}`,
        of("chainwalk"),
      ],
      anchor: "start",
      subtitlePadding: 4,
      offset: 12,
    },
    hconcat: [
      {
        width: 400,
        height: 340,
        title: { text: "First packet by rules visited: fit and foretold", fontSize: 12, fontWeight: "normal" },
        encoding: {
          x: {
            field: "x",
            type: "quantitative",
            title: "rules visited, by the emulator",
            scale: { type: "log", nice: false, padding: 12 },
            axis: { values: POWERS, format: ",d", grid: false },
          },
          color: { ...colour, legend: null },
        },
        layer: [
          {
            data: { values: fits.flatMap(linePoints) as unknown as Values },
            mark: { type: "line", strokeWidth: 1.5 },
            encoding: {
              y: ns("ns per first packet"),
              strokeDash: {
                field: "kind",
                type: "nominal",
                scale: {
                  domain: [FITTED, FORETOLD],
                  range: [
                    [1, 0],
                    [5, 4],
                  ],
                },
                legend: null,
              },
              detail: { field: "kind", type: "nominal" },
            },
          },
          {
            data: { values: fits.flatMap(fitPoints) as unknown as Values },
            layer: [
              {
                mark: { type: "point", size: 60, opacity: 1, filled: false },
                encoding: {
                  y: { field: "ns", type: "quantitative" },
                  shape: {
                    field: "kind",
                    type: "nominal",
                    scale: { domain: [FITTED, FORETOLD], range: ["circle", "triangle-up"] },
                    legend: {
                      title: null,
                      orient: "bottom",
                      columns: 2,
                      labelLimit: 300,
                      symbolSize: 80,
                      symbolStrokeColor: "#333333",
                    },
                  },
                },
              },
              interval,
            ],
          },
          {
            data: { values: fits.map((fit) => labelPoint(fit, fit === lowest)) as unknown as Values },
            mark: { type: "text", align: "right", dx: -10, fontSize: 11 },
            encoding: { y: { field: "ns", type: "quantitative" }, text: { field: "name", type: "nominal" } },
          },
        ],
      },
      {
        width: 340,
        height: 340,
        title: { text: "By number of services, uniform destinations", fontSize: 12, fontWeight: "normal" },
        data: { values: bySize as unknown as Values },
        encoding: {
          x: {
            field: "x",
            type: "quantitative",
            title: "services",
            scale: { type: "log", nice: false, padding: 16 },
            axis: { values: [...new Set(bySize.map(({ x }) => x))], format: ",d", grid: false, labelFlush: false },
          },
          color: colour,
        },
        layer: [
          { mark: { type: "line", strokeWidth: 1.5 }, encoding: { y: ns("ns per packet") } },
          {
            mark: { type: "point", filled: true, size: 45, opacity: 1 },
            encoding: {
              y: { field: "ns", type: "quantitative" },
              shape: {
                field: "line",
                type: "nominal",
                scale: { domain: LABELS, range: ["circle", "square", "diamond", "cross", "triangle-down"] },
                legend: colour.legend,
              },
            },
          },
          interval,
        ],
      },
    ],
    resolve: { scale: { shape: "independent", color: "independent", x: "independent", y: "independent" } },
    config: { legend: { labelFontSize: 11 } },
  };
}

function labelOf(engine: string): string {
  return lines.find((line) => line.engine === engine)!.label;
}

/** The line of a fit: one piece as far as the fitted points reach, one beyond. */
function linePoints({ engine, line, points, predictions }: Calibration): Point[] {
  const reach = Math.max(...points.map(({ rulesVisited }) => rulesVisited));
  const from = Math.min(...points.map(({ rulesVisited }) => rulesVisited));
  const to = Math.max(reach, ...predictions.map(({ rulesVisited }) => rulesVisited));
  const piece = (a: number, b: number, kind: string): Point[] =>
    Array.from({ length: STEPS + 1 }, (_, i) => {
      const x = a * (b / a) ** (i / STEPS);
      const ns = line.intercept + line.slope * x;
      return { line: labelOf(engine), x, ns, low: ns, high: ns, kind };
    });
  return [...piece(from, reach, FITTED), ...(to > reach ? piece(reach, to, FORETOLD) : [])];
}

/** The name of a line, at its upper end: above it, or below the lowest, where there is no other. */
function labelPoint({ engine, line, points, predictions }: Calibration, below: boolean): Point & { name: string } {
  const x = Math.max(...[...points, ...predictions].map(({ rulesVisited }) => rulesVisited));
  const ns = (line.intercept + line.slope * x) * (below ? 0.075 : 1.3);
  const name = `${engine.replace("-", " ")}: ${formatFigure(line.slope)} ns per rule`;
  return { line: labelOf(engine), x, ns, low: ns, high: ns, kind: FITTED, name };
}

function fitPoints({ engine, points, predictions }: Calibration): Point[] {
  const label = labelOf(engine);
  const point = (
    kind: string,
    x: number,
    { estimate, low, high }: { estimate: number; low: number; high: number },
  ) => ({
    line: label,
    x,
    ns: estimate,
    low,
    high,
    kind,
  });
  return [
    ...points.map(({ rulesVisited, measured }) => point(FITTED, rulesVisited, measured)),
    ...predictions.map(({ rulesVisited, measured }) => point(FORETOLD, rulesVisited, measured)),
  ];
}

function sizePoints(record: Measurement): Point[] {
  return lines.flatMap(({ engine, packet, label }) =>
    findCases(record, { harness: "kernel", engine, packet, destination: "uniform" }).flatMap((one) => {
      const net = netInterval(record, one);
      // What is no time at all has no place on a logarithmic axis.
      if (net === undefined || net.low <= 0) return [];
      return [
        { line: label, x: one.factors.services ?? 0, ns: net.estimate, low: net.low, high: net.high, kind: FITTED },
      ];
    }),
  );
}
