import type { Verdict } from "../../document.js";
import { type BenchCase, type CaseFilter, findCases, type Measurement } from "../../measurement.js";
import { formatRatio } from "../../numbers.js";
import { median } from "../../../stats/summary.js";
import { type Interval, jointIntervals, summarizeRounds } from "../../rounds.js";
import { formatCount, formatFigure } from "../../table.js";
import { baselineOf, calibrate, LINEAR_ENGINES, type Prediction } from "./prediction.js";
import { BASELINE_SPREAD, BURSTS, LEAST_R_SQUARED, MOST_ERROR, MOST_GROWTH } from "./targets.js";

/** Every target of the kernel study, judged on one record. */
export function judgeKernel(record: Measurement): Verdict[] {
  const noise = findNoise(record);
  const judge = (what: string, judged: { passed: boolean; detail: string } | undefined): Verdict => {
    if (judged === undefined) return { what, outcome: "not measured", detail: "this run does not hold what it takes" };
    const outcome = noise !== undefined ? "too noisy" : judged.passed ? "pass" : "miss";
    return { what, outcome, detail: judged.detail };
  };
  const linear = LINEAR_ENGINES.flatMap((engine) => [
    judge(`${engine}: time is a straight line over rules visited`, judgeLine(record, engine)),
    judge(`${engine}: rules visited foretell the time of other sizes`, judgePredictions(record, engine)),
  ]);
  const flat = FLAT.map(({ engine, packet, what }) =>
    judge(`${engine}: ${what}`, judgeGrowth(record, { engine, packet })),
  );
  return [...linear, ...flat];
}

const ESTABLISHED = {
  packet: "established-chains",
  what: "an established packet takes as long, however many services",
} as const;
const FLAT = [
  { engine: "nft-maps", packet: "first-datapath", what: "a first packet takes as long, however many services" },
  { engine: "ebpf", packet: "first", what: "a lookup takes as long, however many services" },
  { engine: "iptables-legacy", ...ESTABLISHED },
  { engine: "iptables-nft", ...ESTABLISHED },
  { engine: "nft-maps", ...ESTABLISHED },
] as const;

/**
 * Why no time of this run can be trusted; undefined: nothing speaks against it. Times are medians over rounds, which a burst in one round
 * of ten does not move: of each size that tenth of the rounds is left out that differs most.
 */
export function findNoise(record: Measurement): string | undefined {
  const spreads = baselinesOf(record).map((roundMedians) => {
    const middle = median(roundMedians);
    const kept = roundMedians
      .toSorted((a, b) => Math.abs(a - middle) - Math.abs(b - middle))
      .slice(0, roundMedians.length - Math.floor(roundMedians.length * BURSTS));
    return Math.max(...kept) / Math.min(...kept);
  });
  const spread = Math.max(...spreads);
  if (spreads.length === 0 || spread <= BASELINE_SPREAD) return undefined;
  return `the way through an empty namespace itself differed by a factor of ${spread.toFixed(1)} between rounds`;
}

/** What the way through an empty namespace took at worst, in times of its median: all rounds counted. */
export function worstBaseline(record: Measurement): number {
  return Math.max(1, ...baselinesOf(record).map((roundMedians) => Math.max(...roundMedians) / median(roundMedians)));
}

/** Medians of the rounds of an empty namespace, by size and destination. */
function baselinesOf(record: Measurement): (readonly number[])[] {
  const cases = findCases(record, { engine: "no-rules", packet: "first-datapath" });
  return cases.map(({ rounds }) => summarizeRounds(rounds).roundMedians);
}

function judgeLine(record: Measurement, engine: string) {
  const fit = calibrate(record, engine);
  if (fit === undefined) return undefined;
  const { line, rSquaredOfAll, slope, services } = fit;
  const sizes = services.map(formatCount).join(" / ");
  return {
    passed: line.rSquared > LEAST_R_SQUARED,
    detail: `R squared ${line.rSquared.toFixed(4)}, above ${LEAST_R_SQUARED} (with uniform destinations ${rSquaredOfAll.toFixed(4)}); ${formatRatio(slope)} ns per rule at ${sizes} services`,
  };
}

function judgePredictions(record: Measurement, engine: string) {
  const fit = calibrate(record, engine);
  if (fit === undefined || fit.predictions.length === 0) return undefined;
  const worst = fit.predictions.reduce((a, b) => (Math.abs(b.error.estimate) > Math.abs(a.error.estimate) ? b : a));
  return {
    passed: Math.abs(worst.error.estimate) <= MOST_ERROR,
    detail: `off by ${formatError(worst)} at most (${formatCount(worst.factors.services ?? 0)} services, ${worst.factors.destination}), within ${MOST_ERROR * 100} %`,
  };
}

/**
 * From the smallest rule set to the largest, net, for packets to the last service: their chains stay in the caches at every size, so
 * that what grows is the walk. Uniform destinations, which grow with the memory they touch, stand beside.
 */
function judgeGrowth(record: Measurement, what: CaseFilter) {
  const [last, uniform] = (["last", "uniform"] as const).map((destination) =>
    growthOf(record, { ...what, destination }),
  );
  if (last === undefined) return undefined;
  const { growth, from, to } = last;
  const beside = uniform === undefined ? "" : `; uniform destinations ${formatRatio(uniform.growth)} x`;
  const detail = `${formatRatio(growth)} x from ${formatCount(from)} to ${formatCount(to)}, at most ${MOST_GROWTH}${beside}`;
  return { passed: growth.estimate <= MOST_GROWTH, detail };
}

function growthOf(record: Measurement, filter: CaseFilter): { growth: Interval; from: number; to: number } | undefined {
  const sizeOf = ({ factors }: BenchCase): number => factors.services ?? 0;
  const cases = findCases(record, { ...filter, harness: "kernel" }).toSorted((a, b) => sizeOf(a) - sizeOf(b));
  const [small, large] = [cases[0], cases.at(-1)];
  if (small === undefined || large === undefined || small === large) return undefined;
  const [under, over] = [baselineOf(record, small), baselineOf(record, large)];
  if (under === undefined || over === undefined) return undefined;
  const all = [large, over, small, under].map(({ rounds }) => rounds);
  const [growth] = jointIntervals(all, ([a, b, c, d]) => [(a! - b!) / (c! - d!)]);
  return { growth: growth!, from: sizeOf(small), to: sizeOf(large) };
}

/** `-12.3 [-14.0, -10.1] %`: too low by that much. */
export function formatError({ error }: Prediction): string {
  const percent = (share: number): string => `${share < 0 ? "" : "+"}${formatFigure(share * 100)}`;
  return `${percent(error.estimate)} [${percent(error.low)}, ${percent(error.high)}] %`;
}
