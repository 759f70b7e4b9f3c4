/** Whatever becomes of a rule text, its reader says in time what is wrong and where; and what it does read, it read well. */
import { isDeepStrictEqual } from "node:util";
import { expect, it } from "vitest";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { type ReadResult, readRules, type RuleFormat } from "../../src/syntax/read.js";
import { damage, picks, realTexts } from "./damage.js";
import { plain } from "./round-trip.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20261126);
const inputs = long ? 100_000 : 2500;
/** Of one input, in milliseconds: reading it, printing it, reading that. */
const SLOWEST = 1000;
/** Resident, in MB, of the whole process. */
const LARGEST = 500;
const rerun = `rerun: CHAINWALK_SEED=${seed}${long ? " CHAINWALK_LONG=1" : ""} npx vitest run --config test/vitest.config.ts test/syntax/damaged.test.ts`;

const texts = realTexts();
/** Damaged texts that could be read all the same, by format: a law about what is read must have met some. */
const survived = new Map<RuleFormat, number>();

/** What is wrong with the way an input was read; undefined where nothing is. */
function fault(input: string | Uint8Array, from: RuleFormat | undefined): string | undefined {
  const read = readRules(input, from === undefined ? {} : { from });
  const errors = read.problems.filter((problem) => problem.severity === "error");
  if ((read.ruleset === undefined) !== errors.length > 0) return "a rule set and an error, or neither";
  const wrong = misplaced(read);
  if (wrong !== undefined || read.ruleset === undefined) return wrong;
  survived.set(read.format!, (survived.get(read.format!) ?? 0) + 1);
  return unequal(read.ruleset, read.format!);
}

/** A problem without a place, or with one that is none of the text. */
function misplaced({ problems, text }: ReadResult): string | undefined {
  const lines = text?.split("\n");
  for (const { span, message } of problems) {
    if (span === undefined) return `no place: ${message}`;
    const { line, column } = span;
    const width = lines === undefined ? Infinity : lines[line - 1]?.length;
    if (!(line >= 1 && column >= 1 && width !== undefined && column <= width + 1))
      return `${line}:${column} is no place of the text: ${message}`;
  }
  return undefined;
}

/** What was read, printed and read again, where that is something else. */
function unequal(ruleset: RuleSet, format: RuleFormat): string | undefined {
  const nft = format.startsWith("nft");
  const printed = nft ? printNft(ruleset) : printRules(ruleset);
  const again = readRules(printed, { from: nft ? "nft" : format });
  if (again.ruleset === undefined) return `refuses what it printed: ${again.problems[0]!.message}\n${printed}`;
  const [want, got] = [plain(ruleset), plain(again.ruleset)];
  return isDeepStrictEqual(want, got) ? undefined : `prints something else:\n${printed}`;
}

it("damaged texts are read or refused: in time, at their place, within memory", { timeout: 3_600_000 }, () => {
  let [slowest, largest] = [0, 0];
  const begun = performance.now();
  for (let number = 0; number < inputs; number++) {
    const pick = picks(seed, number);
    const { format, text } = texts[pick(texts.length)]!;
    const damaged = damage(text, pick);
    const input = pick(2) === 0 ? damaged : Buffer.from(damaged);
    // Bytes may be damaged too: most are no character then.
    if (typeof input !== "string" && input.length > 0 && pick(10) === 0) input[pick(input.length)] = pick(256);
    const from = pick(2) === 0 ? format : undefined;
    const start = performance.now();
    let wrong: string | undefined;
    try {
      wrong = fault(input, from);
    } catch (failure) {
      wrong = `throws ${(failure as Error).stack}`;
    }
    const time = performance.now() - start;
    slowest = Math.max(slowest, time);
    if (time > SLOWEST) wrong ??= `takes ${Math.round(time)} ms`;
    expect(wrong, `input ${number} (${format}); ${rerun}\n${damaged.slice(0, 8000)}`).toBeUndefined();
    largest = Math.max(largest, process.memoryUsage.rss() / 2 ** 20);
  }
  const seconds = (performance.now() - begun) / 1000;
  const counts = [...survived].map(([format, count]) => `${count} of ${format}`).join(", ");
  console.log(
    `seed ${seed}: ${inputs} inputs in ${seconds.toFixed(1)} s, the slowest ${slowest.toFixed(0)} ms, ${largest.toFixed(0)} MB at most; read all the same: ${counts}`,
  );
  for (const format of ["iptables-save", "iptables-listing", "nft"] as const)
    expect(survived.get(format), `no ${format} was read; ${rerun}`).toBeGreaterThan(0);
  expect(largest, rerun).toBeLessThan(LARGEST);
});
