/** Counts of one service against what is expected of them, and of many services at once. */
import { chiSquareTest, type Deviation, type FitTest, gTest, largestDeviation } from "../../stats/goodness-of-fit.js";
import { holm } from "../../stats/holm.js";
import { type Cell, probabilitiesOf } from "./cells.js";

/** Cells that expect fewer are pooled: the chi-square distribution does not hold for them. */
export const LEAST_EXPECTED = 5;

export interface CountedCell extends Cell {
  readonly observed: number;
}

export interface Judgement {
  readonly cells: readonly CountedCell[];
  readonly chiSquare: FitTest;
  readonly g: FitTest;
  readonly largest: Deviation | undefined;
}

export function judge(cells: readonly Cell[], observed: readonly number[]): Judgement {
  const probabilities = probabilitiesOf(cells);
  const options = { minimumExpected: LEAST_EXPECTED };
  const chiSquare = chiSquareTest(observed, probabilities, options);
  return {
    cells: cells.map((cell, i) => ({ ...cell, observed: observed[i]! })),
    chiSquare,
    g: gTest(observed, probabilities, options),
    largest: largestDeviation(observed, probabilities, chiSquare),
  };
}

/** Whether there was anything to test: two places at least that expect enough. */
export function isTested({ chiSquare }: Pick<Judgement, "chiSquare">): boolean {
  return chiSquare.degreesOfFreedom > 0 || chiSquare.pValue === 0;
}

/** p-values adjusted for testing many at once (Holm); those without a test stay 1. */
export function adjust(judgements: readonly Pick<Judgement, "chiSquare">[]): number[] {
  const tested = judgements.filter(isTested);
  const adjusted = holm(tested.map(({ chiSquare }) => chiSquare.pValue));
  let next = 0;
  return judgements.map((one) => (isTested(one) ? adjusted[next++]! : 1));
}
