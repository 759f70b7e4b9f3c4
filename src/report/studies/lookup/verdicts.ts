import type { Verdict } from "../../document.js";
import {
  type BenchCase,
  type CaseFilter,
  type DestinationKind,
  findCases,
  type Measurement,
} from "../../measurement.js";
import { findBusy, findUnsteady } from "../../noise.js";
import { formatRatio } from "../../numbers.js";
import { type Interval, overlap, ratioInterval, summarizeRounds, tookTurns } from "../../rounds.js";
import { formatCount, formatFigure } from "../../table.js";
import { logLogSlope, median } from "../../../stats/summary.js";
import {
  C_LOOKUP_SPREAD,
  ESTABLISHED_OVER_C,
  HARNESS_TOLERANCE,
  HEADLINE_SERVICES,
  GROWTH,
  INDEXED_OVER_C,
  LINEAR_NS_PER_RULE_AIM,
  LINEAR_OVER_C,
  LINEAR_SLOPE,
  OBJECT_OVER_BATCH,
  USUAL_C_LOOKUP,
} from "./targets.js";

/** Every target of the lookup study, judged on one record. */
export function judgeLookup(record: Measurement): Verdict[] {
  const noise = findLookupNoise(record);
  const judge = (what: string, timed: () => Judgement | string): Verdict => {
    const judged = timed();
    if (typeof judged === "string") return { what, outcome: "not measured", detail: judged };
    const { decided = noise === undefined } = judged;
    const busy = findBusy(judged.cases);
    if (!decided) return { what, outcome: "too noisy", detail: judged.detail };
    if (busy !== undefined) return { what, outcome: "too noisy", detail: `${judged.detail}; ${busy}` };
    return { what, outcome: judged.passed ? "pass" : "miss", detail: judged.detail };
  };
  return [
    judge("indexed lookup and pick against C", () => indexedOverC(record, "lookup")),
    judge("indexed lookup and pick against C, three rule sets in turn", () => indexedOverC(record, "lookup-in-turn")),
    judge("column-scanned linear per rule against C", () => linearOverC(record)),
    judge("established packet on the fast path against C", () => establishedOverC(record)),
    judge("one call with a packet object against the batch", () => objectOverBatch(record)),
    judge("indexed grows with the rule set", () => indexedGrowth(record)),
    judge("linear grows with the rule set", () => linearSlope(record)),
    exactly("linear's rules visited are proportional", () => proportionalVisits(record)),
    exactly("C did the same work (checksums)", () => sameChecksums(record)),
  ];
}

/** Why no time of this run can be trusted; undefined: nothing speaks against it. */
export function findLookupNoise(record: Measurement): string | undefined {
  return findUnsteady(record) ?? findNoiseByC(record);
}

function findNoiseByC(record: Measurement): string | undefined {
  const where = { packet: "first", destination: "uniform", services: HEADLINE_SERVICES, ruleSets: 1 } as const;
  const c = only(record, { ...where, engine: "C" });
  if (c === undefined) return undefined;
  const { median, roundMedians } = summarizeRounds(c.rounds);
  const { ns, tolerance } = USUAL_C_LOOKUP;
  if (median > ns * tolerance || median < ns / tolerance) {
    return `the C lookup took ${formatFigure(median)} ns, its usual figure is ${ns} within a factor of ${tolerance}`;
  }
  const spread = Math.max(...roundMedians) / Math.min(...roundMedians);
  if (spread > C_LOOKUP_SPREAD)
    return `the C lookup itself differed by a factor of ${spread.toFixed(1)} between processes`;
  return undefined;
}

export interface HarnessAgreement {
  readonly agree: boolean;
  /** Why the machine was too busy to compare them. */
  readonly noise: string | undefined;
  readonly tinybench: HarnessResult;
  readonly benchmarkJs: HarnessResult;
}

export interface HarnessResult {
  readonly linear: BenchCase;
  readonly indexed: BenchCase;
  /** linear / indexed. */
  readonly ratio: Interval;
}

