import { type Document, figures, right } from "../document.js";
import { type CaseFilter, findCases, type Measurement } from "../measurement.js";
import { formatCaseRatio, formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { formatCount } from "../table.js";
import { frame } from "./frame.js";
import { describeTurns, distinct, formatBytes } from "./tables.js";

const HIT = "established-fast-path";
const MISS = "first-datapath";

/** The report of the conntrack study. */
export function documentConntrack(record: Measurement): Document {
  const flows = distinct(record.cases.map(({ factors }) => factors.flows));
  const rows = flows.map((count) => {
    const [hit, miss, hitOfC, missOfC, map] = lines.map(
      ({ filter }) => findCases(record, { ...filter, flows: count })[0],
    );
    const bytes = hit?.exact.tableBytes;
    return [
      formatCount(count),
      formatTime(hit),
      formatTime(hitOfC),
      formatCaseRatio(hit, hitOfC),
      formatTime(miss),
      formatTime(missOfC),
      formatCaseRatio(miss, missOfC),
      formatTime(map),
      bytes === undefined ? "-" : formatBytes(bytes / count),
    ];
  });
  const columns = [
    right("connections"),
    right("hit"),
    right("C"),
    right("ratio\n[95 %]"),
    right("miss and\nenter"),
    right("C"),
    right("ratio\n[95 %]"),
    right("hit in a Map\nby string"),
    right("table, a\nconnection"),
  ];
  return frame(
    record,
    [{ title: "Packets through conntrack: ns per packet", table: { columns, rows } }],
    figures([
      [
        "conntrack",
        "A packet through conntrack by the number of live connections",
        scalingPlot(
          record,
          lines.map(({ label, filter }) => ({
            label,
            points: findCases(record, filter).map((one) => ({ x: one.factors.flows ?? 0, one })),
          })),
          {
            title: "A packet through conntrack",
            subtitle: "medians with 95 % intervals",
            x: "live connections",
            y: "ns per packet",
          },
        ),
      ],
    ]),
    [
      "Hit: the packet's connection is found, either direction, and it is translated. Miss and enter: it has none, its service is looked " +
        "up, an endpoint picked, the connection entered. The table has room for a twelfth more than the connections, in powers of two.",
      ...describeTurns(record),
    ],
  );
}

const lines: readonly { label: string; filter: CaseFilter }[] = [
  { label: "hit", filter: { engine: "indexed", packet: HIT } },
  { label: "miss and enter", filter: { engine: "indexed", packet: MISS } },
  { label: "hit, C", filter: { engine: "C", packet: HIT } },
  { label: "miss and enter, C", filter: { engine: "C", packet: MISS } },
  { label: "hit in a Map keyed by string", filter: { engine: "string-map", packet: HIT } },
];
