import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { compareBuilds, compareRuns } from "../../src/report/compare/document.js";
import { formatText } from "../../src/report/formats/text.js";
import type { BenchCase, Measurement } from "../../src/report/measurement.js";
import { documentOf } from "../../src/report/studies/index.js";
import { TABLE_WIDTH } from "../../src/report/table.js";
import { makeRecord } from "./record.js";

const template = makeRecord([100, 1000, 10_000]);

interface World {
  readonly random: () => number;
  readonly rounds: number;
  /** Standard deviation of processes, relative. */
  readonly spread: number;
  /** What makes a case slower. */
  readonly slower?: (one: BenchCase) => number;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A run on a machine whose speed changes from process to process by up to a half: the yardstick feels it, and so does every case. */
function simulate({ random, rounds, spread, slower }: World): Measurement {
  const processes: Measurement["processes"] = [];
  const cases = template.cases.map((one) => {
    const ns = one.rounds[0]!.samples[3]!;
    const own = Array.from({ length: rounds }, (_, round) => {
      const load = 1 + random() / 2;
      processes.push({ run: 0, round, yardstick: [5 * load, 5.1 * load, 4.95 * load] });
      const time = ns * load * Math.exp(spread * normal(random)) * (slower?.(one) ?? 1);
      const samples = Array.from({ length: 15 }, () => time * Math.exp(0.05 * normal(random)));
      return { process: processes.length - 1, samples, collections: 0, cpuShare: 1 };
    });
    return { ...one, rounds: own };
  });
  return { ...template, processes, cases };
}

const judged = (before: Measurement, after: Measurement) => compareRuns([before], [after])[0]!.judged;

describe("comparing two runs", () => {
  it("cannot tell where nothing changed: at least 95 % of the cases in each of ten pairs", () => {
    const random = seedrandom.alea("nothing changed");
    for (const [rounds, spread] of [
      [2, 0.03],
      [3, 0.1],
      [8, 0.02],
    ] as const)
      for (let pair = 0; pair < 10; pair++) {
        const all = judged(simulate({ random, rounds, spread }), simulate({ random, rounds, spread }));
        const open = all.filter(({ outcome }) => outcome === "cannot tell").length;
        expect(open / all.length).toBeGreaterThanOrEqual(0.95);
      }
  });

  it("finds what became slower by 30 %, and nothing else", () => {
    const random = seedrandom.alea("thirty percent");
    const isSlower = ({ factors }: BenchCase) => factors.engine === "indexed" && factors.packet === "first";
    const before = simulate({ random, rounds: 4, spread: 0.03 });
    const after = simulate({ random, rounds: 4, spread: 0.03, slower: (one) => (isSlower(one) ? 1.3 : 1) });
    const ofIndexed = (all: ReturnType<typeof judged>) =>
      all.filter(({ contrast }) => contrast.factors.engine === "indexed" && contrast.factors.packet === "first");
    const all = judged(before, after);
    for (const { outcome, ratio } of ofIndexed(all)) {
      expect(outcome).toBe("slower");
      expect(ratio.estimate).toBeGreaterThan(1.2);
      expect(ratio.estimate).toBeLessThan(1.4);
    }
    expect(all.filter(({ outcome }) => outcome !== "cannot tell").length).toBe(ofIndexed(all).length);
    for (const { outcome } of ofIndexed(judged(after, before))) expect(outcome).toBe("faster");
  });

  it("takes a slower machine for no slower program", () => {
    const random = seedrandom.alea("slow machine");
    const before = simulate({ random, rounds: 4, spread: 0.02 });
    const after = simulate({ random, rounds: 4, spread: 0.02 });
    const by2 = (values: readonly number[]) => values.map((value) => value * 2);
    const slow: Measurement = {
      ...after,
      processes: after.processes.map((one) => ({ ...one, yardstick: by2(one.yardstick) })),
      cases: after.cases.map((one) => ({
        ...one,
        rounds: one.rounds.map((round) => ({ ...round, samples: by2(round.samples) })),
      })),
    };
    expect(judged(before, slow).filter(({ outcome }) => outcome !== "cannot tell")).toHaveLength(0);
  });

  it("tells nothing from one process each, and shows that it knows no interval", () => {
    const random = seedrandom.alea("one process");
    const [before, after] = [1, 2].map((slower) => simulate({ random, rounds: 1, spread: 0.01, slower: () => slower }));
    for (const { outcome } of judged(before!, after!)) expect(outcome).toBe("cannot tell");
    expect(formatText(compareRuns([before!], [after!])[0]!.document)).toContain("[?]");
  });

  it("says where other work was done, and from other seeds", () => {
    const after = {
      ...template,
      seed: 2,
      cases: template.cases.map((one) => ({ ...one, exact: { ...one.exact, checksum: 1 } })),
    };
    const text = formatText(compareRuns([template], [after])[0]!.document);
    expect(text).toContain("other work");
    expect(text).toContain("The seeds differ");
  });

  it("leaves out cases and studies that one of them lacks", () => {
    const fewer = { ...template, cases: template.cases.slice(0, 5) };
    expect(judged(template, fewer)).toHaveLength(5);
    expect(compareRuns([template], [{ ...template, study: "other" }])).toEqual([]);
  });
});

describe("comparing two builds of one run", () => {
  function twoBuilds(slowdown: number, rounds: number): Measurement {
    const random = seedrandom.alea(`builds ${slowdown}`);
    const own = simulate({ random, rounds, spread: 0.02, slower: () => slowdown });
    const other = simulate({ random, rounds, spread: 0.02 });
    const shift = own.processes.length;
    const as = (build: "this" | "other", { cases }: Measurement, by: number) =>
      cases.map((one) => ({
        ...one,
        factors: { ...one.factors, build },
        rounds: one.rounds.map((round) => ({ ...round, process: round.process + by })),
      }));
    return {
      ...own,
      processes: [...own.processes, ...other.processes],
      cases: [...as("this", own, 0), ...as("other", other, shift)],
    };
  }

  it("finds a slow-down of 10 %, and none where there is none", () => {
    const slow = compareBuilds(twoBuilds(1.1, 12))!.judged;
    expect(slow.filter(({ outcome }) => outcome === "slower").length / slow.length).toBeGreaterThan(0.9);
    const same = compareBuilds(twoBuilds(1, 12))!.judged;
    expect(same.every(({ outcome }) => outcome === "cannot tell")).toBe(true);
  });

  it("finds it in spite of processes that something else kept waiting", () => {
    const record = twoBuilds(1.1, 12);
    const disturbed = (factor: number, round: number) => (one: BenchCase) => ({
      ...one,
      rounds: one.rounds.map((own, r) =>
        r === round && one.factors.build === "this" ? { ...own, samples: own.samples.map((ns) => ns * factor) } : own,
      ),
    });
    const cases = record.cases.map(disturbed(2, 3)).map(disturbed(0.6, 8));
    const found = compareBuilds({ ...record, cases })!.judged.filter(({ outcome }) => outcome === "slower");
    expect(found.length / cases.length).toBeGreaterThan(0.45);
  });

  it("is undefined where there is one build, and stands at the end of the study's report where there are two", () => {
    expect(compareBuilds(template)).toBeUndefined();
    const record = twoBuilds(1.1, 6);
    const text = formatText(documentOf(record));
    expect(text).toContain("this build / the other");
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(TABLE_WIDTH);
  });
});
