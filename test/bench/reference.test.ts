import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findCompiler } from "../../bench/environment.js";
import type { ReferenceProgram } from "../../bench/plan.js";
import { compileReferences } from "../../bench/reference/compile.js";
import type { PreparedProgram } from "../../bench/subjects/cases.js";
import { prepareConnections } from "../../bench/subjects/datapath.js";
import { measureEngine } from "../../bench/subjects/engine.js";
import { prepareReference } from "../../bench/subjects/reference.js";
import { makeSubject } from "../../bench/subjects/subject.js";
import { prepareWalk } from "../../bench/subjects/walk.js";

const size = { services: 60, endpoints: 3, seed: 9, milliseconds: 5 };
const FLOWS = 8192;

/** The claim of bench/reference: these programs do what the engines do, so that their times can be compared. */
describe.runIf(findCompiler() !== null)("the C programs come to the outcomes of the engines", () => {
  let directory: string;
  const started: PreparedProgram[] = [];
  beforeAll(() => {
    directory = mkdtempSync(join(os.tmpdir(), "chainwalk-reference-"));
    expect(compileReferences(directory)).toBeUndefined();
  });
  afterEach(() => {
    for (const { task } of started.splice(0)) task.stop();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const prepare = async (program: ReferenceProgram, flows = 0, ruleSets = 1) => {
    const engine = program === "walk" ? "linear" : "indexed";
    const subjects = Array.from({ length: ruleSets }, (_, k) =>
      makeSubject(engine, size.services, size.endpoints, size.seed + k),
    );
    const plan = { kind: "engine", engine, ruleSets, destinations: [], flows, packets: [], ...size } as const;
    const programs = await prepareReference(program, plan, subjects, { directory });
    started.push(...programs);
    return { subjects, programs };
  };

  it("lookup", async () => {
    const { subjects, programs } = await prepare("lookup");
    expect(programs).toHaveLength(1);
    expect(programs[0]!.exact.checksum).toBe(prepareWalk(subjects, "uniform").exact.checksum);
    const { samples, cpuShare } = await programs[0]!.task.measure(size.milliseconds);
    expect(samples.length).toBeGreaterThanOrEqual(4);
    expect(Math.min(...samples)).toBeGreaterThan(0);
    expect(cpuShare).toBeGreaterThan(0);
  });

  it("lookup, three rule sets in turn", async () => {
    const { subjects, programs } = await prepare("lookup", 0, 3);
    const ours = prepareWalk(subjects, "uniform");
    expect(programs[0]!.factors.ruleSets).toBe(ours.factors.ruleSets);
    expect(programs[0]!.exact.checksum).toBe(ours.exact.checksum);
  });

  it("walk, with the same number of rules visited", async () => {
    const { subjects, programs } = await prepare("walk");
    const ours = prepareWalk(subjects, "last");
    expect(programs[0]!.exact).toEqual({ rulesVisited: ours.exact.rulesVisited, checksum: ours.exact.checksum });
  });

  it("conntrack, established and first packets", async () => {
    const { subjects, programs } = await prepare("conntrack", FLOWS);
    const kinds = ["established-fast-path", "first-datapath"] as const;
    const ours = prepareConnections(subjects[0]!, kinds, FLOWS);
    expect(programs.map(({ factors, exact }) => [factors.packet, exact.checksum])).toEqual(
      ours.map(({ factors, exact }) => [factors.packet, exact.checksum]),
    );
    for (const { task } of programs)
      expect((await task.measure(size.milliseconds)).samples.length).toBeGreaterThanOrEqual(4);
  });

  it("is measured right after what it is compared with", async () => {
    const plan = { kind: "engine", engine: "indexed", ruleSets: 1, flows: 0, packets: [], ...size } as const;
    const destinations = ["first", "uniform", "last"] as const;
    const { cases } = await measureEngine({ ...plan, destinations, beside: "lookup" }, { directory });
    expect(cases.map(({ factors: { engine, harness, destination } }) => [engine, harness, destination])).toEqual([
      ["indexed", "tinybench", "first"],
      ["indexed", "tinybench", "uniform"],
      ["C", "c", "uniform"],
      ["indexed", "tinybench", "last"],
    ]);
  });
});
