import { type Document, figures, left, right, type Section } from "../document.js";
import { type BenchCase, type CaseFilter, findCases, type Measurement } from "../measurement.js";
import { formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { summarizeRounds } from "../rounds.js";
import { formatCount, formatFigure } from "../table.js";
import { frame } from "./frame.js";
import { distinct, formatBytes, formatExact } from "./tables.js";

const MICROSECOND = 1e3;
const MILLISECOND = 1e6;

const stages: readonly { label: string; filter: CaseFilter; unit?: number }[] = [
  { label: "write", filter: { stage: "write" } },
  { label: "read", filter: { stage: "read" } },
  { label: "resolve", filter: { stage: "resolve" } },
  { label: "build linear", filter: { stage: "build", engine: "linear" } },
  { label: "build indexed", filter: { stage: "build", engine: "indexed" } },
  { label: "update linear", filter: { stage: "update", engine: "linear" } },
  { label: "update indexed", filter: { stage: "update", engine: "indexed" }, unit: MICROSECOND },
];

/** The report of the compile study. */
export function documentCompile(record: Measurement): Document {
  return frame(record, [drawStages(record), drawSyncs(record)], plots(record), [
    "Rules, lines and bytes are exact. Write: objects to rule set. Read: text to rule set. Resolve: names to references. Build: to an engine. " +
      "Update, after one endpoint has gone: linear resolves and builds again, indexed applies the changed chains to the compiled form.",
  ]);
}

function drawStages(record: Measurement): Section {
  const sizes = distinct(record.cases.map(({ factors }) => factors.services));
  const rows = sizes.map((services) => {
    const found = stages.map(({ filter, unit }) => ({ one: findCases(record, { ...filter, services })[0], unit }));
    const read = found[1]!.one;
    return [
      formatCount(services),
      formatExact(read, "rules"),
      ...found.map(({ one, unit }) => formatTime(one, unit ?? MILLISECOND)),
      read === undefined ? "-" : formatFigure(megabytesPerSecond(read)),
    ];
  });
  const titles = stages.map(({ label, unit }) =>
    right(`${label.replace(" ", "\n")}${unit === undefined ? "" : ", us"}`),
  );
  return {
    title: "Stages of a rule set: ms where nothing else is said",
    table: { columns: [right("services"), right("rules"), ...titles, right("read,\nMB/s")], rows },
  };
}

function megabytesPerSecond({ rounds, exact }: BenchCase): number {
  return ((exact.bytes ?? NaN) / summarizeRounds(rounds).median) * 1000;
}

function drawSyncs(record: Measurement): Section | undefined {
  const syncs = findCases(record, { stage: "sync" });
  if (syncs.length === 0) return undefined;
  const rows = syncs.map((one) => [
    formatCount(one.factors.services ?? 0),
    one.factors.change ?? "",
    formatExact(one, "lines"),
    formatBytes(one.exact.bytes ?? 0),
    formatTime(one, MILLISECOND),
  ]);
  const columns = [right("services"), left("sync"), right("lines"), right("sent"), right("planned in, ms")];
  return { title: "What kube-proxy sends to iptables-restore", table: { columns, rows } };
}

function plots(record: Measurement) {
  const x = "services in the rule set";
  const subtitle = "medians with 95 % intervals";
  const line = ({ label, filter }: (typeof stages)[number]) => ({
    label,
    points: findCases(record, filter).map((one) => ({ x: one.factors.services ?? 0, one })),
  });
  return figures([
    [
      "compile-stages",
      "Stages of a rule set by its size",
      scalingPlot(record, stages.slice(0, 5).map(line), {
        title: "Stages of a rule set",
        subtitle,
        x,
        y: "ms",
        unit: MILLISECOND,
      }),
    ],
    [
      "compile-updates",
      "Cost of an update by the size of the rule set",
      scalingPlot(
        record,
        [
          ...stages.slice(5).map(line),
          ...["full", "partial"].map((kind) => ({
            label: `plan a ${kind} sync`,
            points: findCases(record, { stage: "sync" })
              .filter(({ factors }) => factors.change?.includes(kind))
              .map((one) => ({ x: one.factors.services ?? 0, one })),
          })),
        ],
        { title: "Cost of an update: one endpoint leaves", subtitle, x, y: "ms", unit: MILLISECOND },
      ),
    ],
  ]);
}
