import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/report/document.js";
import { compareHarnesses, findLookupNoise, judgeLookup } from "../../src/report/studies/lookup/verdicts.js";
import type { BenchCase, Exact, Measurement } from "../../src/report/measurement.js";
import { makeRecord, scaleTimes } from "./record.js";

const record = makeRecord();
const isOurs = (one: BenchCase, engine: string) => one.factors.engine === engine && one.factors.harness === "tinybench";

const isAlone = (one: BenchCase) => one.factors.ruleSets === 1;

function outcomes(of: Measurement): Record<string, Verdict["outcome"]> {
  return Object.fromEntries(judgeLookup(of).map(({ what, outcome }) => [what, outcome]));
}

const LOOKUP = "indexed lookup and pick against C";
const IN_TURN = "indexed lookup and pick against C, three rule sets in turn";
const WALK = "column-scanned linear per rule against C";
const ESTABLISHED = "established packet on the fast path against C";
const OBJECT = "one call with a packet object against the batch";
const GROWTH = "indexed grows with the rule set";
const SLOPE = "linear grows with the rule set";
const VISITS = "linear's rules visited are proportional";
const SAME = "C did the same work (checksums)";

it("a run within all targets passes all", () => {
  expect(Object.values(outcomes(record))).toEqual(Array.from({ length: 9 }, () => "pass"));
});

describe("each target is missed by what it is about, and by nothing else", () => {
  it.each<[string, Measurement]>([
    [LOOKUP, scaleTimes(record, 2, (one) => isOurs(one, "indexed") && one.factors.packet === "first" && isAlone(one))],
    [IN_TURN, scaleTimes(record, 1.5, (one) => isOurs(one, "indexed") && !isAlone(one))],
    [WALK, scaleTimes(record, 3, (one) => isOurs(one, "linear"))],
    [
      ESTABLISHED,
      scaleTimes(record, 2, (one) => one.factors.packet === "established-fast-path" && isOurs(one, "indexed")),
    ],
    [OBJECT, scaleTimes(record, 2, (one) => one.factors.packet === "first-object")],
    [GROWTH, scaleTimes(record, 0.4, (one) => isOurs(one, "indexed") && one.factors.services === 100)],
    [SLOPE, scaleTimes(record, 3, (one) => isOurs(one, "linear") && one.factors.services === 100)],
    [VISITS, changeCases((one) => (one.factors.services === 300 ? count(one, { leastRulesVisited: 99 }) : one))],
    [
      SAME,
      changeCases((one) =>
        one.factors.engine === "C" && one.factors.flows !== undefined ? count(one, { checksum: 1 }) : one,
      ),
    ],
    [
      SAME,
      changeCases((one) =>
        one.exact.rulesVisited && one.factors.engine === "C" ? count(one, { rulesVisited: 1 }) : one,
      ),
    ],
  ])("%s", (what, spoiled) => {
    expect(outcomes(spoiled)).toEqual({ ...outcomes(record), [what]: "miss" });
  });
});

function count(one: BenchCase, exact: Exact): BenchCase {
  return { ...one, exact: { ...one.exact, ...exact } };
}

function changeCases(change: (one: BenchCase) => BenchCase): Measurement {
  return { ...record, cases: record.cases.map(change) };
}