/** Whether Benchmark.js finds the same ratio as tinybench; undefined where it did not run. */
export function compareHarnesses(record: Measurement): HarnessAgreement | undefined {
  const again = only(record, { harness: "benchmark.js" });
  if (again === undefined) return undefined;
  const { services, packet, destination, ruleSets } = again.factors;
  const [tinybench, benchmarkJs] = (["tinybench", "benchmark.js"] as const).map((harness) => {
    const [linear, indexed] = ["linear", "indexed"].map((engine) =>
      only(record, { harness, engine, services, packet, destination, ruleSets }),
    );
    return linear && indexed ? { linear, indexed, ratio: ratioInterval(linear.rounds, indexed.rounds) } : undefined;
  });
  if (tinybench === undefined || benchmarkJs === undefined) return undefined;
  const apart = Math.abs(Math.log(tinybench.ratio.estimate / benchmarkJs.ratio.estimate));
  const agree = overlap(tinybench.ratio, benchmarkJs.ratio) || apart < Math.log(1 + HARNESS_TOLERANCE);
  const busy = findBusy([tinybench, benchmarkJs].flatMap(({ linear, indexed }) => [linear, indexed]));
  return { agree, noise: findLookupNoise(record) ?? busy, tinybench, benchmarkJs };
}

/** The C program's case with the most services, and ours that does the same work. */
export function pairWithC(record: Measurement, which: ReferenceWork): { ours: BenchCase; c: BenchCase } | undefined {
  const { engine, where, inTurn = false } = REFERENCE_WORK[which];
  const [c] = findCases(record, { ...where, engine: "C" })
    .filter(({ factors }) => (factors.ruleSets ?? 1) > 1 === inTurn)
    .toSorted((a, b) => servicesOf(b) - servicesOf(a));
  if (c === undefined) return undefined;
  const { services, flows, ruleSets } = c.factors;
  const ours = only(record, { ...where, engine, services, flows, ruleSets, harness: "tinybench" });
  return ours && { ours, c };
}

export type ReferenceWork = "lookup" | "lookup-in-turn" | "walk" | "established" | "first-datapath";

/** `inTurn`: each batch in the next of several rule sets. */
const REFERENCE_WORK: Readonly<Record<ReferenceWork, { engine: string; where: CaseFilter; inTurn?: true }>> = {
  lookup: { engine: "indexed", where: { packet: "first", destination: "uniform" } },
  "lookup-in-turn": { engine: "indexed", where: { packet: "first", destination: "uniform" }, inTurn: true },
  walk: { engine: "linear", where: { packet: "first", destination: "last" } },
  established: { engine: "indexed", where: { packet: "established-fast-path" } },
  "first-datapath": { engine: "indexed", where: { packet: "first-datapath" } },
};

interface Judgement {
  readonly passed: boolean;
  readonly detail: string;
  /** Those whose times it rests on. */
  readonly cases: readonly BenchCase[];
  /** Of programs that took turns, where what slowed other processes has no say: whether they can be told from the limit. */
  readonly decided?: boolean;
}

/**
 * One case against another. Where they took turns, their ratio holds whatever other processes had, if its interval lies on one side of the limit; else
 * nothing can be concluded.
 */
function against(over: BenchCase, under: BenchCase, most: number): Omit<Judgement, "detail"> & { ratio: Interval } {
  const ratio = ratioInterval(over.rounds, under.rounds);
  const decided = ratio.high <= most || ratio.low > most;
  return {
    ratio,
    cases: [over, under],
    passed: ratio.estimate <= most,
    ...(tookTurns(over.rounds, under.rounds) ? { decided } : {}),
  };
}

function only(record: Measurement, filter: CaseFilter): BenchCase | undefined {
  return findCases(record, filter)[0];
}

const OTHER_SIZE = `it takes ${formatCount(HEADLINE_SERVICES)} services`;
const NO_C = "no C program to compare with in this run";

