import { benjaminiHochberg } from "../../stats/false-discovery.js";
import { studentQuantile, studentTail } from "../../stats/student.js";
import { median } from "../../stats/summary.js";
import type { BenchCase } from "../measurement.js";
import type { Interval } from "../rounds.js";
import type { Contrast } from "./contrasts.js";

/** Differences of two runs below this share are taken for none: what else the machine did makes as much. */
export const THRESHOLD = 0.05;
/** The same of two builds whose processes ran in turn, so that both had the same machine: memory layout alone makes as much. */
export const THRESHOLD_IN_TURN = 0.03;
/** Share of wrong ones among the differences that are found. */
const FALSE_DISCOVERIES = 0.05;
/** The usual variance of all cases counts like so many processes beside the case's own few. */
const PRIOR_WEIGHT = 4;

export interface Judged {
  readonly contrast: Contrast;
  /** After / before in units of the yardsticks, with its 95 % interval; bounds of 0 and infinity where nothing is known of the spread. */
  readonly ratio: Interval;
  /** That the ratio is no further from 1 than the threshold, adjusted for the number of cases. */
  readonly pValue: number;
  readonly outcome: "faster" | "slower" | "cannot tell";
}

/**
 * Which differences are real. The few processes of a case tell little of how much processes differ, so each case's variance is drawn
 * towards the usual one (moderated t: Smyth, "Linear models and empirical Bayes methods", 2004); the number of cases is paid for by Benjamini and
 * Hochberg.
 */
export function judge(contrasts: readonly Contrast[], threshold: number): Judged[] {
  const usual = new Map((["ns", "bytes"] as const).map((unit) => [unit, usualVariance(contrasts, unit)]));
  const margin = Math.log(1 + threshold);
  const tested = contrasts.map((contrast) => {
    const spread = moderate(contrast, usual.get(contrast.unit));
    if (spread === undefined) return { contrast, ratio: intervalOf(contrast.difference, Infinity), pValue: 1 };
    const { error, degreesOfFreedom } = spread;
    const beyond = Math.abs(contrast.difference) - margin;
    const t = error === 0 ? (beyond > 0 ? Infinity : -Infinity) : beyond / error;
    const pValue = beyond <= 0 ? 1 : Math.min(1, 2 * studentTail(t, degreesOfFreedom));
    const reach = error * studentQuantile(0.025, degreesOfFreedom);
    return { contrast, ratio: intervalOf(contrast.difference, reach), pValue };
  });
  const adjusted = benjaminiHochberg(tested.map(({ pValue }) => pValue));
  return tested.map(({ contrast, ratio }, i) => {
    const found = adjusted[i]! <= FALSE_DISCOVERIES;
    return {
      contrast,
      ratio,
      pValue: adjusted[i]!,
      outcome: !found ? "cannot tell" : ratio.estimate > 1 ? "slower" : "faster",
    };
  });
}

function intervalOf(difference: number, reach: number): Interval {
  const estimate = Math.exp(difference);
  return reach === Infinity
    ? { estimate, low: 0, high: Infinity }
    : { estimate, low: Math.exp(difference - reach), high: Math.exp(difference + reach) };
}

interface Spread {
  /** Standard error of the difference. */
  readonly error: number;
  readonly degreesOfFreedom: number;
}

/** Undefined where neither the case nor any other says how much processes differ. */
function moderate({ variance, degreesOfFreedom, scale }: Contrast, usual: number | undefined): Spread | undefined {
  if (usual === undefined) return undefined;
  const all = PRIOR_WEIGHT + degreesOfFreedom;
  const moderated = (PRIOR_WEIGHT * usual + degreesOfFreedom * variance) / all;
  return { error: Math.sqrt(moderated * scale), degreesOfFreedom: all };
}

/** The median variance of the cases, each freed of what the median of a chi-square with so few degrees of freedom falls short (Wilson and Hilferty). */
function usualVariance(contrasts: readonly Contrast[], unit: BenchCase["unit"]): number | undefined {
  const variances = contrasts
    .filter((one) => one.unit === unit && one.degreesOfFreedom > 0)
    .map(({ variance, degreesOfFreedom }) => variance / (1 - 2 / (9 * degreesOfFreedom)) ** 3);
  return variances.length === 0 ? undefined : median(variances);
}
