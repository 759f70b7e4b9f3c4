/** Whether a claim holds, by what its command said. */
import {
  type BenchCase,
  documentOf,
  findBusy,
  findCases,
  type Measurement,
  median,
  parseMeasurement,
} from "../../src/index.js";
import type { Claim, TestedClaim, Tolerance } from "./read.js";

/** What a command came to. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall time. */
  readonly seconds: number;
}

export interface Judged {
  readonly outcome: "pass" | "fail" | "not tested";
  /** The measured value, or why there is none. */
  readonly measured: string;
}

/** The command of a claim in this mode, or why none is run. */
export function commandOf(claim: Claim, quick: boolean): { claim: TestedClaim; command: string } | { why: string } {
  if ("needs" in claim) return { why: `needs ${claim.needs}: ${claim.command}` };
  if (quick && claim.fullOnly !== undefined) return { why: `${claim.fullOnly}; not in quick mode` };
  return { claim, command: quick ? (claim.quick ?? claim.command) : claim.command };
}

/** A command that ends badly, or says nothing that can be read, fails its claim. */
export function judgeClaim(claim: TestedClaim, ran: Ran): Judged {
  const { reading, tolerance } = claim;
  const failed = (why: string): Judged => ({ outcome: "fail", measured: why });
  // 1 is the answer no, and what was found is printed all the same.
  if (ran.exitCode > 1 || ran.exitCode < 0 || ran.stdout === "" || (reading.read === "seconds" && ran.exitCode !== 0))
    return failed(`exit code ${ran.exitCode}: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`.trimEnd());
  if (reading.read === "seconds") return judgeValue(ran.seconds, tolerance);
  try {
    if (reading.read === "field") return judgeValue(fieldOf(JSON.parse(ran.stdout), reading.path), tolerance);
    const record = parseMeasurement(ran.stdout);
    switch (reading.read) {
      case "target":
        return judgeTarget(record, reading.target);
      case "median":
        return judgeMedian(record, reading.factors, reading.unitOf, tolerance);
      case "ratio":
        return judgeRatio(record, [reading.of, reading.to], tolerance);
    }
  } catch (error) {
    return failed((error as Error).message.split("\n")[0]!);
  }
}

function judgeTarget(record: Measurement, target: string): Judged {
  const found = documentOf(record)
    .sections.flatMap(({ verdicts = [] }) => verdicts)
    .find(({ what }) => what === target);
  if (found === undefined) throw new Error(`the study ${record.study} has no target "${target}"`);
  switch (found.outcome) {
    case "pass":
      return { outcome: "pass", measured: withoutBound(found.detail) };
    case "miss":
      return { outcome: "fail", measured: withoutBound(found.detail) };
    case "too noisy":
      return { outcome: "not tested", measured: `too noisy (${found.detail})` };
    case "not measured":
      return { outcome: "not tested", measured: found.detail };
  }
}

/** What a target found: its bound, and what is said after it, stand in the tolerance and in the study's own report. */
function withoutBound(detail: string): string {
  return detail.split(/, at most |, from |; /)[0]!;
}

type CaseFactors = Readonly<Record<string, string | number>>;

function caseWith(record: Measurement, factors: CaseFactors): BenchCase {
  const found = findCases(record, factors);
  if (found.length !== 1) throw new Error(`${found.length} cases have the factors ${JSON.stringify(factors)}, not one`);
  return found[0]!;
}

const timeOf = ({ rounds }: BenchCase): number => median(rounds.map(({ samples }) => median(samples)));

/** A busy machine only makes times longer: what keeps below a bound all the same does pass, what exceeds it says nothing. */
function judgeMedian(record: Measurement, factors: CaseFactors, unitOf: number, tolerance: Tolerance): Judged {
  const found = caseWith(record, factors);
  const judged = judgeValue(timeOf(found) / unitOf, tolerance);
  const busy = findBusy([found]);
  return judged.outcome === "fail" && busy !== undefined ? tooNoisy(judged, busy) : judged;
}

/** On a busy machine a ratio says nothing either way. */
function judgeRatio(record: Measurement, [of, to]: readonly [CaseFactors, CaseFactors], tolerance: Tolerance): Judged {
  const cases = [caseWith(record, of), caseWith(record, to)] as const;
  const judged = judgeValue(timeOf(cases[0]) / timeOf(cases[1]), tolerance);
  const busy = findBusy(cases);
  return busy === undefined ? judged : tooNoisy(judged, busy);
}

const tooNoisy = ({ measured }: Judged, busy: string): Judged => ({
  outcome: "not tested",
  measured: `too noisy (${measured}; ${busy})`,
});

function judgeValue(value: unknown, { least, most, equals, within, unit }: Tolerance): Judged {
  const bounded = least !== undefined || most !== undefined || within !== undefined;
  if (bounded && (typeof value !== "number" || !Number.isFinite(value)))
    throw new Error(`a number was expected, found ${JSON.stringify(value)}`);
  const number = value as number;
  const near =
    equals === undefined ||
    (within === undefined ? value === equals : Math.abs(number / (equals as number) - 1) <= within);
  const passed = near && number >= (least ?? number) && number <= (most ?? number);
  return { outcome: passed ? "pass" : "fail", measured: withUnit(formatValue(value), unit) };
}

function fieldOf(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, step) => {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step))
      throw new Error(`nothing stands at ${path.join(".")} of what was printed`);
    return (at as Record<string | number, unknown>)[step];
  }, value);
}

/** `at most 2 x C`, `3 to 19 runs`, `4.1e+7 within 2 %`, `true`. */
export function formatTolerance({ least, most, equals, within, unit }: Tolerance): string {
  const parts = [
    ...(equals === undefined ? [] : [formatValue(equals)]),
    ...(within === undefined ? [] : [`within ${within * 100} %`]),
    ...(least !== undefined && most !== undefined
      ? [`${formatValue(least)} to ${formatValue(most)}`]
      : least !== undefined
        ? [`at least ${formatValue(least)}`]
        : most !== undefined
          ? [`at most ${formatValue(most)}`]
          : []),
  ];
  return withUnit(parts.join(" "), unit);
}

function formatValue(value: unknown): string {
  if (typeof value !== "number") return String(value);
  if (value >= 1e6) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function withUnit(text: string, unit: string | undefined): string {
  return unit === undefined ? text : `${text} ${unit}`;
}
