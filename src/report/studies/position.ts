import { linearRegression } from "simple-statistics";
import { type Document, figures, right, type Section } from "../document.js";
import { type BenchCase, findCases, type Measurement } from "../measurement.js";
import { formatCaseRatio, formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { summarizeRounds } from "../rounds.js";
import { formatCount, formatFigure } from "../table.js";
import { frame } from "./frame.js";
import { distinct, ENGINE_NAMES, formatExact } from "./tables.js";

/** The report of the position study. */
export function documentPosition(record: Measurement): Document {
  const sizes = distinct(record.cases.map(({ factors }) => factors.services));
  return frame(
    record,
    sizes.flatMap((services) => [drawPlaces(record, services), drawFit(record, services)]),
    figures(
      sizes.map((services) => [
        `position-${services}`,
        `First packet by the place of its service among ${formatCount(services)}`,
        scalingPlot(
          record,
          ENGINE_NAMES.map((engine) => ({
            label: engine,
            points: at(record, services, engine).map((one) => ({ x: one.factors.place ?? 0, one })),
          })),
          {
            title: `First packet by the place of its service among ${formatCount(services)}`,
            subtitle: "medians with 95 % intervals",
            x: "place in KUBE-SERVICES",
            y: "ns per packet",
            linear: true,
          },
        ),
      ]),
    ),
    ["Rules visited are exact, means over packets that draw different endpoints."],
  );
}

function at(record: Measurement, services: number, engine: string): BenchCase[] {
  return findCases(record, { services, engine, packet: "first", destination: "place" });
}

function drawPlaces(record: Measurement, services: number): Section {
  const places = distinct(findCases(record, { services }).map(({ factors }) => factors.place));
  const rows = places.map((place) => {
    const [linear, indexed, map] = ENGINE_NAMES.map((engine) =>
      at(record, services, engine).find(({ factors }) => factors.place === place),
    );
    return [
      formatCount(place + 1),
      formatExact(linear, "rulesVisited"),
      formatTime(linear),
      formatExact(indexed, "mapLookups"),
      formatTime(indexed),
      formatTime(map),
      formatCaseRatio(linear, indexed),
    ];
  });
  const columns = [
    right("place"),
    right("rules\nvisited"),
    right("linear\n(column scan)"),
    right("map\nlookups"),
    right("indexed"),
    right("Map keyed\nby string"),
    right("linear / indexed\n[95 %]"),
  ];
  return {
    title: `First packet by the place of its service among ${formatCount(services)}: ns per packet`,
    table: { columns, rows },
  };
}

/** What a rule costs: a straight line through time against rules visited. */
function drawFit(record: Measurement, services: number): Section | undefined {
  const points = at(record, services, "linear").flatMap(({ rounds, exact }) =>
    exact.rulesVisited === undefined ? [] : [[exact.rulesVisited, summarizeRounds(rounds).median]],
  );
  if (points.length < 3) return undefined;
  const { m, b } = linearRegression(points);
  const mean = points.reduce((sum, [, y]) => sum + y!, 0) / points.length;
  const total = points.reduce((sum, [, y]) => sum + (y! - mean) ** 2, 0);
  const rest = points.reduce((sum, [x, y]) => sum + (y! - m * x! - b) ** 2, 0);
  return {
    title: "",
    paragraphs: [
      `Linear: ${formatFigure(m)} ns per rule visited and ${formatFigure(b)} ns besides, R squared ${(1 - rest / total).toFixed(4)}.`,
    ],
  };
}
