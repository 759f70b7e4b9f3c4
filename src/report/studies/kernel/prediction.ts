import { fitLine, type Line } from "../../../stats/summary.js";
import { type BenchCase, type Factors, findCases, type Measurement } from "../../measurement.js";
import { differenceInterval, type Interval, jointIntervals, summarizeRounds } from "../../rounds.js";
import { CALIBRATION } from "./targets.js";

/** Engines of the kernel that walk rule by rule, as the linear engine does. */
export const LINEAR_ENGINES = ["iptables-legacy", "iptables-nft"] as const;

/** A time that the line foretells, beside the one measured. All in nanoseconds per packet, net of the empty namespace. */
export interface Prediction {
  readonly factors: Factors;
  readonly rulesVisited: number;
  readonly predicted: Interval;
  readonly measured: Interval;
  /** predicted / measured - 1. */
  readonly error: Interval;
}

/**
 * Nanoseconds against rules visited by the first packets of the calibrating sizes, to the first, middle and last service. Packets to one service
 * find its chains in the caches; packets to all alike do not, so the line is not fitted to them, but it is asked about them.
 */
export interface Calibration {
  readonly engine: string;
  readonly services: readonly number[];
  readonly line: Line;
  /** R squared of a line through the calibrating packets to uniform destinations too. */
  readonly rSquaredOfAll: number;
  /** Nanoseconds per rule, and of what does not depend on the rules. */
  readonly slope: Interval;
  readonly intercept: Interval;
  readonly points: readonly { readonly rulesVisited: number; readonly measured: Interval }[];
  readonly predictions: readonly Prediction[];
}

/** The case that is subtracted: the same packets through an empty namespace, or the program that only takes the next packet. */
export function baselineOf(record: Measurement, { factors }: BenchCase): BenchCase | undefined {
  const engine = factors.engine === "ebpf" ? "ebpf-empty" : "no-rules";
  const { packet, destination, services } = factors;
  return findCases(record, { harness: "kernel", engine, packet, destination, services })[0];
}

/** What a case took longer than its baseline; undefined where that was not measured. */
export function netInterval(record: Measurement, one: BenchCase): Interval | undefined {
  const baseline = baselineOf(record, one);
  return baseline && differenceInterval(one.rounds, baseline.rounds);
}

/** Fits the line of an engine and foretells the sizes that it was not fitted to; undefined where the record does not hold what it takes. */
export function calibrate(record: Measurement, engine: string): Calibration | undefined {
  const measured = findCases(record, { harness: "kernel", engine, packet: "first-datapath" }).flatMap((one) => {
    const baseline = baselineOf(record, one);
    const { rulesVisited } = one.exact;
    return baseline === undefined || rulesVisited === undefined ? [] : [{ one, baseline, rulesVisited }];
  });
  const at = measured.map(({ rulesVisited }) => rulesVisited);
  const calibrating = measured.flatMap(({ one }, i) => (CALIBRATION.includes(one.factors.services ?? 0) ? [i] : []));
  const fitted = calibrating.filter((i) => measured[i]!.one.factors.destination !== "uniform");
  if (new Set(fitted.map((i) => at[i])).size < 2) return undefined;
  const lineOf = (net: readonly number[], through = fitted): Line =>
    fitLine(
      through.map((i) => at[i]!),
      through.map((i) => net[i]!),
    );
  const medians = measured.flatMap(({ one, baseline }) => [one.rounds, baseline.rounds]);
  const netOf = (all: readonly number[]): number[] => measured.map((_, i) => all[2 * i]! - all[2 * i + 1]!);
  const intervals = jointIntervals(medians, (all) => {
    const net = netOf(all);
    const { slope, intercept } = lineOf(net);
    return [slope, intercept, ...net.flatMap((ns, i) => foretell(slope, intercept, at[i]!, ns))];
  });
  const [slope, intercept] = intervals;
  const told = (i: number) => intervals.slice(2 + 3 * i, 5 + 3 * i) as [Interval, Interval, Interval];
  const estimates = netOf(medians.map((rounds) => summarizeRounds(rounds).median));
  const sizes = fitted.map((i) => measured[i]!.one.factors.services!);
  return {
    engine,
    services: [...new Set(sizes)].sort((a, b) => a - b),
    line: lineOf(estimates),
    rSquaredOfAll: lineOf(estimates, calibrating).rSquared,
    slope: slope!,
    intercept: intercept!,
    points: fitted.map((i) => ({ rulesVisited: at[i]!, measured: told(i)[1] })),
    predictions: measured.flatMap(({ one: { factors } }, i) => {
      if (calibrating.includes(i)) return [];
      const [predicted, net, error] = told(i);
      return [{ factors, rulesVisited: at[i]!, predicted, measured: net, error }];
    }),
  };
}

function foretell(slope: number, intercept: number, rulesVisited: number, measured: number): [number, number, number] {
  const predicted = intercept + slope * rulesVisited;
  return [predicted, measured, predicted / measured - 1];
}
