import { chiSquareTest } from "../../stats/goodness-of-fit.js";
import { type BenchCase, type CaseFilter, findCases, type Measurement } from "../measurement.js";
import { type Interval, ratioInterval, summarizeRounds } from "../rounds.js";
import { drawTable, formatCount, formatFigure, type TableColumn } from "../table.js";
import { didSameWork, formatRatio, pairWithC } from "./verdicts.js";

/** Picks this improbable are called wrong. Small: the seeds are the same in every run, so a false alarm would come back for ever. */
const PICKS_ALPHA = 0.001;

/** A titled table of the report; none where the record holds nothing for it. */
export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

const left = (title: string): TableColumn => ({ title, align: "left" });
const right = (title: string): TableColumn => ({ title, align: "right" });

/** `14.2 ±0.31`: median and median absolute deviation in nanoseconds; `-` where it was not measured. */
export function formatTime(one: BenchCase | undefined): string {
  if (one === undefined) return "-";
  const { median, mad } = summarizeRounds(one.rounds);
  return `${formatFigure(median)} ±${formatFigure(mad)}`;
}

/** First packet, uniform destinations, by number of services. */
export function drawSizes(record: Measurement): Section | undefined {
  const at = headline(record);
  const sizes = distinct(at({ destination: "uniform" }).map((one) => one.services));
  if (sizes.length === 0) return undefined;
  const rows = sizes.map((services) => {
    const [linear, indexed, map] = ["linear", "indexed", "string-map"].map(
      (engine) => at({ destination: "uniform", services, engine })[0],
    );
    return [
      formatCount(services),
      formatWork(linear, "rulesVisited"),
      formatTime(linear),
      formatWork(indexed, "mapLookups"),
      formatTime(indexed),
      formatTime(map),
      formatCaseRatio(linear, indexed),
    ];
  });
  return {
    title: "First packet of a connection (conntrack miss), uniform destinations: ns per packet",
    lines: drawTable(
      [
        right("services"),
        right("rules\nvisited"),
        right("linear\n(column scan)"),
        right("map\nlookups"),
        right("indexed"),
        right("Map keyed\nby string"),
        right("linear / indexed\n[95 %]"),
      ],
      rows,
    ),
  };
}

/** First packet by destination, at the largest rule set. */
export function drawDestinations(record: Measurement): Section | undefined {
  const at = headline(record);
  const services = Math.max(...at({}).map((one) => one.services));
  const kinds = (["first", "middle", "last", "uniform", "zipf"] as const).filter(
    (destination) => at({ destination, services }).length > 0,
  );
  if (kinds.length < 2) return undefined;
  const rows = kinds.map((destination) => {
    const [linear, indexed] = ["linear", "indexed"].map((engine) => at({ destination, services, engine })[0]);
    return [
      destination,
      formatWork(linear, "rulesVisited"),
      formatTime(linear),
      linear?.work ? formatFigure(summarizeRounds(linear.rounds).median / linear.work.rulesVisited) : "-",
      formatTail(linear),
      formatTime(indexed),
      formatTail(indexed),
      formatCaseRatio(linear, indexed),
    ];
  });
  return {
    title: `First packet by place of the service among ${formatCount(services)}: ns per packet`,
    lines: drawTable(
      [
        left("destination"),
        right("rules\nvisited"),
        right("linear"),
        right("ns per\nrule"),
        right("p99 of\nbatches"),
        right("indexed"),
        right("p99 of\nbatches"),
        right("linear / indexed\n[95 %]"),
      ],
      rows,
    ),
  };
}

/** One rule set alive against several: an engine that suits only one user of its code would show here. */
export function drawAlive(record: Measurement): Section | undefined {
  const several = findCases(record, { harness: "tinybench", packet: "first" }).filter((one) => one.ruleSets > 1);
  if (several.length === 0) return undefined;
  const rows = several.map((many) => {
    const { engine, services, destination } = many;
    const one = headline(record)({ engine, services, destination })[0];
    return [engine, formatCount(services), formatTime(one), formatTime(many), formatCaseRatio(many, one)];
  });
  return {
    title: `${several[0]!.ruleSets} rule sets alive in one process, all in use: ns per first packet`,
    lines: drawTable(
      [
        left("engine"),
        right("services"),
        right("one alive"),
        right(`${several[0]!.ruleSets} alive`),
        right("ratio [95 %]"),
      ],
      rows,
    ),
  };
}

