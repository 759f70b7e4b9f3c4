import type { TopLevelSpec } from "vega-lite";
import type { MeasuredSeries } from "./claims.js";
import type { PublishedSource } from "./curves.js";
import { costOf, nameOf, seriesOverServices } from "./series.js";

/** Okabe and Ito, and three more: told apart by readers who are colour-blind. */
const COLOURS = "#0072b2 #d55e00 #009e73 #56b4e9 #cc79a7 #e69f00 #000000 #777777 #882255 #117733 #332288".split(" ");
/** One a line, as long as there are as many: they and the dashes tell lines apart in a grey print. */
const SHAPES = [
  ..."circle square triangle-up cross diamond triangle-right triangle-down triangle-left".split(" "),
  "M-.8,-.9L.8,-.9L-.8,.9L.8,.9Z", // an hourglass
  "M0,-1L.27,-.37L.95,-.31L.43,.14L.59,.81L0,.45L-.59,.81L-.43,.14L-.95,-.31L-.27,-.37Z", // a star
  "M-.9,-.5L-.5,-.9L0,-.4L.5,-.9L.9,-.5L.4,0L.9,.5L.5,.9L0,.4L-.5,.9L-.9,.5L-.4,0Z", // a saltire
];

interface OverlayPoint {
  readonly line: string;
  readonly from: "published" | "this run";
  readonly services: number;
  readonly relative: number;
}

/**
 * Published series and the first packets of this run, each as a multiple of its own cost at its smallest number of services: units and machines differ, the shape is what can agree.
 */
export function plotOverlay(source: PublishedSource, measured: readonly MeasuredSeries[]): TopLevelSpec {
  const published = seriesOverServices(source).map((one) => ({
    line: `published: ${nameOf(one)}`,
    from: "published" as const,
    points: one.services
      .map((services, i) => ({ services, value: costOf(source, one.values)[i]! }))
      .filter(({ services }) => services > 0),
  }));
  const own = measured
    .filter((one) => one.packet === "first" && one.points.length > 1)
    .map((one) => ({ line: `this run: ${one.name}`, from: "this run" as const, points: one.points }));
  const values = [...published, ...own].flatMap(({ line, from, points }): OverlayPoint[] => {
    const base = points[0];
    return base === undefined
      ? []
      : points.map(({ services, value }) => ({ line, from, services, relative: value / base.value }));
  });
  const labels = [...new Set(values.map((point) => point.line))];
  const legend = { title: null, orient: "bottom" as const, columns: 2, labelLimit: 0, symbolSize: 80 };
  const domain = { domain: labels };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    width: 640,
    height: 360,
    title: {
      text: source.title,
      subtitle: [
        `${source.what} (${source.unit}${source.better === "higher" ? ", drawn as its inverse" : ""}), ${source.reading.how}`,
        "each series as a multiple of its own value at its smallest number of services",
      ],
      anchor: "start",
      subtitlePadding: 4,
      offset: 12,
    },
    data: { values: values as unknown as Record<string, unknown>[] },
    encoding: {
      x: {
        field: "services",
        type: "quantitative",
        title: "services in the rule set",
        scale: { type: "log", nice: false, padding: 16 },
        axis: {
          format: ",d",
          grid: false,
          labelFlush: false,
          values: [1, 10, 100, 1000, 3000, 10_000, 30_000, 100_000],
        },
      },
      y: {
        field: "relative",
        type: "quantitative",
        title: "cost, as a multiple",
        scale: { type: "log", nice: false, padding: 16 },
        axis: { format: "~g", values: [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      },
      color: { field: "line", type: "nominal", scale: { ...domain, range: COLOURS }, legend },
      shape: { field: "line", type: "nominal", scale: { ...domain, range: SHAPES }, legend },
      strokeDash: {
        field: "from",
        type: "nominal",
        scale: {
          domain: ["published", "this run"],
          range: [
            [6, 4],
            [1, 0],
          ],
        },
        legend: null,
      },
    },
    layer: [
      { mark: { type: "line", strokeWidth: 1.5 } },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 } },
    ],
  };
}
