/** A goodness-of-fit check of one service as text: a bar for each cell, and what the tests say. */
import { drawTable, formatCount } from "../../report/table.js";
import type { FitTest } from "../../stats/goodness-of-fit.js";
import { type CountedCell, isTested, type Judgement } from "../check/judge.js";
import { WIDTH, wrap } from "./wrap.js";

/** Cells shown; of more than that the farthest from what was expected are. */
const MOST_SHOWN = 40;
const LONGEST_BAR = 30;

/** `title` is the first line. Lines of at most 100 characters, with a line end each. */
export function drawCheck(title: string, judgement: Judgement, conclusion: readonly string[]): string {
  return lines([...wrap(title, WIDTH), "", ...drawCells(judgement), "", ...conclusion]);
}

/** A row for each cell, with its bar. */
export function drawCells({ cells, chiSquare: { total } }: Judgement): string[] {
  const expected = (cell: CountedCell): number => cell.probability * total;
  const off = (cell: CountedCell): number =>
    Math.abs(cell.observed - expected(cell)) / Math.sqrt(expected(cell) || 1e-9);
  const shown = cells.length <= MOST_SHOWN ? cells : [...cells].sort((a, b) => off(b) - off(a)).slice(0, MOST_SHOWN);
  const most = Math.max(1e-9, ...shown.map((cell) => Math.max(cell.observed, expected(cell))));
  const rows = shown.map((cell) => [
    cell.to,
    round(expected(cell)),
    formatCount(cell.observed),
    percentOff(cell.observed, expected(cell)),
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
  return [...table, ...(left > 0 ? [`and ${left} more, closer to what is expected`] : [])];
}

/** What the tests say of one service, without the verdict. */
export function drawTests(judgement: Judgement): string[] {
  const { cells, chiSquare, g, largest } = judgement;
  if (!isTested(judgement))
    return [
      cells.length === 1
        ? "Only one outcome is possible: there is nothing to test."
        : "There are too few picks to test: no two endpoints expect enough of them.",
    ];
  const far =
    largest === undefined
      ? []
      : [
          `largest deviation ${nameOf(largest.cells, cells)}: ${percentOff(largest.observed, largest.expected)}, ${figure(largest.standardDeviations, 3)} standard deviations`,
        ];
  return [
    ...pooledLine(chiSquare),
    `chi-square ${testText(chiSquare)}`,
    `G-test ${figure(g.statistic, 6)}, p-value ${figure(g.pValue, 4)}`,
    ...far,
  ];
}

export function pooledLine({ cells }: FitTest): string[] {
  const pooled = cells.filter((cell) => cell.length > 1).reduce((sum, cell) => sum + cell.length, 0);
  return pooled > 0 ? [`${pooled} cells that expect few picks are pooled.`] : [];
}

/** `7.56, 4 degrees of freedom, p-value 0.109`. */
export function testText({ statistic, degreesOfFreedom, pValue }: FitTest): string {
  const degrees = `${degreesOfFreedom} degree${degreesOfFreedom === 1 ? "" : "s"} of freedom`;
  return `${figure(statistic, 6)}, ${degrees}, p-value ${figure(pValue, 4)}`;
}

/** The name of a cell, or of a pool of them. */
export function nameOf(pool: readonly number[], cells: readonly { readonly to: string }[]): string {
  const first = cells[pool[0]!]!.to;
  return pool.length === 1 ? first : `${first} and ${pool.length - 1} more, pooled`;
}

export function figure(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

/** In whole picks; below ten with one decimal. */
export function round(count: number): string {
  return count !== 0 && count < 10 ? count.toFixed(1) : formatCount(Math.round(count));
}

export function percentOff(observed: number, expected: number): string {
  if (expected === 0) return observed === 0 ? "-" : "impossible";
  const percent = ((observed - expected) / expected) * 100;
  return `${percent < 0 ? "" : "+"}${percent.toFixed(2)} %`;
}

export function bar(share: number): string {
  return "█".repeat(Math.round(share * LONGEST_BAR));
}

/** Cut to the width, each with a line end. */
export function lines(texts: readonly string[]): string {
  return texts.map((line) => `${line.slice(0, WIDTH).trimEnd()}\n`).join("");
}
