import { left, right, type Section } from "../../document.js";
import { type BenchCase, type CaseFilter, findCases, type Measurement } from "../../measurement.js";
import { formatRatio, formatTime } from "../../numbers.js";
import { summarizeRounds } from "../../rounds.js";
import { formatCount, formatFigure, type TableColumn } from "../../table.js";
import { calibrate, LINEAR_ENGINES, netInterval } from "./prediction.js";
import { formatError } from "./verdicts.js";

const DESTINATIONS = ["first", "middle", "last", "uniform"] as const;
const MILLISECOND = 1e6;

/** The engines that stand beside each other, with what is over their columns. */
const COLUMNS = [
  ["conntrack-only", "conntrack\nalone"],
  ["iptables-legacy", "iptables\nlegacy"],
  ["iptables-nft", "iptables\nnft"],
  ["nft-maps", "nft\nmaps"],
] as const;

/** First packets and established ones, uniform destinations, by number of services. */
export function drawSizes(record: Measurement): Section[] {
  const first = (services: number) => ({ services, destination: "uniform", packet: "first-datapath" }) as const;
  const established = (services: number) => ({ ...first(services), packet: "established-chains" }) as const;
  const titles = [right("services")];
  return [
    drawRows(
      record,
      "First packet of a connection, uniform destinations: ns net of the empty namespace (eBPF: of the empty program)",
      titles,
      sizesOf(record).map((services) => ({ words: [formatCount(services)], filter: first(services) })),
    ),
    drawRows(
      record,
      "Packet of an established connection, uniform destinations: ns net of the empty namespace",
      titles,
      sizesOf(record).map((services) => ({ words: [formatCount(services)], filter: established(services) })),
    ),
  ].filter((section) => section !== undefined);
}

/** First packets by place of the service, at the largest rule set. */
export function drawPlaces(record: Measurement): Section | undefined {
  const services = Math.max(...sizesOf(record));
  return drawRows(
    record,
    `First packet by place of the service among ${formatCount(services)}: ns, net in the same way`,
    [left("destination")],
    DESTINATIONS.map((destination) => ({
      words: [destination],
      filter: { services, destination, packet: "first-datapath" },
    })),
  );
}

function drawRows(
  record: Measurement,
  title: string,
  titles: readonly TableColumn[],
  rows: readonly { words: string[]; filter: CaseFilter }[],
): Section | undefined {
  const at = (filter: CaseFilter, engine: string): BenchCase | undefined =>
    findCases(record, { harness: "kernel", ...filter, engine })[0];
  const there = (engine: string, packet?: CaseFilter["packet"]): boolean =>
    rows.some(({ filter }) => at({ ...filter, ...(packet === undefined ? {} : { packet }) }, engine) !== undefined);
  if (!there("no-rules")) return undefined;
  const engines = COLUMNS.filter(([engine]) => there(engine));
  const lookups = rows.some(({ filter }) => filter.packet === "first-datapath") && there("ebpf", "first");
  const columns = [
    ...titles,
    right("rules\nvisited"),
    ...(there("nft-maps") ? [right("nft maps:\nrules, lookups")] : []),
    right("empty\nnamespace"),
    ...engines.map(([, head]) => right(head)),
    ...(lookups ? [right("eBPF: lookup\nand pick")] : []),
  ];
  const lines = rows.map(({ words, filter }) => {
    const visited = at(filter, "iptables-legacy") ?? at(filter, "iptables-nft");
    return [
      ...words,
      visited?.exact.rulesVisited === undefined ? "-" : formatCount(visited.exact.rulesVisited),
      ...(there("nft-maps") ? [formatLookups(at(filter, "nft-maps"))] : []),
      formatTime(at(filter, "no-rules")),
      ...engines.map(([engine]) => formatNet(record, at(filter, engine))),
      ...(lookups ? [formatNet(record, at({ ...filter, packet: "first" }, "ebpf"))] : []),
    ];
  });
  return { title, table: { columns, rows: lines } };
}

/** `24, 6`: rules visited and map lookups. */
function formatLookups(one: BenchCase | undefined): string {
  const { rulesVisited, mapLookups } = one?.exact ?? {};
  if (rulesVisited === undefined || mapLookups === undefined) return "-";
  return `${formatCount(rulesVisited)}, ${formatCount(mapLookups)}`;
}

/** `4,210 ±35`: what a case takes longer than its baseline, and half the width of the 95 % interval; `-` where it was not measured. */
function formatNet(record: Measurement, one: BenchCase | undefined): string {
  const net = one && netInterval(record, one);
  return net === undefined ? "-" : `${formatFigure(net.estimate)} ±${formatFigure((net.high - net.low) / 2)}`;
}

/** The lines, and what they foretell. */
export function drawPredictions(record: Measurement): Section[] {
  const fits = LINEAR_ENGINES.flatMap((engine) => calibrate(record, engine) ?? []);
  if (fits.length === 0) return [];
  const lines = fits.map(({ engine, line, slope, intercept, services }) => [
    engine,
    services.map(formatCount).join(", "),
    formatRatio(slope),
    formatRatio(intercept),
    line.rSquared.toFixed(4),
  ]);
  const foretold = fits.flatMap(({ engine, predictions }) =>
    predictions.map((prediction) => [
      engine,
      formatCount(prediction.factors.services ?? 0),
      prediction.factors.destination ?? "-",
      formatCount(prediction.rulesVisited),
      formatFigure(prediction.predicted.estimate),
      formatRatio(prediction.measured),
      formatError(prediction),
    ]),
  );
  return [
    {
      title: "First packet to the first, middle and last service, net, as a straight line over rules visited [95 %]",
      table: {
        columns: [
          left("engine"),
          left("fitted at services"),
          right("ns per rule"),
          right("ns whatever the rules"),
          right("R squared"),
        ],
        rows: lines,
      },
    },
    {
      title: "What these lines foretell of rule sets they were not fitted to: ns per first packet, net [95 %]",
      table: {
        columns: [
          left("engine"),
          right("services"),
          left("destination"),
          right("rules\nvisited"),
          right("foretold"),
          right("measured"),
          right("off by"),
        ],
        rows: foretold,
      },
    },
  ];
}

const CHANGES = [
  ["load", { stage: "load" }],
  ["one service added", { stage: "update", change: "one service added" }],
  ["one service removed", { stage: "update", change: "one service removed" }],
] as const;

/** How long the tools of each mode take to load a rule set and to change it. */
export function drawChanges(record: Measurement): Section | undefined {
  const engines = COLUMNS.filter(([engine]) => findCases(record, { engine, stage: "load" }).length > 0);
  if (engines.length === 0) return undefined;
  const rows = CHANGES.flatMap(([what, filter]) =>
    sizesOf(record).map((services) => [
      what,
      formatCount(services),
      ...engines.map(([engine]) => {
        const one = findCases(record, { ...filter, engine, services })[0];
        if (one?.rounds.length === 1) return formatFigure(summarizeRounds(one.rounds).median / MILLISECOND);
        return formatTime(one, MILLISECOND);
      }),
    ]),
  );
  return {
    title: "Loading and changing, by the tool kube-proxy calls, its start included: ms (without ±: once)",
    table: { columns: [left("change"), right("services"), ...engines.map(([, head]) => right(head))], rows },
  };
}

function sizesOf(record: Measurement): number[] {
  const sizes = findCases(record, { engine: "no-rules" }).map(({ factors }) => factors.services ?? 0);
  return [...new Set(sizes)].sort((a, b) => a - b);
}
