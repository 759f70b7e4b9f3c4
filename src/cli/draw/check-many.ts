/** Checks of many services, of repeated seeds, of traffic and of counters as text. */
import { drawTable, formatCount } from "../../report/table.js";
import type { UniformityTest } from "../../stats/kolmogorov.js";
import type { CountedJudgement } from "../check/counters.js";
import { isTested, type Judgement } from "../check/judge.js";
import type { TrafficCheck } from "../check/traffic.js";
import { bar, drawCells, drawTests, figure, lines, percentOff, pooledLine, round, testText } from "./check.js";
import { WIDTH, wrap } from "./wrap.js";

/** A service with what was found, and the p-value adjusted for testing all of them. */
export interface NamedJudgement extends Judgement {
  readonly service: string;
  readonly adjusted: number;
}

/** Services shown: those that deviate most. */
const MOST_ROWS = 30;
/** Rejected services whose endpoints are drawn. */
const MOST_DRAWN = 3;

/** A table of all services, and the endpoints of those that are rejected. */
export function drawMany(title: string, all: readonly NamedJudgement[], alpha: number): string {
  const sorted = [...all].sort((a, b) => a.chiSquare.pValue - b.chiSquare.pValue);
  const rejected = sorted.filter(({ adjusted }) => adjusted < alpha);
  const rows = sorted
    .slice(0, MOST_ROWS)
    .map((one) => [
      one.service,
      String(one.cells.length),
      formatCount(one.chiSquare.total),
      isTested(one) ? figure(one.chiSquare.statistic, 4) : "-",
      isTested(one) ? figure(one.chiSquare.pValue, 3) : "-",
      isTested(one) ? figure(one.adjusted, 3) : "-",
      isTested(one) ? (one.adjusted < alpha ? "NOT as the rules say" : "") : "nothing to test",
    ]);
  const table = drawTable(
    [
      { title: "service", align: "left" },
      { title: "endpoints", align: "right" },
      { title: "picks", align: "right" },
      { title: "chi-square", align: "right" },
      { title: "p-value", align: "right" },
      { title: "adjusted", align: "right" },
      { title: "", align: "left" },
    ],
    rows,
  );
  const left = sorted.length - rows.length;
  return lines([
    ...wrap(title, WIDTH),
    "",
    ...table,
    ...(left > 0 ? [`and ${left} more, closer to what is expected`] : []),
    ...rejected.slice(0, MOST_DRAWN).flatMap((one) => ["", one.service, ...drawCells(one), ...drawTests(one)]),
    "",
    ...concludeMany(all, rejected.length, alpha),
  ]);
}

function concludeMany(all: readonly NamedJudgement[], rejected: number, alpha: number): string[] {
  const tested = all.filter(isTested).length;
  if (tested === 0) return ["There is nothing to test."];
  const of = `${tested} service${tested === 1 ? "" : "s"} tested`;
  return [
    rejected === 0
      ? `${of}: nothing speaks against the probabilities (adjusted p >= ${alpha}, Holm).`
      : `${of}: the picks of ${rejected} do NOT follow the probabilities (adjusted p < ${alpha}, Holm).`,
  ];
}

/** What repeated seeds say of the tests themselves. */
export interface Repetition {
  readonly repeat: number;
  /** Seeds in which some service was rejected. */
  readonly rejections: number;
  readonly uniformity: UniformityTest;
  readonly pValues: readonly number[];
}

const DECILES = 10;

/** The p-values of all seeds and services as a histogram of ten cells. */
export function drawRepetition(title: string, repetition: Repetition, alpha: number): string {
  const { repeat, rejections, uniformity, pValues } = repetition;
  const counts = Array.from({ length: DECILES }, () => 0);
  for (const p of pValues) counts[Math.min(DECILES - 1, Math.floor(p * DECILES))]!++;
  const most = Math.max(1, ...counts);
  const rows = counts.map((count, i) => [
    `${(i / DECILES).toFixed(1)} to ${((i + 1) / DECILES).toFixed(1)}`,
    round(pValues.length / DECILES),
    formatCount(count),
    bar(count / most),
  ]);
  const table = drawTable(
    [
      { title: "p-value", align: "left" },
      { title: "expected", align: "right" },
      { title: "observed", align: "right" },
      { title: "", align: "left" },
    ],
    rows,
  );
  const { statistic, pValue, count } = uniformity;
  return lines([
    ...wrap(title, WIDTH),
    "",
    ...table,
    "",
    `${rejections} of ${repeat} seeds with a rejection (adjusted p < ${alpha}); expected at most ${figure(repeat * alpha, 3)} if all is as it should be`,
    `Kolmogorov-Smirnov ${figure(statistic, 4)} of ${formatCount(count)} p-values, p-value ${figure(pValue, 4)}`,
    pValue < alpha
      ? `The p-values are NOT uniform (p < ${alpha}): the picks do not follow what is expected.`
      : `Nothing speaks against uniform p-values (p >= ${alpha}).`,
  ]);
}

