import { type Document, left, right, type Section } from "../document.js";
import { describeRun } from "../environment.js";
import { type Factors, FACTOR_NAMES, type Measurement } from "../measurement.js";
import { findNoise } from "../noise.js";
import { formatRatio } from "../numbers.js";
import { formatCount, formatFigure } from "../table.js";
import { contrastBuilds, contrastRuns } from "./contrasts.js";
import { judge, type Judged, THRESHOLD, THRESHOLD_IN_TURN } from "./judge.js";

/** Whether cases of two runs differ, by study; the studies that only one of them holds are left out. */
export function compareRuns(
  before: readonly Measurement[],
  after: readonly Measurement[],
  threshold = THRESHOLD,
): Comparison[] {
  return after.flatMap((record) => {
    const old = before.find(({ study }) => study === record.study);
    return old === undefined ? [] : [compareRecords(old, record, threshold)];
  });
}

export interface Comparison {
  readonly study: string;
  readonly judged: readonly Judged[];
  readonly document: Document;
}

function compareRecords(before: Measurement, after: Measurement, threshold: number): Comparison {
  const judged = judge(contrastRuns(before, after), threshold);
  const both = [before, after] as const;
  const remarks = [
    ...both.map((record, i) => `${i === 0 ? "Before" : "After"}: ${describeOne(record)}.`),
    ...differences(before, after),
    ...both.flatMap((record, i) => {
      const noise = findNoise(record);
      return noise === undefined ? [] : [`The run ${i === 0 ? "before" : "after"} was noisy: ${noise}.`];
    }),
  ];
  const title = `chainwalk report --compare, study ${after.study}: after / before`;
  return {
    study: after.study,
    judged,
    document: documentOfJudged(after.study, title, remarks, judged, ["before", "after"], threshold),
  };
}

/** Whether this build differs from the other one that was measured with it. Undefined where only one build was. */
export function compareBuilds(record: Measurement, threshold = THRESHOLD_IN_TURN): Comparison | undefined {
  const judged = judge(contrastBuilds(record), threshold);
  if (judged.length === 0) return undefined;
  const noise = findNoise(record);
  const remarks = [
    `${describeOne(record)}; the two builds in turn, in processes one after the other.`,
    ...(noise === undefined ? [] : [`This run was noisy: ${noise}.`]),
  ];
  const title = `chainwalk bench --against, study ${record.study}: this build / the other`;
  return {
    study: record.study,
    judged,
    document: documentOfJudged(record.study, title, remarks, judged, ["other", "this"], threshold),
  };
}

function documentOfJudged(
  study: string,
  title: string,
  remarks: readonly string[],
  judged: readonly Judged[],
  names: readonly [string, string],
  threshold: number,
): Document {
  const count = (outcome: Judged["outcome"]) => judged.filter((one) => one.outcome === outcome).length;
  const other = judged.filter(({ contrast }) => !contrast.sameWork).length;
  return {
    study,
    title,
    remarks: [
      ...remarks,
      "Times are compared in units of a fixed loop that each process times beside its variants. Faster or slower is said of differences surely beyond " +
        `${formatFigure(threshold * 100)} %, with at most one in twenty of them wrong (Benjamini and Hochberg).`,
    ],
    sections: [
      drawJudged(judged, names),
      {
        title: "",
        paragraphs: [
          `${formatCount(count("slower"))} slower, ${formatCount(count("faster"))} faster, ` +
            `${formatCount(count("cannot tell"))} of ${formatCount(judged.length)} cannot tell.`,
          ...(judged.some(({ ratio }) => ratio.high === Infinity)
            ? ["[?]: one process a case says nothing of how much processes differ. Measure for longer (--duration)."]
            : []),
          ...(other === 0 ? [] : [`* In ${formatCount(other)} cases the exact columns differ: other work was done.`]),
        ],
      },
    ],
    figures: [],
  };
}

function drawJudged(judged: readonly Judged[], [from, to]: readonly [string, string]): Section {
  const differ = FACTOR_NAMES.filter((name) => new Set(judged.map(({ contrast }) => contrast.factors[name])).size > 1);
  const rows = judged.map(({ contrast, ratio, outcome }) => [
    nameOf(contrast.factors, differ),
    ...contrast.medians.map(formatFigure),
    ratio.high === Infinity ? `${formatFigure(ratio.estimate)} [?]` : formatRatio(ratio),
    `${outcome}${contrast.sameWork ? "" : " *"}`,
  ]);
  const unit =
    new Set(judged.map(({ contrast }) => contrast.unit)).size > 1 ? "ns or bytes" : (judged[0]?.contrast.unit ?? "ns");
  const columns = [left("case, services"), right(`${from},\n${unit}`), right(to), right("ratio [95 %]"), left("")];
  return { title: "", table: { columns, rows } };
}

/** What nearly all cases have, and is left out of their names. */
const USUAL: readonly unknown[] = ["tinybench", "uniform", "this"];

/** The factors in which cases differ, numbers with what they count; one without anything is of services. */
function nameOf(factors: Factors, differ: readonly (keyof Factors)[]): string {
  return differ
    .flatMap((name) => {
      const value = factors[name];
      if (value === undefined || USUAL.includes(value) || (name === "ruleSets" && value === 1)) return [];
      return [typeof value === "number" ? `${shortCount(value)}${COUNTED[name] ?? ` ${name}`}` : value];
    })
    .join(" ");
}

const COUNTED: Partial<Record<keyof Factors, string>> = {
  services: "",
  ruleSets: " rule sets",
  packetsPerConnection: " packets each",
  place: " before it",
};

/** `10k`, `1M`, and everything else as it is. */
function shortCount(value: number): string {
  if (value > 0 && value % 1e6 === 0) return `${value / 1e6}M`;
  return value > 0 && value % 1e3 === 0 ? `${value / 1e3}k` : formatCount(value);
}

function describeOne(record: Measurement): string {
  const run = new Map(describeRun(record));
  return `chainwalk ${run.get("chainwalk")}, node ${run.get("node")}, ${run.get("cpu")}, seed ${record.seed}, rounds ${run.get("rounds")}`;
}

/** What makes two runs hard to compare. */
function differences(before: Measurement, after: Measurement): string[] {
  const [was, is] = [before, after].map((record) => new Map(describeRun(record)));
  const names = ["cpu", "kernel", "node", "flags"].filter((name) => was!.get(name) !== is!.get(name));
  const said =
    names.length === 0
      ? []
      : [`Taken in different places (${names.join(", ")}): only ratios to each run's own yardstick are compared.`];
  return before.seed === after.seed ? said : [...said, "The seeds differ: other packets, other rule sets."];
}
