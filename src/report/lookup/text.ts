import { describeRun } from "../environment.js";
import type { Measurement } from "../measurement.js";
import { summarizeRounds } from "../rounds.js";
import { formatCount, formatFigure, TABLE_WIDTH } from "../table.js";
import { drawAlive, drawConnections, drawDestinations, drawPicks, drawReference, drawSizes } from "./sections.js";
import { compareHarnesses, findNoise, formatRatio, type HarnessResult, judgeLookup } from "./verdicts.js";

/** The whole report of the lookup study as text, at most TABLE_WIDTH wide where words allow. */
export function drawLookup(record: Measurement): string {
  const lines = [...drawHead(record), ""];
  for (const section of [drawSizes, drawDestinations, drawAlive, drawConnections, drawReference]) {
    const drawn = section(record);
    if (drawn) lines.push(drawn.title, ...drawn.lines, "");
  }
  lines.push(...drawHarnesses(record), ...drawPicks(record).flatMap((line) => wrap(line)), "");
  lines.push("Targets", ...drawVerdicts(record), "");
  if (record.notes.length > 0) lines.push(...record.notes.flatMap((note) => wrap(`Note: ${note}`)), "");
  return lines.join("\n");
}

function drawHead(record: Measurement): string[] {
  const run = new Map(describeRun(record));
  const values = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  const head = [
    `chainwalk bench, study ${record.study}: ${values("seed", "rounds")} of processes, ${Math.round(record.seconds)} s`,
    ...wrap(`${values("chainwalk", "node")}; ${run.get("cpu")}; ${run.get("kernel")}; flags ${run.get("flags")}`),
    ...wrap(
      "Median ± median absolute deviation; a sample is the mean over one batch, so no tail of single packets is " +
        "measured: p99 is of batch means. Rules visited and map lookups are exact, per packet.",
    ),
  ];
  if (record.quick)
    head.push(
      ...wrap("QUICK RUN: the largest rule set alone, one round of processes: no spread between processes, no growth."),
    );
  return head;
}

function drawHarnesses(record: Measurement): string[] {
  const compared = compareHarnesses(record);
  if (compared === undefined) return ["Harnesses: Benchmark.js did not run, nothing to compare tinybench with."];
  const { agree, noise, tinybench, benchmarkJs } = compared;
  const says = noise !== undefined ? `too noisy to compare (${noise})` : agree ? "agree" : "DISAGREE";
  const describe = ({ linear, indexed, ratio }: HarnessResult) => {
    const [slow, fast] = [linear, indexed].map((one) => formatFigure(summarizeRounds(one.rounds).median));
    return `${formatRatio(ratio)} (${slow} / ${fast} ns)`;
  };
  const at = `linear / indexed at ${formatCount(tinybench.linear.services)} services`;
  return wrap(
    `Harnesses ${says}: ${at} is ${describe(tinybench)} by tinybench, ${describe(benchmarkJs)} by Benchmark.js.`,
  );
}

function drawVerdicts(record: Measurement): string[] {
  const verdicts = judgeLookup(record);
  const width = Math.max(...verdicts.map(({ outcome }) => outcome.length));
  const lines = verdicts.flatMap(({ what, outcome, detail }) =>
    wrap(`${outcome.toUpperCase().padEnd(width)}  ${what}: ${detail}`, " ".repeat(width + 2)),
  );
  const noise = findNoise(record);
  return noise === undefined ? lines : [...lines, ...wrap(`This run is too noisy to conclude from: ${noise}.`)];
}

/** Breaks a line between words; continuation lines are indented. */
export function wrap(text: string, indent = "  "): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > TABLE_WIDTH) {
    const at = rest.lastIndexOf(" ", TABLE_WIDTH);
    if (at <= indent.length) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at + 1);
  }
  return [...lines, rest];
}