/** Picks and packets side by side. */
export function drawTraffic(title: string, check: TrafficCheck, affinity: boolean, alpha: number): string {
  const { cells, picks, packets, picksTest, packetsTest, correctedTest, designEffect } = check;
  const most = Math.max(1, ...cells.map((cell) => cell.packets));
  const rows = [...cells]
    .sort((a, b) => b.packets - a.packets)
    .slice(0, MOST_ROWS)
    .map((cell) => [
      cell.to,
      formatCount(cell.picks),
      percentOff(cell.picks, cell.probability * picks),
      formatCount(cell.connections),
      formatCount(cell.packets),
      percentOff(cell.packets, cell.probability * packets),
      bar(cell.packets / most),
    ]);
  const table = drawTable(
    [
      { title: "endpoint", align: "left" },
      { title: "picks", align: "right" },
      { title: "off by", align: "right" },
      { title: "connections", align: "right" },
      { title: "packets", align: "right" },
      { title: "off by", align: "right" },
      { title: "", align: "left" },
    ],
    rows,
  );
  const left = cells.length - rows.length;
  const unit = affinity ? "client (session affinity) or connection" : "connection";
  return lines([
    ...wrap(title, WIDTH),
    "",
    ...table,
    ...(left > 0 ? [`and ${left} more with fewer packets`] : []),
    "",
    ...pooledLine(picksTest),
    `picks: chi-square ${testText(picksTest)}`,
    `packets, as if each went its own way: chi-square ${testText(packetsTest)}`,
    `packets, design effect ${figure(designEffect, 4)} taken out: chi-square ${testText(correctedTest)}`,
    "",
    ...wrap(
      `Rules pick once a ${unit}; all its packets follow. So packets scatter ${figure(Math.sqrt(designEffect), 3)} times as far as ` +
        "single packets would, and a test that counts them one by one sees unfairness where there is none.",
      WIDTH,
    ),
    picksTest.pValue < alpha
      ? `The picks do NOT follow the probabilities of the rules (p < ${alpha}).`
      : `Nothing speaks against the picks (p >= ${alpha}).`,
  ]);
}

/** What counters of a real node can and cannot tell. */
const CAUTION =
  "Counters count first packets of connections (the nat chains see no others) since kube-proxy last wrote the chain: at its start, when the " +
  "service or its endpoints changed, or at a full sync. Clients that session affinity led back are left out: nobody drew for them. A small p-value " +
  "says that the counts are not what these probabilities give, not why: counters restored or zeroed in between and rules edited by hand look the same. " +
  "Even picks say nothing of load: connections live longer or shorter, and send more or less.";

/** `mixed`: services that were left out. */
export function drawCounters(
  title: string,
  all: readonly (CountedJudgement & NamedJudgement)[],
  mixed: readonly string[],
  alpha: number,
): string {
  const affinity = all.reduce((sum, { choice }) => sum + choice.byAffinity, 0);
  return [
    drawMany(title, all, alpha),
    lines([
      ...(mixed.length > 0
        ? wrap(
            `Left out, as the counters hold more than picks (session affinity, another choice): ` +
              `${mixed.slice(0, 5).join(", ")}${mixed.length > 5 ? ` and ${mixed.length - 5} more` : ""}`,
            WIDTH,
          )
        : []),
      ...(affinity > 0 ? [`${formatCount(affinity)} connections were led back by session affinity.`] : []),
      "",
      ...wrap(CAUTION, WIDTH),
    ]),
  ].join("");
}