/** Packets that pass conntrack, by number of services and live connections. */
export function drawConnections(record: Measurement): Section | undefined {
  const cases = findCases(record, { harness: "tinybench" }).filter((one) => one.flows > 0);
  if (cases.length === 0) return undefined;
  const keys = distinct(cases.map((one) => one.services * 1e9 + one.flows)).map(
    (key) => [Math.floor(key / 1e9), key % 1e9] as const,
  );
  const rows = keys.map(([services, flows]) => {
    const at = (engine: string, packet: BenchCase["packet"]) =>
      cases.find((c) => c.services === services && c.flows === flows && c.engine === engine && c.packet === packet);
    return [
      formatCount(services),
      formatCount(flows),
      formatTime(at("linear", "established-chains")),
      formatTime(at("indexed", "established-chains")),
      formatTime(at("indexed", "established-fast-path")),
      formatTime(at("string-map", "established-fast-path")),
      formatTime(at("indexed", "first-datapath")),
    ];
  });
  return {
    title: "Through the data path: ns per packet",
    lines: drawTable(
      [
        right("services"),
        right("flows"),
        right("established,\nlinear filter"),
        right("established,\nindexed filter"),
        right("established,\nfast path"),
        right("Map keyed\nby string"),
        right("first packet:\nmiss and insert"),
      ],
      rows,
    ),
  };
}

const PROGRAMS = [
  ["lookup", "lookup and pick"],
  ["walk", "linear walk to the last"],
  ["established", "established, fast path"],
  ["first-datapath", "first packet, insert"],
] as const;

/** Beside C programs of the same algorithms. */
export function drawReference(record: Measurement): Section | undefined {
  const rows = PROGRAMS.flatMap(([which, label]) => {
    const pair = pairWithC(record, which);
    if (pair === undefined) return [];
    const { ours, c } = pair;
    const size = ours.flows > 0 ? `${formatCount(ours.flows)} flows` : `${formatCount(ours.services)} services`;
    const same = didSameWork(ours, c) ? "same" : "DIFFERENT";
    return [[label, size, formatTime(c), formatTime(ours), formatCaseRatio(ours, c), same]];
  });
  if (rows.length === 0) return undefined;
  return {
    title: "Beside C -O3 -march=native of the same algorithms: ns per packet",
    lines: drawTable(
      [left("work"), right("size"), right("C"), right("chainwalk"), right("ratio [95 %]"), left("outcomes")],
      rows,
    ),
  };
}

/**
 * Whether the endpoints were picked as often as the rule set says, by Pearson's chi-square, at the largest size: draws are named by
 * packet, not by service, so the other sizes would only repeat it.
 */
export function drawPicks(record: Measurement): string[] {
  const largest = Math.max(...record.picks.map(({ services }) => services));
  return record.picks
    .filter(({ services }) => services === largest)
    .map(({ engine, services, observed, expected }) => {
      const { statistic, degreesOfFreedom, pValue, total } = chiSquareTest(observed, expected);
      return (
        `Picks, ${engine} at ${formatCount(services)}: chi-square ${statistic.toFixed(2)}, ${degreesOfFreedom} df, ` +
        `p = ${pValue.toPrecision(3)}, ${formatCount(total)} picks: ` +
        (pValue < PICKS_ALPHA ? "NOT as the rules say" : "as the rules say")
      );
    });
}

function headline(record: Measurement): (filter: CaseFilter) => BenchCase[] {
  return (filter) => findCases(record, { harness: "tinybench", packet: "first", ruleSets: 1, ...filter });
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function formatWork(one: BenchCase | undefined, counter: "rulesVisited" | "mapLookups"): string {
  return one?.work ? formatCount(one.work[counter]) : "-";
}

function formatTail(one: BenchCase | undefined): string {
  return one === undefined ? "-" : formatFigure(summarizeRounds(one.rounds).p99OfBatchMeans);
}

function formatCaseRatio(over: BenchCase | undefined, under: BenchCase | undefined): string {
  if (over === undefined || under === undefined) return "-";
  const ratio: Interval = ratioInterval(over.rounds, under.rounds);
  return formatRatio(ratio);
}
