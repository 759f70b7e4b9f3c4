import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { documentClaims } from "../../bench/claims/document.js";
import { commandOf, formatTolerance, judgeClaim, type Ran } from "../../bench/claims/judge.js";
import { ClaimsError, parseClaims, type TestedClaim } from "../../bench/claims/read.js";
import { formatText } from "../../src/report/formats/text.js";
import { formatMeasurement, type Measurement } from "../../src/report/measurement.js";
import {
  ESTABLISHED_OVER_C,
  GROWTH,
  INDEXED_OVER_C,
  LINEAR_OVER_C,
  LINEAR_SLOPE,
  OBJECT_OVER_BATCH,
} from "../../src/report/studies/lookup/targets.js";
import { makeRecord, scaleTimes } from "../report/record.js";

const text = readFileSync("bench/claims.json", "utf8");
const claims = parseClaims(text);
const claimOf = (id: string): TestedClaim => claims.find((one) => one.id === id) as TestedClaim;
const ended = (stdout: string, more: Partial<Ran> = {}): Ran => ({
  exitCode: 0,
  stdout,
  stderr: "",
  seconds: 1,
  ...more,
});
const judge = (id: string, ran: Ran) => judgeClaim(claimOf(id), ran);
const outcome = (id: string, value: object) => judge(id, ended(JSON.stringify(value))).outcome;

describe("bench/claims.json", () => {
  it("says the bounds that the lookup study judges by", () => {
    const ids = [
      "indexed-lookup",
      "indexed-lookup-in-turn",
      "linear-scan",
      "established",
      "one-call",
      "indexed-growth",
      "linear-growth",
    ];
    const bounds = ids.map((id) => {
      const { least, most } = claimOf(id).tolerance;
      return { least, most };
    });
    expect(bounds).toEqual([
      { most: INDEXED_OVER_C.most },
      { most: INDEXED_OVER_C.most },
      { most: LINEAR_OVER_C.most },
      { most: ESTABLISHED_OVER_C.most },
      { most: OBJECT_OVER_BATCH.most },
      { most: GROWTH.most },
      { ...LINEAR_SLOPE },
    ]);
  });

  it("names only targets that the lookup study has", () => {
    const record = ended(formatMeasurement(makeRecord()));
    const targets = claims.filter((one) => "reading" in one && one.reading.read === "target");
    expect(targets.map(({ id }) => [id, judge(id, record).outcome])).toEqual(targets.map(({ id }) => [id, "pass"]));
  });

  it.each<[string, (value: { claims: Record<string, unknown>[] }) => void, RegExp]>([
    ["a command of another program", ({ claims }) => (claims[0]!["command"] = "rm x"), /claims\[0\]/],
    ["no bound", ({ claims }) => (claims[0]!["tolerance"] = {}), /claims\[0\]/],
    ["an id twice", ({ claims }) => (claims[1]!["id"] = claims[0]!["id"]), /two claims have one id/],
    ["an unknown key", (value) => Object.assign(value, { other: 1 }), /other/],
  ])("is refused with %s", (_, damage, message) => {
    const value = JSON.parse(text) as { claims: Record<string, unknown>[] };
    damage(value);
    expect(() => parseClaims(JSON.stringify(value))).toThrow(ClaimsError);
    expect(() => parseClaims(JSON.stringify(value))).toThrow(message);
  });

  it("is refused where it is no JSON", () => expect(() => parseClaims("{")).toThrow(ClaimsError));
});