describe("a machine too busy to conclude from", () => {
  const timed = [LOOKUP, IN_TURN, WALK, ESTABLISHED, GROWTH, SLOPE];
  const isCLookup = (one: BenchCase) =>
    one.factors.engine === "C" && one.factors.flows === undefined && one.factors.destination === "uniform";

  it.each([4, 1 / 4])("is seen by a C lookup that took %d times its usual figure", (by) => {
    const noisy = scaleTimes(record, by, isCLookup);
    expect(findLookupNoise(noisy)).toContain("usual figure");
    const judged = outcomes(noisy);
    for (const what of timed) expect(judged[what]).toBe("too noisy");
    expect(judged[VISITS]).toBe("pass");
    expect(judged[SAME]).toBe("pass");
  });

  it("has no say in a ratio of programs that took turns: that can be told from its limit, or it cannot", () => {
    const inPasses = changeCases((one) => ({
      ...one,
      rounds: one.rounds.map(({ samples, ...round }) => ({
        ...round,
        samples: one.factors.engine === "C" ? samples.toReversed() : samples,
        passes: samples.map(() => 1),
      })),
    }));
    const near = (of: Measurement, by: number) =>
      outcomes(scaleTimes(of, (by * 1.5 * 15) / 18, (one) => isOurs(one, "indexed") && !isAlone(one)))[IN_TURN];
    const unsteady = {
      ...inPasses,
      processes: inPasses.processes.map((one, i) => ({ ...one, yardstick: one.yardstick.map((ns) => ns * (i + 1)) })),
    };
    expect(outcomes(unsteady)).toMatchObject({ [LOOKUP]: "pass", [WALK]: "pass", [GROWTH]: "too noisy" });
    for (const one of [inPasses, unsteady])
      expect([near(one, 1.2), near(one, 0.999), near(one, 0.8)]).toEqual(["miss", "too noisy", "pass"]);
  });

  it("is seen by C lookups that differ from process to process", () => {
    const uneven = changeCases((one) => {
      if (!isCLookup(one)) return one;
      const rounds = one.rounds.map((round, i) => ({
        ...round,
        samples: round.samples.map((ns) => ns * [1, 1, 1.7][i]!),
      }));
      return { ...one, rounds };
    });
    expect(findLookupNoise(uneven)).toContain("between processes");
  });
});

it("what rests on processes that had to share a CPU is too noisy, and nothing else", () => {
  const starve = (one: BenchCase): BenchCase =>
    one.factors.packet === "established-fast-path" && one.factors.engine === "indexed"
      ? { ...one, rounds: one.rounds.map((round) => ({ ...round, cpuShare: 0.6 })) }
      : one;
  const starved = changeCases(starve);
  expect(outcomes(starved)).toEqual({ ...outcomes(record), [ESTABLISHED]: "too noisy" });
  expect(judgeLookup(starved).find(({ what }) => what === ESTABLISHED)?.detail).toContain("60 % of a CPU");
});

it("without C and with one size most targets are not measured", () => {
  const bare = makeRecord([10_000], 1);
  const judged = outcomes({ ...bare, cases: bare.cases.filter(({ factors }) => factors.harness !== "c") });
  for (const what of [LOOKUP, WALK, ESTABLISHED, GROWTH, SLOPE, SAME]) expect(judged[what]).toBe("not measured");
  expect(judged[VISITS]).toBe("pass");
});

describe("compareHarnesses", () => {
  const isTheirs = (one: BenchCase) => one.factors.harness === "benchmark.js" && one.factors.engine === "linear";
  it("agrees within the tolerance", () => {
    expect(compareHarnesses(record)?.agree).toBe(true);
    expect(compareHarnesses(scaleTimes(record, 1.1, isTheirs))?.agree).toBe(true);
  });
  it("disagrees beyond it", () => {
    expect(compareHarnesses(scaleTimes(record, 1.5, isTheirs))?.agree).toBe(false);
  });
  it("says when one of them was starved of its CPU", () => {
    const starve = (one: BenchCase): BenchCase =>
      isTheirs(one) ? { ...one, rounds: one.rounds.map((round) => ({ ...round, cpuShare: 0.5 })) } : one;
    expect(compareHarnesses(record)?.noise).toBeUndefined();
    expect(compareHarnesses(changeCases(starve))?.noise).toContain("50 % of a CPU");
  });
  it("has nothing to say where one did not run", () => {
    expect(compareHarnesses({ ...record, cases: record.cases.filter((one) => !isTheirs(one)) })).toBeUndefined();
  });
});
