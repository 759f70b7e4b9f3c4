/** The schemas of `check --json`. */
import { formatFraction } from "../../engine/fraction.js";
import type { FitTest } from "../../stats/goodness-of-fit.js";
import type { NamedJudgement, Repetition } from "../draw/check-many.js";
import type { Cell } from "./cells.js";
import type { CountedJudgement } from "./counters.js";
import { isTested, type Judgement } from "./judge.js";
import type { TrafficCheck } from "./traffic.js";

/** What one service's counts say. */
export function jsonJudgement({ cells, chiSquare, g, largest }: Judgement): object {
  return {
    samples: chiSquare.total,
    chiSquare: finite(chiSquare.statistic),
    degreesOfFreedom: chiSquare.degreesOfFreedom,
    pValue: chiSquare.pValue,
    gTest: { statistic: finite(g.statistic), pValue: g.pValue },
    largestDeviation:
      largest === undefined
        ? null
        : {
            to: largest.cells.map((i) => cells[i]!.to),
            relative: finite(largest.relative),
            standardDeviations: finite(largest.standardDeviations),
          },
    pooled: chiSquare.cells.filter((cell) => cell.length > 1).map((cell) => cell.map((i) => cells[i]!.to)),
    cells: cells.map((cell) => ({
      to: cell.to,
      p: jsonProbability(cell),
      expected: cell.probability * chiSquare.total,
      observed: cell.observed,
    })),
  };
}

export function jsonMany(all: readonly NamedJudgement[]): object[] {
  return all.map((one) => ({
    service: one.service,
    tested: isTested(one),
    adjustedPValue: one.adjusted,
    ...jsonJudgement(one),
  }));
}

export function jsonRepetition({ repeat, rejections, uniformity, pValues }: Repetition): object {
  return { repeat, rejections, uniformity, pValues };
}

export function jsonTraffic(check: TrafficCheck): object {
  return {
    picks: check.picks,
    packets: check.packets,
    designEffect: check.designEffect,
    picksTest: jsonTest(check.picksTest),
    packetsTest: jsonTest(check.packetsTest),
    correctedTest: jsonTest(check.correctedTest),
    cells: check.cells.map((cell) => ({
      to: cell.to,
      p: jsonProbability(cell),
      picks: cell.picks,
      connections: cell.connections,
      packets: cell.packets,
    })),
  };
}

export function jsonCounters(all: readonly (CountedJudgement & NamedJudgement)[]): object[] {
  return all.map((one) => ({
    service: one.service,
    chain: one.choice.chain,
    local: one.choice.local,
    byAffinity: one.choice.byAffinity,
    tested: isTested(one),
    adjustedPValue: one.adjusted,
    ...jsonJudgement(one),
  }));
}

function jsonTest({ statistic, degreesOfFreedom, pValue }: FitTest): object {
  return { chiSquare: finite(statistic), degreesOfFreedom, pValue };
}

/** `num/den` where it is known exactly. */
const jsonProbability = ({ probability, exact }: Cell): string | number =>
  exact === undefined ? probability : formatFraction(exact);

/** JSON has no infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
