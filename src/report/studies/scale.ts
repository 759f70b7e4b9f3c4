import { type Document, figures, left, right, type Section } from "../document.js";
import { findCases, type Measurement } from "../measurement.js";
import { formatCaseRatio, formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { summarizeRounds } from "../rounds.js";
import { formatCount } from "../table.js";
import { frame } from "./frame.js";
import { distinct, ENGINE_NAMES, NFT_LINEAR, formatBytes, formatExact } from "./tables.js";

const MICROSECOND = 1e3;
const MILLISECOND = 1e6;

/** The report of the scale study. */
export function documentScale(record: Measurement): Document {
  return frame(
    record,
    [drawLookups(record), drawNftables(record), drawMemory(record), drawBuilds(record)],
    plots(record),
    ["Rules visited and table bytes are exact."],
  );
}

function drawLookups(record: Measurement): Section {
  const rows = sizes(record).map((services) => {
    const [linear, indexed, map] = ENGINE_NAMES.map(
      (engine) => findCases(record, { engine, services, packet: "first", destination: "uniform" })[0],
    );
    return [
      formatCount(services),
      formatExact(linear, "rulesVisited"),
      formatTime(linear),
      formatExact(indexed, "mapLookups"),
      formatTime(indexed),
      formatTime(map),
      formatCaseRatio(linear, indexed),
    ];
  });
  const columns = [
    right("services"),
    right("rules\nvisited"),
    right("linear\n(column scan)"),
    right("map\nlookups"),
    right("indexed"),
    right("Map keyed\nby string"),
    right("linear / indexed\n[95 %]"),
  ];
  return { title: "First packet, uniform destinations: ns per packet", table: { columns, rows } };
}

/** The same walk where a verdict map takes the place of rule after rule. */
function drawNftables(record: Measurement): Section | undefined {
  const to = (destination: "last" | "uniform") => findCases(record, { engine: NFT_LINEAR, destination });
  if (to("uniform").length === 0) return undefined;
  const rows = to("uniform").map((uniform) => {
    const services = uniform.factors.services ?? 0;
    const last = to("last").find(({ factors }) => factors.services === services);
    return [
      formatCount(services),
      formatExact(uniform, "rulesVisited"),
      formatExact(uniform, "mapLookups"),
      formatTime(uniform),
      formatTime(last),
      formatCaseRatio(uniform, last),
    ];
  });
  const columns = [
    right("services"),
    right("rules\nvisited"),
    right("map\nlookups"),
    right("uniform\ndestinations"),
    right("to the last\nservice"),
    right("uniform / last\n[95 %]"),
  ];
  return {
    title: "First packet, linear on the rules of nftables mode: ns per packet",
    table: { columns, rows },
    paragraphs: ["Its rules do not grow with the services; the memory that packets to all of them touch does."],
  };
}

function drawMemory(record: Measurement): Section | undefined {
  const held = findCases(record, { harness: "gauge" });
  if (held.length === 0) return undefined;
  const rows = held.map((one) => {
    const { engine, services = 0 } = one.factors;
    const { median } = summarizeRounds(one.rounds);
    const tables = one.exact.tableBytes;
    return [
      formatCount(services),
      engine,
      formatBytes(median),
      formatBytes(median / services),
      tables === undefined ? "-" : formatBytes(tables),
      tables === undefined ? "-" : formatBytes(tables / services),
    ];
  });
  const columns = [
    right("services"),
    left("engine"),
    right("held"),
    right("a service"),
    right("of which\ntables"),
    right("a service"),
  ];
  return { title: "Memory an engine holds besides the rule set it was made from", table: { columns, rows } };
}

function drawBuilds(record: Measurement): Section | undefined {
  const builds = findCases(record, { harness: "tinybench", stage: "build" });
  if (builds.length === 0) return undefined;
  const rows = builds.map((build) => {
    const { engine, services } = build.factors;
    const update = findCases(record, { engine, services, stage: "update" })[0];
    return [
      formatCount(services ?? 0),
      engine,
      formatExact(build, "rules"),
      formatTime(build, MILLISECOND),
      formatTime(update, MICROSECOND),
      formatCaseRatio(build, update),
    ];
  });
  const columns = [
    right("services"),
    left("engine"),
    right("rules"),
    right("build, ms"),
    right("update, us"),
    right("build / update\n[95 %]"),
  ];
  return {
    title: "From a resolved rule set to an engine, and after one endpoint has gone (linear resolves and builds again)",
    table: { columns, rows },
  };
}

function plots(record: Measurement) {
  const line = (label: string, filter: Parameters<typeof findCases>[1]) => ({
    label,
    points: findCases(record, filter).map((one) => ({ x: one.factors.services ?? 0, one })),
  });
  const x = "services in the rule set";
  const subtitle = "medians with 95 % intervals";
  return figures([
    [
      "scale-lookup",
      "First packet by the size of the rule set",
      scalingPlot(
        record,
        [...ENGINE_NAMES, NFT_LINEAR].map((engine) =>
          line(engine, { engine, packet: "first", destination: "uniform" }),
        ),
        { title: "First packet of a connection", subtitle: `${subtitle}, uniform destinations`, x, y: "ns per packet" },
      ),
    ],
    [
      "scale-memory",
      "Memory by the size of the rule set",
      scalingPlot(
        record,
        ENGINE_NAMES.map((engine) => line(engine, { engine, harness: "gauge" })),
        { title: "Memory an engine holds", subtitle, x, y: "megabytes", unit: 1e6 },
      ),
    ],
    [
      "scale-updates",
      "Build and update by the size of the rule set",
      scalingPlot(
        record,
        (["build", "update"] as const).flatMap((stage) =>
          (["linear", "indexed"] as const).map((engine) =>
            line(`${stage}, ${engine}`, { engine, stage, harness: "tinybench" }),
          ),
        ),
        { title: "Build, and update after one endpoint has gone", subtitle, x, y: "ms", unit: MILLISECOND },
      ),
    ],
  ]);
}

function sizes(record: Measurement): number[] {
  return distinct(findCases(record, { packet: "first" }).map(({ factors }) => factors.services));
}