describe("judgeClaim", () => {
  it("passes what lies within the tolerance and fails what does not", () => {
    const power = (needed: number) => outcome("power", { choices: [{ needed }] });
    expect([4.1e7, 4.18e7, 4.19e7, 4.0e7].map(power)).toEqual(["pass", "pass", "fail", "fail"]);
    expect([2, 3, 19, 20].map((rejections) => outcome("fair-rejected", { rejections }))).toEqual([
      "fail",
      "pass",
      "pass",
      "fail",
    ]);
    expect([true, false].map((equal) => outcome("verify-equal", { equal }))).toEqual(["pass", "fail"]);
  });

  it("judges seconds only of a command that ended well", () => {
    expect(judge("verify-time", ended("{}", { seconds: 60 })).outcome).toBe("pass");
    expect(judge("verify-time", ended("{}", { seconds: 60.5 })).outcome).toBe("fail");
    expect(judge("verify-time", ended("{}", { exitCode: 1 })).outcome).toBe("fail");
  });

  it("fails a command that ended badly, or did not say what it should", () => {
    expect(judge("power", ended("", { exitCode: 2, stderr: "error: no\n" }))).toEqual({
      outcome: "fail",
      measured: "exit code 2: error: no",
    });
    expect(judge("power", ended("{}")).measured).toContain("choices.0.needed");
    expect(outcome("power", { choices: [{ needed: null }] })).toBe("fail");
    expect(judge("indexed-lookup", ended("{}")).outcome).toBe("fail");
  });

  it("takes a study's word: missed is a failure, too noisy is not tested", () => {
    const slow = scaleTimes(makeRecord(), 3, ({ factors }) => factors.engine === "indexed");
    expect(judge("indexed-lookup", ended(formatMeasurement(slow))).outcome).toBe("fail");
    const { outcome, measured } = judge("indexed-lookup", ended(formatMeasurement(withShare(slow, 0.5))));
    expect([outcome, measured.slice(0, 9)]).toEqual(["not tested", "too noisy"]);
  });

  it("an upper bound kept on a busy machine is kept, one exceeded there says nothing", () => {
    expect(judge("update", update(30_000, 0.99))).toEqual({ outcome: "pass", measured: "30 us" });
    expect(judge("update", update(30_000, 0.5)).outcome).toBe("pass");
    expect(judge("update", update(60_000, 0.99)).outcome).toBe("fail");
    expect(judge("update", update(60_000, 0.5)).outcome).toBe("not tested");
  });

  it("a ratio is of two cases, and says nothing where the machine was busy", () => {
    const growing = (factor: number, share = 0.99): Ran => {
      const record = makeRecord([1000, 100_000]);
      const slower = scaleTimes(record, factor, ({ factors }) => factors.services === 100_000);
      const own = slower.cases.filter(({ factors }) => factors.engine === "indexed" && factors.ruleSets === 1);
      const cases = own.filter(({ factors }) => factors.harness === "tinybench" && factors.flows === undefined);
      return ended(formatMeasurement(withShare({ ...slower, cases }, share)));
    };
    expect(judge("large-rule-sets", growing(1))).toEqual({ outcome: "pass", measured: "2.394 x" });
    expect(judge("large-rule-sets", growing(2)).outcome).toBe("fail");
    expect(judge("large-rule-sets", growing(1, 0.5)).outcome).toBe("not tested");
  });
});

describe("what is run", () => {
  it("quick runs leave out what takes long; what needs a kernel is never run", () => {
    expect(commandOf(claimOf("bias-found"), true)).toHaveProperty("why");
    expect(commandOf(claimOf("bias-found"), false)).toHaveProperty("command");
    expect(commandOf(claimOf("kernel-line"), false)).toHaveProperty("why");
    expect(commandOf(claimOf("verify-equal"), true)).toHaveProperty("command", claimOf("verify-equal").quick);
  });

  it("is counted and drawn, with the reason of what was not tested", () => {
    const rows = [
      { claim: claimOf("power"), judged: { outcome: "pass", measured: "4.14e+7" } as const },
      { claim: claimOf("update"), judged: { outcome: "not tested", measured: "too noisy (60 us)" } as const },
    ];
    const drawn = formatText(documentClaims(rows, true));
    expect(drawn).toContain("Claims of the README, quick: 1 pass, 0 fail, 1 not tested");
    expect(drawn).toMatch(/PASS +power +4\.10e\+7 within 2 % +4\.14e\+7/);
    expect(drawn).toContain("update: too noisy (60 us)");
    expect(formatTolerance(claimOf("fair-rejected").tolerance)).toBe("3 to 19 of 200");
  });
});

function withShare(record: Measurement, cpuShare: number): Measurement {
  return {
    ...record,
    cases: record.cases.map((one) => ({ ...one, rounds: one.rounds.map((round) => ({ ...round, cpuShare })) })),
  };
}

function update(ns: number, cpuShare: number): Ran {
  const record = makeRecord();
  const factors = { engine: "indexed", harness: "tinybench", services: 10_000, stage: "update" } as const;
  const rounds = [{ process: 0, samples: [ns], collections: 0, cpuShare }];
  const one = { factors, unit: "ns", per: "update", batch: 1, exact: {}, rounds } as const;
  return ended(formatMeasurement({ ...record, study: "scale", cases: [{ ...one, rounds }] }));
}