function indexedOverC(record: Measurement, which: "lookup" | "lookup-in-turn"): Judgement | string {
  const pair = pairWithC(record, which);
  if (pair === undefined) return which === "lookup" || record.quick === false ? NO_C : "it takes a full run";
  if (servicesOf(pair.c) !== HEADLINE_SERVICES) return OTHER_SIZE;
  const { ratio, ...judged } = against(pair.ours, pair.c, INDEXED_OVER_C.most);
  return {
    ...judged,
    detail: `${formatRatio(ratio)} x C at ${formatCount(HEADLINE_SERVICES)} services, at most ${INDEXED_OVER_C.most}, aim ${INDEXED_OVER_C.aim}`,
  };
}

function linearOverC(record: Measurement): Judgement | string {
  const pair = pairWithC(record, "walk");
  if (pair?.ours.exact.rulesVisited === undefined) return NO_C;
  if (servicesOf(pair.c) !== HEADLINE_SERVICES) return OTHER_SIZE;
  const { ratio, ...judged } = against(pair.ours, pair.c, LINEAR_OVER_C.most);
  const perRule = summarizeRounds(pair.ours.rounds).median / pair.ours.exact.rulesVisited;
  return {
    ...judged,
    detail: `${formatRatio(ratio)} x C, at most ${LINEAR_OVER_C.most}; ${formatFigure(perRule)} ns per rule visited, aim ${LINEAR_NS_PER_RULE_AIM}`,
  };
}

function establishedOverC(record: Measurement): Judgement | string {
  const pair = pairWithC(record, "established");
  if (pair === undefined) return NO_C;
  const { ratio, ...judged } = against(pair.ours, pair.c, ESTABLISHED_OVER_C.most);
  return {
    ...judged,
    detail: `${formatRatio(ratio)} x C at ${formatCount(pair.c.factors.flows ?? 0)} flows, at most ${ESTABLISHED_OVER_C.most}`,
  };
}

/** What a library user pays for objects instead of columns. */
function objectOverBatch(record: Measurement): Judgement | string {
  const object = only(record, { engine: "indexed", packet: "first-object" });
  if (object === undefined) return "indexed was not measured";
  const batch = ours(record, "indexed", servicesOf(object));
  if (batch === undefined) return "indexed was not measured in a batch";
  const { ratio, ...judged } = against(object, batch, OBJECT_OVER_BATCH.most);
  const [alone, within] = [object, batch].map(({ rounds }) => formatFigure(summarizeRounds(rounds).median));
  return {
    ...judged,
    detail: `${formatRatio(ratio)} x the batch (${alone} / ${within} ns) at ${formatCount(servicesOf(object))} services, at most ${OBJECT_OVER_BATCH.most}`,
  };
}

function indexedGrowth(record: Measurement): Judgement | string {
  const [small, large] = [GROWTH.from, GROWTH.to].map((services) => ours(record, "indexed", services));
  if (small === undefined || large === undefined) return "it takes the sizes of a full run";
  const ratio = ratioInterval(large.rounds, small.rounds);
  return {
    cases: [small, large],
    passed: ratio.estimate <= GROWTH.most,
    detail: `${formatRatio(ratio)} x from ${formatCount(GROWTH.from)} to ${formatCount(GROWTH.to)} services, at most ${GROWTH.most}`,
  };
}

/**
 * How the time grows with the rules to pass: what a packet to the last service takes longer than one to the first of the same rule set, against
 * the services between them. What both take alike (a dozen chains, the draws) is no part of it; the slope of the whole packet stands beside it,
 * for C too.
 */
