import { chiSquareTest } from "../../../stats/goodness-of-fit.js";
import { left, right, type Section } from "../../document.js";
import { type BenchCase, type CaseFilter, findCases, type Measurement } from "../../measurement.js";
import { formatCaseRatio, formatRatio, formatTime } from "../../numbers.js";
import { summarizeRounds } from "../../rounds.js";
import { formatCount, formatFigure } from "../../table.js";
import { describeTurns, distinct, formatExact } from "../tables.js";
import { compareHarnesses, didSameWork, type HarnessResult, pairWithC } from "./verdicts.js";

/** Picks this improbable are called wrong. Small: the seeds are the same in every run, so a false alarm would come back for ever. */
const PICKS_ALPHA = 0.001;

/** First packet, uniform destinations, by number of services. */
export function drawSizes(record: Measurement): Section | undefined {
  const at = headline(record);
  const sizes = distinct(at({ destination: "uniform" }).map(({ factors }) => factors.services));
  if (sizes.length === 0) return undefined;
  const rows = sizes.map((services) => {
    const [linear, indexed, map] = ["linear", "indexed", "string-map"].map(
      (engine) => at({ destination: "uniform", services, engine })[0],
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
  return {
    title: "First packet of a connection (conntrack miss), uniform destinations: ns per packet",
    table: { columns, rows },
  };
}

/** First packet by destination, at the largest rule set. */
export function drawDestinations(record: Measurement): Section | undefined {
  const at = headline(record);
  const services = Math.max(...at({}).map(({ factors }) => factors.services ?? 0));
  const kinds = (["first", "middle", "last", "uniform", "zipf"] as const).filter(
    (destination) => at({ destination, services }).length > 0,
  );
  if (kinds.length < 2) return undefined;
  const rows = kinds.map((destination) => {
    const [linear, indexed] = ["linear", "indexed"].map((engine) => at({ destination, services, engine })[0]);
    const visited = linear?.exact.rulesVisited;
    return [
      destination,
      formatExact(linear, "rulesVisited"),
      formatTime(linear),
      linear && visited !== undefined ? formatFigure(summarizeRounds(linear.rounds).median / visited) : "-",
      formatTail(linear),
      formatTime(indexed),
      formatTail(indexed),
      formatCaseRatio(linear, indexed),
    ];
  });
  const columns = [
    left("destination"),
    right("rules\nvisited"),
    right("linear"),
    right("ns per\nrule"),
    right("p99 of\nbatches"),
    right("indexed"),
    right("p99 of\nbatches"),
    right("linear / indexed\n[95 %]"),
  ];
  return {
    title: `First packet by place of the service among ${formatCount(services)}: ns per packet`,
    table: { columns, rows },
  };
}

/** One rule set alive against several: an engine that suits only one user of its code would show here. */
export function drawAlive(record: Measurement): Section | undefined {
  const several = findCases(record, { harness: "tinybench", packet: "first" }).filter(
    ({ factors }) => (factors.ruleSets ?? 1) > 1,
  );
  if (several.length === 0) return undefined;
  const alive = several[0]!.factors.ruleSets;
  const rows = several.map((many) => {
    const { engine, services, destination } = many.factors;
    const one = headline(record)({ engine, services, destination })[0];
    return [engine, formatCount(services ?? 0), formatTime(one), formatTime(many), formatCaseRatio(many, one)];
  });
  const columns = [
    left("engine"),
    right("services"),
    right("one alive"),
    right(`${alive} alive`),
    right("ratio [95 %]"),
  ];
  return {
    title: `${alive} rule sets alive in one process, all in use: ns per first packet`,
    table: { columns, rows },
  };
}

/** Packets that pass conntrack, by number of services and live connections. */
export function drawConnections(record: Measurement): Section | undefined {
  const cases = findCases(record, { harness: "tinybench" }).filter(({ factors }) => factors.flows !== undefined);
  if (cases.length === 0) return undefined;
  const sizes = cases
    .map(({ factors }) => [factors.services ?? 0, factors.flows ?? 0] as const)
    .toSorted(([a, b], [c, d]) => a - c || b - d)
    .filter(([services, flows], i, all) => services !== all[i - 1]?.[0] || flows !== all[i - 1]?.[1]);
  const rows = sizes.map(([services, flows]) => {
    const at = (engine: string, packet: BenchCase["factors"]["packet"]) =>
      formatTime(findCases({ cases }, { services, flows, engine, packet })[0]);
    return [
      formatCount(services),
      formatCount(flows),
      at("linear", "established-chains"),
      at("indexed", "established-chains"),
      at("indexed", "established-fast-path"),
      at("string-map", "established-fast-path"),
      at("indexed", "first-datapath"),
    ];
  });
  const columns = [
    right("services"),
    right("flows"),
    right("established,\nlinear filter"),
    right("established,\nindexed filter"),
    right("established,\nfast path"),
    right("Map keyed\nby string"),
    right("first packet:\nmiss and insert"),
  ];
  return { title: "Through the data path: ns per packet", table: { columns, rows } };
}

const PROGRAMS = [
  ["lookup", "lookup and pick"],
  ["lookup-in-turn", "lookup, 3 sets in turn"],
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
    const { flows, services } = ours.factors;
    const size = flows === undefined ? `${formatCount(services ?? 0)} services` : `${formatCount(flows)} flows`;
    const same = didSameWork(ours, c) ? "same" : "DIFFERENT";
    return [[label, size, formatTime(c), formatTime(ours), formatCaseRatio(ours, c), same]];
  });
  if (rows.length === 0) return undefined;
  return {
    title: "Beside C -O3 -march=native of the same algorithms: ns per packet",
    table: {
      columns: [left("work"), right("size"), right("C"), right("chainwalk"), right("ratio [95 %]"), left("outcomes")],
      rows,
    },
    paragraphs: describeTurns(record),
  };
}

/** Whether the second harness finds what the first does. */
export function describeHarnesses(record: Measurement): string {
  const compared = compareHarnesses(record);
  if (compared === undefined) return "Harnesses: Benchmark.js did not run, nothing to compare tinybench with.";
  const { agree, noise, tinybench, benchmarkJs } = compared;
  const says = noise !== undefined ? `too noisy to compare (${noise})` : agree ? "agree" : "DISAGREE";
  const describe = ({ linear, indexed, ratio }: HarnessResult) => {
    const [slow, fast] = [linear, indexed].map((one) => formatFigure(summarizeRounds(one.rounds).median));
    return `${formatRatio(ratio)} (${slow} / ${fast} ns)`;
  };
  const at = `linear / indexed at ${formatCount(tinybench.linear.factors.services ?? 0)} services`;
  return `Harnesses ${says}: ${at} is ${describe(tinybench)} by tinybench, ${describe(benchmarkJs)} by Benchmark.js.`;
}

/**
 * Whether the endpoints were picked as often as the rule set says, by Pearson's chi-square, at the largest size: draws are named by
 * packet, not by service, so the other sizes would only repeat it.
 */
export function describePicks(record: Measurement): string[] {
  const largest = Math.max(...record.picks.map(({ factors }) => factors.services ?? 0));
  return record.picks
    .filter(({ factors }) => factors.services === largest)
    .map(({ factors, observed, expected }) => {
      const { statistic, degreesOfFreedom, pValue, total } = chiSquareTest(observed, expected);
      return (
        `Picks, ${factors.engine} at ${formatCount(largest)}: chi-square ${statistic.toFixed(2)}, ${degreesOfFreedom} df, ` +
        `p = ${pValue.toPrecision(3)}, ${formatCount(total)} picks: ` +
        (pValue < PICKS_ALPHA ? "NOT as the rules say" : "as the rules say")
      );
    });
}

function headline(record: Measurement): (filter: CaseFilter) => BenchCase[] {
  return (filter) => findCases(record, { harness: "tinybench", packet: "first", ruleSets: 1, ...filter });
}

function formatTail(one: BenchCase | undefined): string {
  return one === undefined ? "-" : formatFigure(summarizeRounds(one.rounds).p99OfBatchMeans);
}
