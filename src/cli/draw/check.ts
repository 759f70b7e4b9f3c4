/** A goodness-of-fit check as text: a bar for each cell, and what the test says. */
import { type Fraction, toNumber } from "../../engine/fraction.js";
import { drawTable, formatCount } from "../../report/table.js";
import type { FitTest } from "../../stats/goodness-of-fit.js";
import { WIDTH } from "./wrap.js";

/** A place packets may go, and how often by the rules. */
export interface Cell {
  readonly to: string;
  readonly probability: Fraction;
}

export interface CountedCell extends Cell {
  readonly observed: number;
}

export interface CheckTitle {
  readonly service: string;
  readonly destination: string;
  readonly protocol: string;
  readonly engine: string;
  readonly seed: number;
  readonly alpha: number;
}

/** Cells shown; of more than that the farthest from what was expected are. */
const MOST_SHOWN = 40;
const LONGEST_BAR = 30;

/** Lines of at most 100 characters, with a line end each. */
export function drawCheck(title: CheckTitle, cells: readonly CountedCell[], test: FitTest): string {
  const { service, destination, protocol, engine, seed, alpha } = title;
  const expected = (cell: Cell): number => toNumber(cell.probability) * test.total;
  const off = (cell: CountedCell): number =>
    Math.abs(cell.observed - expected(cell)) / Math.sqrt(expected(cell) || 1e-9);
  const shown = cells.length <= MOST_SHOWN ? cells : [...cells].sort((a, b) => off(b) - off(a)).slice(0, MOST_SHOWN);
  const most = Math.max(...shown.map((cell) => Math.max(cell.observed, expected(cell))));
  const rows = shown.map((cell) => [
    cell.to,
    round(expected(cell)),
    formatCount(cell.observed),
    deviation(cell.observed, expected(cell)),
    bar(cell.observed / most),
  ]);
  const table = drawTable(
    [
      { title: "endpoint", align: "left" },
      { title: "expected", align: "right" },
      { title: "observed", align: "right" },
      { title: "off by", align: "right" },
      { title: "", align: "left" },
    ],
    rows,
  );
  const left = cells.length - shown.length;
  return [
    `${service}: ${destination} ${protocol}, ${formatCount(test.total)} picks by ${engine}, seed ${seed}`,
    "",
    ...table.map((line) => line.slice(0, WIDTH)),
    ...(left > 0 ? [`and ${left} more, closer to what is expected`] : []),
    "",
    ...conclude(test, alpha),
  ]
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

function conclude({ statistic, degreesOfFreedom, pValue, cells }: FitTest, alpha: number): string[] {
  if (cells.length === 1) return ["Only one outcome is possible: there is nothing to test."];
  const pooled = cells.filter((cell) => cell.length > 1).reduce((sum, cell) => sum + cell.length, 0);
  const degrees = `${degreesOfFreedom} degree${degreesOfFreedom === 1 ? "" : "s"} of freedom`;
  const answer =
    pValue < alpha
      ? `The picks do NOT follow the probabilities of the rules (p < ${alpha}).`
      : `Nothing speaks against the probabilities of the rules (p >= ${alpha}).`;
  return [
    ...(pooled > 0 ? [`${pooled} cells that expect few picks are pooled.`] : []),
    `chi-square ${Number(statistic.toPrecision(6))}, ${degrees}, p-value ${Number(pValue.toPrecision(4))}`,
    answer,
  ];
}

/** In whole picks; below ten with one decimal. */
function round(count: number): string {
  return count !== 0 && count < 10 ? count.toFixed(1) : formatCount(Math.round(count));
}

function deviation(observed: number, expected: number): string {
  if (expected === 0) return observed === 0 ? "-" : "impossible";
  const percent = ((observed - expected) / expected) * 100;
  return `${percent < 0 ? "" : "+"}${percent.toFixed(2)} %`;
}

function bar(share: number): string {
  return "█".repeat(Math.round(share * LONGEST_BAR));
}
