/** The look of all plots: readable in colour, by the colour-blind, and printed in grey. */
import type { TopLevelSpec } from "vega-lite";
import { describeRun } from "../environment.js";
import type { Measurement } from "../measurement.js";

/** Okabe and Ito: told apart by readers who are colour-blind. */
export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#000000", "#e69f00", "#7f7f7f"];
/** One for each colour, so that lines are told apart without it. */
export const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 2, 2, 2],
  [10, 4],
  [4, 1],
  [1, 3],
  [12, 2, 2, 2, 2, 2],
];
export const SHAPES = [
  "circle",
  "square",
  "triangle-up",
  "diamond",
  "cross",
  "triangle-down",
  "triangle-right",
  "triangle-left",
];

const WIDTH = 640;
const HEIGHT = 400;
/** Characters of a subtitle that fit the width, as vega reckons without a browser to measure text. */
const SUBTITLE_WIDTH = 74;

/** What every plot begins with; the run stands under the title. */
export function basePlot(record: Measurement, title: string, subtitle: string, height = HEIGHT) {
  const run = new Map(describeRun(record));
  const of = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  const lines = [
    subtitle,
    of("study", "seed", "rounds", "chainwalk", "node"),
    `${run.get("cpu")}; ${run.get("kernel")}`,
  ];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    width: WIDTH,
    height,
    title: {
      text: title,
      subtitle: lines.flatMap((line) => breakLine(line)),
      anchor: "start" as const,
      subtitlePadding: 4,
      offset: 12,
    },
  } satisfies Partial<TopLevelSpec>;
}

/** Legend under the plot: long labels have room there. */
export function legendBelow(labels: readonly string[]) {
  const longest = Math.max(0, ...labels.map((label) => label.length));
  const columns = longest > 44 ? 1 : longest > 24 ? 2 : 3;
  return { title: null, orient: "bottom" as const, columns, labelLimit: 600, symbolSize: 80, symbolOpacity: 1 };
}

function breakLine(line: string): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > SUBTITLE_WIDTH) {
    const at = rest.lastIndexOf(" ", SUBTITLE_WIDTH);
    if (at <= 0) break;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...lines, rest];
}
