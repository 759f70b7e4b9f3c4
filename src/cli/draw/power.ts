/** Connections needed to see a bias, as text. */
import { drawTable, formatCount } from "../../report/table.js";
import { figure, lines } from "./check.js";

/** The bias of one choice among endpoints, and what it takes to see it. */
export interface BiasPower {
  readonly name: string;
  readonly endpoints: number;
  /** The largest relative deviation of a share from 1/n. */
  readonly largestDeviation: number;
  /** w^2. */
  readonly effect: number;
  /** Connections; Infinity where there is no bias. */
  readonly needed: number;
  /** The power of the given number of connections. */
  readonly found: number | undefined;
  /** The smallest bias of one endpoint that these find. */
  readonly smallestBias: number | undefined;
}

export interface PowerQuestion {
  readonly alpha: number;
  readonly power: number;
  readonly connections: number | undefined;
}

const MOST_ROWS = 30;

/** What is seen first stands first. */
export function drawPower({ alpha, power, connections }: PowerQuestion, choices: readonly BiasPower[]): string {
  const sorted = [...choices].sort((a, b) => (a.needed === b.needed ? 0 : a.needed - b.needed));
  const given = connections !== undefined;
  const rows = sorted
    .slice(0, MOST_ROWS)
    .map((one) => [
      one.name,
      formatCount(one.endpoints),
      one.effect === 0 ? "none" : `${figure(one.largestDeviation * 100, 3)} %`,
      one.effect === 0 ? "-" : one.effect.toExponential(2),
      countText(one.needed),
      ...(given ? [`${figure(one.found! * 100, 3)} %`, `${figure(one.smallestBias! * 100, 3)} %`] : []),
    ]);
  const table = drawTable(
    [
      { title: "choice", align: "left" },
      { title: "endpoints", align: "right" },
      { title: "largest\ndeviation", align: "right" },
      { title: "w^2", align: "right" },
      { title: "connections\nneeded", align: "right" },
      ...(given
        ? ([
            { title: "found\nby these", align: "right" },
            { title: "smallest\nbias found", align: "right" },
          ] as const)
        : []),
    ],
    rows,
  );
  const left = sorted.length - rows.length;
  return lines([
    `A chi-square test of even shares, alpha ${alpha}, power ${power}${given ? `, ${formatCount(connections)} connections` : ""}`,
    "",
    ...table,
    ...(left > 0 ? [`and ${left} more that need more`] : []),
  ]);
}

/** Two digits: `4.1e+7`; small numbers whole. */
function countText(needed: number): string {
  if (!Number.isFinite(needed)) return "-";
  return needed < 10_000 ? formatCount(Math.ceil(needed)) : needed.toExponential(1);
}