function linearSlope(record: Measurement): Judgement | string {
  const pairs = linearBySize(record, "last").flatMap((last) => {
    const first = ours(record, "linear", servicesOf(last), "first");
    return first === undefined ? [] : [{ first, last }];
  });
  const sizes = pairs.map(({ last }) => servicesOf(last));
  const covered = [GROWTH.from, GROWTH.to].every((size) => sizes.includes(size));
  if (!covered || pairs.length < 3) return "it takes the sizes of a full run";
  const time = (one: BenchCase): number => summarizeRounds(one.rounds).median;
  const cases = pairs.flatMap(({ first, last }) => [first, last]);
  const added = pairs.map(({ first, last }) => time(last) - time(first));
  const fixed = median(pairs.map(({ first }) => time(first)));
  if (added.some((one) => one <= 0))
    return { cases, passed: false, detail: "a packet to the last service took no longer than one to the first" };
  const { slope } = logLogSlope(
    sizes.map((size) => size - 1),
    added,
  );
  const whole = logLogSlope(
    sizes,
    pairs.map(({ last }) => time(last)),
  ).slope;
  const c = findCases(record, { engine: "C", packet: "first", destination: "last" });
  const ofC = new Set(c.map(servicesOf)).size < 2 ? undefined : logLogSlope(c.map(servicesOf), c.map(time)).slope;
  return {
    cases,
    passed: slope >= LINEAR_SLOPE.least && slope <= LINEAR_SLOPE.most,
    detail:
      `log-log slope ${slope.toFixed(3)} of what the last service takes longer than the first, from ${LINEAR_SLOPE.least} to ${LINEAR_SLOPE.most}; ` +
      `of the whole packet ${whole.toFixed(3)}${ofC === undefined ? "" : ` (C: ${ofC.toFixed(3)})`}, as ${formatFigure(fixed)} ns of it do not depend on the place`,
  };
}

/** A walk to the last of N services tries N - 1 rules more than one to the first, where both fare alike after that. */
function proportionalVisits(record: Measurement): Judgement | string {
  const differences = linearBySize(record, "last").flatMap((last) => {
    const first = ours(record, "linear", servicesOf(last), "first");
    const [most, least] = [last, first].map((one) => one?.exact.leastRulesVisited);
    return most === undefined || least === undefined ? [] : [{ services: servicesOf(last), more: most - least }];
  });
  if (differences.length === 0) return "linear was not measured";
  const wrong = differences.filter(({ services, more }) => more !== services - 1);
  const detail =
    wrong.length === 0
      ? `last - first = services - 1, exactly, at ${differences.map(({ services }) => formatCount(services)).join(", ")}`
      : wrong.map(({ services, more }) => `last - first = ${formatCount(more)} at ${formatCount(services)}`).join(", ");
  return { passed: wrong.length === 0, detail, cases: [] };
}

function sameChecksums(record: Measurement): Judgement | string {
  const pairs = (["lookup", "lookup-in-turn", "walk", "established", "first-datapath"] as const).flatMap((which) => {
    const pair = pairWithC(record, which);
    return pair ? [{ which, same: didSameWork(pair.ours, pair.c) }] : [];
  });
  if (pairs.length === 0) return NO_C;
  const different = pairs.filter(({ same }) => !same).map(({ which }) => which);
  return {
    cases: [],
    passed: different.length === 0,
    detail:
      different.length === 0
        ? `equal for ${pairs.map(({ which }) => which).join(", ")}`
        : `different for ${different.join(", ")}`,
  };
}

/** Whether two programs came to the same outcomes, and visited as many rules where both count them. */
export function didSameWork(ours: BenchCase, c: BenchCase): boolean {
  const [our, their] = [ours.exact, c.exact];
  const counted =
    our.rulesVisited === undefined || their.rulesVisited === undefined || our.rulesVisited === their.rulesVisited;
  return our.checksum !== undefined && our.checksum === their.checksum && counted;
}

/** Judges what no noise can touch. */
function exactly(what: string, judge: () => Judgement | string): Verdict {
  const judged = judge();
  if (typeof judged === "string") return { what, outcome: "not measured", detail: judged };
  return { what, outcome: judged.passed ? "pass" : "miss", detail: judged.detail };
}

function ours(
  record: Measurement,
  engine: string,
  services: number,
  destination: DestinationKind = "uniform",
): BenchCase | undefined {
  return only(record, { engine, harness: "tinybench", packet: "first", destination, services, ruleSets: 1 });
}

function linearBySize(record: Measurement, destination: DestinationKind): BenchCase[] {
  return findCases(record, { engine: "linear", harness: "tinybench", packet: "first", destination, ruleSets: 1 })
    .filter((one) => one.exact.rulesVisited !== undefined)
    .sort((a, b) => servicesOf(a) - servicesOf(b));
}

function servicesOf(one: BenchCase): number {
  return one.factors.services ?? 0;
}
