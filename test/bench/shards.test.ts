import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseArguments } from "../../bench/arguments.js";
import { partOf, type ProcessPlan } from "../../bench/plan.js";
import type { ProcessResult } from "../../bench/processes.js";
import { studies } from "../../bench/studies/index.js";
import { carryOut } from "../../bench/subjects/index.js";
import { exactPart, formatMeasurement, type Measurement, mergeRecords, parseMeasurement } from "../../src/index.js";
import { planSmall, runSmall } from "./small-run.js";

const COUNTS = [1, 2, 3, 4, 5];
const shardsOf = (count: number) => Array.from({ length: count }, (_, i) => ({ index: i + 1, count }));

describe.each([...studies.keys()])("shards of the study %s", (name) => {
  it.each([[], ["--quick"], ["--services", "30,50,70"], ["--engine", "indexed"]])(
    "are the whole plan, in its order, of about the same length (%s %s)",
    (...words) => {
      const options = parseArguments(["--study", name, ...words], studies);
      for (const equipment of [true, false]) {
        const { plans } = studies.get(name)!.plan(options, { compiler: equipment, benchmarkJs: equipment });
        for (const count of COUNTS) {
          const parts = shardsOf(count).map((shard) => partOf(plans, shard));
          expect(parts.flat()).toEqual(plans);
          const lengths = parts.map((part) => part.length);
          expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
        }
      }
    },
  );

  it("give merged what the study gives whole, in any number and in any order", async () => {
    // Each process is carried out once: that another time gives the same is the law of same-seed.test.ts.
    const done = new Map<string, Promise<ProcessResult>>();
    const work = (plan: ProcessPlan): Promise<ProcessResult> => {
      const key = JSON.stringify(plan);
      if (!done.has(key)) done.set(key, carryOut(plan, { directory: "" }));
      return done.get(key)!;
    };
    const whole = read(await runSmall(name, { seed: 5, turn: 1, work }));
    const { plans } = planSmall(name, 5);
    for (const count of COUNTS.filter((n) => n > 1 && n <= plans.length)) {
      const parts: { name: string; record: Measurement }[] = [];
      for (const shard of shardsOf(count)) {
        const record = await runSmall(name, { seed: 5, shard, work });
        parts.push({ name: String(shard.index), record: read(record) });
      }
      const [merged, ...more] = mergeRecords(parts.toReversed());
      expect(more).toEqual([]);
      expect(JSON.stringify(exactPart(merged!))).toBe(JSON.stringify(exactPart(whole)));
      expect(merged!.notes).toEqual(whole.notes);
      expect(merged!.cases.map(sampling)).toEqual(whole.cases.map(sampling));
      expect(merged!.processes.map(({ run }) => run)).toEqual(merged!.processes.map(({ run }) => run).toSorted());
      expect(new Set(merged!.processes.map(({ run }) => run)).size).toBe(count);
      expect(read(merged!)).toEqual(merged);
    }
  }, 120_000);
});

/** The record as it is after writing and reading. */
const read = (record: Measurement): Measurement => parseMeasurement(formatMeasurement(record));

/** How a case was sampled: in how many processes, and batches of what length. */
const sampling = ({ batch, rounds }: Measurement["cases"][number]) => [batch, rounds.length];

describe("the job for Kubernetes", () => {
  interface Job {
    readonly spec: {
      readonly completionMode: string;
      readonly completions: number;
      readonly template: {
        readonly spec: { readonly containers: readonly { command: string[]; args: string[]; env: Variable[] }[] };
      };
    };
  }
  type Variable = Readonly<Record<"name" | "value", string>>;
  const documents = parseAllDocuments(readFileSync("bench/indexed-job.yaml", "utf8"));

  it("is YAML of one claim and one job", () => {
    expect(documents.flatMap((one) => one.errors)).toEqual([]);
    expect(documents.map((one) => one.get("kind"))).toEqual(["PersistentVolumeClaim", "Job"]);
  });

  it("measures each shard once, by its index", () => {
    const { spec } = documents[1]!.toJS() as Job;
    const [{ command, args, env }] = spec.template.spec.containers as [
      Job["spec"]["template"]["spec"]["containers"][0],
    ];
    expect(spec.completionMode).toBe("Indexed");
    const folder = mkdtempSync(join(tmpdir(), "chainwalk-job-"));
    try {
      // The shell is the real one; what it would start prints the words it is given.
      writeFileSync(join(folder, "npm"), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      const shards = Array.from({ length: spec.completions }, (_, index) => {
        const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
        const words = execFileSync(command[0]!, [...command.slice(1), ...args], {
          encoding: "utf8",
          env: {
            ...variables,
            PATH: `${folder}${delimiter}${process.env.PATH}`,
            JOB_COMPLETION_INDEX: String(index),
          },
        });
        const [run, bench, dashes, ...rest] = words.trimEnd().split("\n");
        expect([run, bench, dashes]).toEqual(["run", "bench", "--"]);
        const options = parseArguments(rest, studies);
        expect(options.out).toBe("/results");
        return options.shard;
      });
      expect(shards).toEqual(shardsOf(spec.completions));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
