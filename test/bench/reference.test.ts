import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCompiler } from "../../bench/environment.js";
import type { ReferenceProgram } from "../../bench/plan.js";
import { compileReferences } from "../../bench/reference/compile.js";
import { prepareConnections } from "../../bench/subjects/datapath.js";
import { measureReference } from "../../bench/subjects/reference.js";
import { makeSubject } from "../../bench/subjects/subject.js";
import { prepareWalk } from "../../bench/subjects/walk.js";

const size = { services: 60, endpoints: 3, seed: 9, milliseconds: 5 };
const FLOWS = 8192;

/** The claim of bench/reference: these programs do what the engines do, so that their times can be compared. */
describe.runIf(findCompiler() !== null)("the C programs come to the outcomes of the engines", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(os.tmpdir(), "chainwalk-reference-"));
    expect(compileReferences(directory)).toBeUndefined();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const run = async (program: ReferenceProgram, flows = 0, ruleSets = 1) =>
    (await measureReference({ kind: "reference", program, ruleSets, flows, ...size }, { directory })).cases;
  const subject = (name: "linear" | "indexed") => makeSubject(name, size.services, size.endpoints, size.seed);

  it("lookup", async () => {
    const [c] = await run("lookup");
    expect(c!.samples.length).toBeGreaterThanOrEqual(4);
    expect(c!.exact.checksum).toBe(prepareWalk([subject("indexed")], "uniform").exact.checksum);
  });

  it("lookup, three rule sets in turn", async () => {
    const [c] = await run("lookup", 0, 3);
    const subjects = [0, 1, 2].map((k) => makeSubject("indexed", size.services, size.endpoints, size.seed + k));
    const ours = prepareWalk(subjects, "uniform");
    expect(c!.factors.ruleSets).toBe(ours.factors.ruleSets);
    expect(c!.exact.checksum).toBe(ours.exact.checksum);
  });

  it("walk, with the same number of rules visited", async () => {
    const [c] = await run("walk");
    const ours = prepareWalk([subject("linear")], "last");
    expect(c!.exact.checksum).toBe(ours.exact.checksum);
    expect(c!.exact.rulesVisited).toBe(ours.exact.rulesVisited);
  });

  it("conntrack, established and first packets", async () => {
    const cases = await run("conntrack", FLOWS);
    const kinds = ["established-fast-path", "first-datapath"] as const;
    const ours = prepareConnections(subject("indexed"), kinds, FLOWS);
    expect(cases.map(({ factors, exact }) => [factors.packet, exact.checksum])).toEqual(
      ours.map(({ factors, exact }) => [factors.packet, exact.checksum]),
    );
  });
});
