import { type Document, figures, right, type Section } from "../document.js";
import { type BenchCase, findCases, type Measurement } from "../measurement.js";
import { formatCaseRatio, formatTime } from "../numbers.js";
import { scalingPlot } from "../plots/scaling.js";
import { formatCount } from "../table.js";
import { frame } from "./frame.js";
import { distinct } from "./tables.js";

/** Kinds of map by the name of their factor, and how they are called. */
const MAPS = [
  ["perfect-hash", "perfect hash"],
  ["perfect-hash-shared", "perfect hash, shared code"],
  ["open-addressing", "open addressing"],
  ["open-addressing-shared", "open addressing, shared code"],
  ["number-map", "Map keyed by number"],
] as const;

/** The report of the study of maps. */
export function documentMaps(record: Measurement): Document {
  return frame(
    record,
    [drawTimes(record)],
    figures([
      [
        "maps",
        "Lookup of a service by kind of map",
        scalingPlot(
          record,
          MAPS.map(([engine, label]) => ({
            label,
            points: findCases(record, { engine, ruleSets: 1 }).map((one) => ({ x: one.factors.services ?? 0, one })),
          })),
          {
            title: "Lookup of a service by kind of map",
            subtitle: "medians with 95 % intervals, one rule set",
            x: "services",
            y: "ns per lookup",
          },
        ),
      ],
    ]),
    [
      "A lookup reads destination address, port and protocol from columns and gives the row of the service; nothing is picked or written.",
      "Shared code: one function for all rule sets of the process. Otherwise each rule set has a copy of the function, as the engine has.",
    ],
  );
}

function drawTimes(record: Measurement): Section {
  const rows = distinct(record.cases.map(({ factors }) => factors.services)).flatMap((services) =>
    distinct(findCases(record, { services }).map(({ factors }) => factors.ruleSets)).map((ruleSets) => {
      const at = (engine: string): BenchCase | undefined => findCases(record, { services, ruleSets, engine })[0];
      return [
        formatCount(services),
        formatCount(ruleSets),
        ...MAPS.map(([engine]) => formatTime(at(engine))),
        formatCaseRatio(at("open-addressing"), at("perfect-hash")),
        sameSums(MAPS.map(([engine]) => at(engine))),
      ];
    }),
  );
  const columns = [
    right("services"),
    right("rule sets\nin use"),
    right("perfect\nhash"),
    right("perfect hash,\nshared code"),
    right("open\naddressing"),
    right("open addressing,\nshared code"),
    right("Map keyed\nby number"),
    right("open addressing /\nperfect hash [95 %]"),
    right("all found\nthe same"),
  ];
  return { title: "Lookup of a service: ns", table: { columns, rows } };
}

function sameSums(cases: readonly (BenchCase | undefined)[]): string {
  const sums = new Set(cases.flatMap((one) => (one === undefined ? [] : [one.exact.checksum])));
  return sums.size === 1 ? "yes" : "NO";
}
