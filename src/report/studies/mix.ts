import { type Document, figures, left, right, type Section } from "../document.js";
import { type BenchCase, findCases, type Measurement } from "../measurement.js";
import { formatCaseRatio, formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { ratioInterval } from "../rounds.js";
import { formatCount, formatFigure } from "../table.js";
import { frame } from "./frame.js";
import { distinct, formatExact } from "./tables.js";

/** The mode has stopped to matter where linear costs at most so much more than indexed. */
export const MATTERS = 1.1;

type Mode = "mixed-chains" | "mixed-fast-path";
type LengthsName = NonNullable<BenchCase["factors"]["lengths"]>;

const MODES: readonly { packet: Mode; name: string }[] = [
  { packet: "mixed-fast-path", name: "later packets by the entry alone" },
  { packet: "mixed-chains", name: "later packets through the filter chains" },
];

/** The report of the mix study. */
export function documentMix(record: Measurement): Document {
  const sizes = distinct(record.cases.map(({ factors }) => factors.services));
  const variants = sizes.flatMap((services) =>
    MODES.flatMap(({ packet, name }) =>
      (["geometric", "heavy-tailed"] as const).map((lengths) => ({ services, packet, name, lengths })),
    ),
  );
  const verdict: Section = {
    title: "When does the mode of the first packet stop to matter",
    paragraphs: variants.flatMap(({ services, packet, name, lengths }) => {
      const said = describeEnd(pairs(record, services, packet, lengths));
      return said === undefined ? [] : [`${formatCount(services)} services, ${lengths} lengths, ${name}: ${said}.`];
    }),
  };
  return frame(
    record,
    [...variants.map((variant) => drawMix(record, variant)), verdict],
    figures(
      sizes.map((services) => [
        `mix-${services}`,
        `A packet of whole connections, ${formatCount(services)} services`,
        plotMix(record, services),
      ]),
    ),
    [
      "Zipf's law over services; first packets among later ones, as they come; every second packet of a connection is an answer. Rules visited and first " +
        "packets are exact, per packet.",
    ],
  );
}

interface Pair {
  readonly mean: number;
  readonly linear: BenchCase | undefined;
  readonly indexed: BenchCase | undefined;
}

function pairs(record: Measurement, services: number, packet: Mode, lengths: LengthsName): Pair[] {
  const found = findCases(record, { services, packet, lengths });
  return distinct(found.map(({ factors }) => factors.packetsPerConnection)).map((mean) => {
    const [linear, indexed] = ["linear", "indexed"].map((engine) =>
      found.find(({ factors }) => factors.engine === engine && factors.packetsPerConnection === mean),
    );
    return { mean, linear, indexed };
  });
}

function drawMix(
  record: Measurement,
  { services, packet, name, lengths }: { services: number; packet: Mode; name: string; lengths: LengthsName },
): Section | undefined {
  const found = pairs(record, services, packet, lengths);
  if (found.length === 0) return undefined;
  const rows = found.map(({ mean, linear, indexed }) => {
    const firsts = (linear ?? indexed)?.exact.firstPackets;
    return [
      formatCount(mean),
      firsts === undefined ? "-" : `${formatFigure(firsts * 100)} %`,
      formatExact(linear, "rulesVisited"),
      formatTime(linear),
      formatExact(indexed, "rulesVisited"),
      formatTime(indexed),
      formatCaseRatio(linear, indexed),
    ];
  });
  const columns = [
    right("packets a\nconnection"),
    right("first\npackets"),
    right("rules\nvisited"),
    right("linear"),
    right("rules\nvisited"),
    right("indexed"),
    right("linear / indexed\n[95 %]"),
  ];
  return {
    title: `${formatCount(services)} services, ${lengths} lengths, ${name}: ns per packet`,
    table: { columns: columns.map((column, i) => (i === 0 ? left(column.title) : column)), rows },
  };
}

/** From which mean length on linear costs at most MATTERS times what indexed costs. */
export function describeEnd(found: readonly Pair[]): string | undefined {
  const ratios = found.flatMap(({ mean, linear, indexed }) =>
    linear === undefined || indexed === undefined ? [] : [{ mean, ...ratioInterval(linear.rounds, indexed.rounds) }],
  );
  if (ratios.length < 2) return undefined;
  const last = ratios.findLastIndex(({ estimate }) => estimate > MATTERS);
  const most = `${formatFigure((MATTERS - 1) * 100)} %`;
  if (last === -1) return `linear is never more than ${most} dearer, from ${ratios[0]!.mean} packet on`;
  const [before, after] = [ratios[last]!, ratios[last + 1]];
  if (after === undefined)
    return `linear is still ${formatFigure(before.estimate)} times as dear at ${formatCount(before.mean)} packets a connection`;
  const share = Math.log(before.estimate / MATTERS) / Math.log(before.estimate / after.estimate);
  const at = before.mean * (after.mean / before.mean) ** share;
  return (
    `linear is less than ${most} dearer from about ${formatFigure(at)} packets a connection on ` +
    `(${formatFigure(before.estimate)} [${formatFigure(before.low)}, ${formatFigure(before.high)}] times at ${formatCount(before.mean)}, ` +
    `${formatFigure(after.estimate)} [${formatFigure(after.low)}, ${formatFigure(after.high)}] at ${formatCount(after.mean)})`
  );
}

function plotMix(record: Measurement, services: number) {
  const lines = MODES.flatMap(({ packet }) =>
    ["linear", "indexed"].map((engine) => ({
      label: `${engine}, ${packet === "mixed-chains" ? "filter chains" : "entry alone"}`,
      points: findCases(record, { services, packet, engine, lengths: "geometric" }).map((one) => ({
        x: one.factors.packetsPerConnection ?? 0,
        one,
      })),
    })),
  );
  return scalingPlot(record, lines, {
    title: `A packet of whole connections, ${formatCount(services)} services`,
    subtitle: "medians with 95 % intervals, Zipf's law over services, geometric lengths",
    x: "packets a connection, mean",
    y: "ns per packet",
  });
}
