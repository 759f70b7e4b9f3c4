import { chiSquareTest } from "../../stats/goodness-of-fit.js";
import { type Document, figures, left, right, type Section } from "../document.js";
import { findCases, type Measurement } from "../measurement.js";
import { formatTime } from "../numbers.js";
import { endpointPlot } from "../plots/endpoints.js";
import { scalingPlot } from "../plots/scaling.js";
import { formatCount } from "../table.js";
import { frame } from "./frame.js";
import { ENGINE_NAMES } from "./tables.js";

/** Picks this improbable are called uneven. Small: the seeds are the same in every run, so a false alarm would come back for ever. */
const PICKS_ALPHA = 0.001;

/** The report of the distribution study. */
export function documentDistribution(record: Measurement): Document {
  const most = Math.max(...record.picks.map(({ factors }) => factors.endpoints ?? 0));
  const shown = [...new Set(record.picks.map(({ factors }) => factors.endpoints ?? 0))].filter(
    (endpoints) => endpoints === most || endpoints === 5,
  );
  return frame(
    record,
    [drawPicks(record), drawCosts(record)],
    figures([
      ...shown.map((endpoints): [string, string, ReturnType<typeof endpointPlot>] => [
        `distribution-${endpoints}`,
        `Picks of ${endpoints} endpoints`,
        endpointPlot(
          record,
          record.picks.filter(({ factors }) => factors.endpoints === endpoints),
          {
            title: `Picks of ${formatCount(endpoints)} endpoints`,
            subtitle: "bars: observed, summed over services; lines: the probabilities of the rules",
          },
        ),
      ]),
      [
        "distribution-cost",
        "First packet by the number of endpoints",
        scalingPlot(
          record,
          ENGINE_NAMES.map((engine) => ({
            label: engine,
            points: findCases(record, { engine }).map((one) => ({ x: one.factors.endpoints ?? 0, one })),
          })),
          {
            title: "First packet by the number of endpoints",
            subtitle: "medians with 95 % intervals",
            x: "endpoints of a service",
            y: "ns per packet",
          },
        ),
      ],
    ]),
    ["Picks, draws and rules visited are exact: the same seed picks the same endpoints."],
  );
}

function drawPicks(record: Measurement): Section {
  const rows = record.picks.map(({ factors, observed, expected }) => {
    const { statistic, degreesOfFreedom, pValue, total } = chiSquareTest(observed, expected);
    const largest = Math.max(...observed.map((count, i) => Math.abs(count / total / expected[i]! - 1)));
    return [
      formatCount(factors.endpoints ?? observed.length),
      factors.engine,
      formatCount(total),
      `${(largest * 100).toFixed(2)} %`,
      statistic.toFixed(2),
      String(degreesOfFreedom),
      pValue.toPrecision(3),
      pValue < PICKS_ALPHA ? "NOT as the rules say" : "as the rules say",
    ];
  });
  const columns = [
    right("endpoints"),
    left("engine"),
    right("picks"),
    right("largest\ndeviation"),
    right("chi-square"),
    right("df"),
    right("p-value"),
    left(""),
  ];
  return { title: "Picks against the probabilities of the rules", table: { columns, rows } };
}

function drawCosts(record: Measurement): Section {
  const rows = record.cases.map((one) => [
    formatCount(one.factors.endpoints ?? 0),
    one.factors.engine,
    one.exact.draws === undefined ? "-" : formatCount(one.exact.draws),
    one.exact.rulesVisited === undefined ? "-" : formatCount(one.exact.rulesVisited),
    formatTime(one),
  ]);
  const columns = [right("endpoints"), left("engine"), right("draws"), right("rules\nvisited"), right("ns per packet")];
  return { title: "What a pick costs", table: { columns, rows } };
}
