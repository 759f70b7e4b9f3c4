import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import type { BenchRound } from "../../src/report/measurement.js";
import {
  differenceInterval,
  jointIntervals,
  medianInterval,
  overlap,
  ratioInterval,
  summarizeRounds,
  tookTurns,
} from "../../src/report/rounds.js";

const times = fc.double({ min: 0.5, max: 1e5, noNaN: true });
const rounds = fc
  .array(fc.array(times, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 4 })
  .map((all) => all.map((samples, process): BenchRound => ({ process, samples, collections: 0, cpuShare: 1 })));
const scale = (all: readonly BenchRound[], by: number) =>
  all.map((round) => ({ ...round, samples: round.samples.map((ns) => ns * by) }));

describe("laws of rounds", () => {
  it("an interval holds its estimate, and the same seed gives the same interval", () => {
    fc.assert(
      fc.property(rounds, fc.integer(), (all, seed) => {
        const interval = medianInterval(all, seed);
        expect(interval.estimate).toBe(summarizeRounds(all).median);
        expect(interval.low).toBeLessThanOrEqual(interval.estimate);
        expect(interval.high).toBeGreaterThanOrEqual(interval.estimate);
        expect(medianInterval(all, seed)).toEqual(interval);
      }),
      { numRuns: 20 },
    );
  });

  it("a ratio to itself is 1, and its interval holds 1", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        const { estimate, low, high } = ratioInterval(all, all);
        expect(estimate).toBe(1);
        expect(low).toBeLessThanOrEqual(1);
        expect(high).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 20 },
    );
  });

  it("a difference to itself is 0, and to twice as much the median itself", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        const { estimate, low, high } = differenceInterval(all, all);
        expect([estimate, low <= 0, high >= 0]).toEqual([0, true, true]);
        const { median } = summarizeRounds(all);
        const twice = differenceInterval(scale(all, 2), all);
        expect(twice.estimate / median).toBeCloseTo(1, 9);
      }),
      { numRuns: 20 },
    );
  });

  it("statistics of several cases are those of each two of them", () => {
    fc.assert(
      fc.property(rounds, rounds, (over, under) => {
        const [ratio, difference] = jointIntervals([over, under], ([a, b]) => [a! / b!, a! - b!]);
        expect(ratio).toEqual(ratioInterval(over, under));
        expect(difference).toEqual(differenceInterval(over, under));
      }),
      { numRuns: 15 },
    );
  });

  it("a unit changes nothing but the unit", () => {
    fc.assert(
      fc.property(rounds, rounds, (over, under) => {
        const [plain, scaled] = [summarizeRounds(over), summarizeRounds(scale(over, 8))];
        expect(scaled.median).toBeCloseTo(plain.median * 8, 5);
        expect(scaled.mad).toBeCloseTo(plain.mad * 8, 5);
        const [ratio, same] = [ratioInterval(over, under), ratioInterval(scale(over, 8), scale(under, 8))];
        expect(same.low / ratio.low).toBeCloseTo(1, 9);
        expect(same.high / ratio.high).toBeCloseTo(1, 9);
      }),
      { numRuns: 15 },
    );
  });
});

describe("summarizeRounds", () => {
  it("gives each process one vote, however many samples it took", () => {
    const slow = { process: 0, samples: Array.from({ length: 1000 }, () => 50), collections: 0, cpuShare: 1 };
    const fast = [1, 2].map((process) => ({ process, samples: [10, 10, 10], collections: 0, cpuShare: 1 }));
    expect(summarizeRounds([slow, ...fast]).median).toBe(10);
  });

  it("reports quartiles and the tail of batch means over all samples", () => {
    const samples = Array.from({ length: 100 }, (_, i) => i + 1);
    const summary = summarizeRounds([{ process: 0, samples, collections: 0, cpuShare: 1 }]);
    expect(summary).toMatchObject({
      median: 50.5,
      quartiles: [25.75, 75.25],
      p99OfBatchMeans: 99.01,
      samples: 100,
      mad: 25,
    });
  });
});

describe("ratioInterval", () => {
  const pass = fc.record({
    load: fc.double({ min: 0.5, max: 4, noNaN: true }),
    lengths: fc.tuple(fc.nat(5), fc.nat(5)),
  });
  const loads = fc.array(fc.array(pass, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 });

  it("of cases that took turns is exact, whatever slowed both for a pass and however many samples each took", () => {
    fc.assert(
      fc.property(loads, times, times, (processes, top, bottom) => {
        const [over, under] = [top, bottom].map((ns, which) =>
          processes.map((passes, process): BenchRound => ({
            process,
            samples: passes.flatMap(({ load, lengths }) =>
              Array.from({ length: lengths[which]! + 1 }, () => ns * load),
            ),
            passes: passes.map(({ lengths }) => lengths[which]! + 1),
            collections: 0,
            cpuShare: 1,
          })),
        );
        expect(tookTurns(over!, under!)).toBe(true);
        const { estimate, low, high } = ratioInterval(over!, under!);
        for (const value of [estimate, low, high]) expect(value / (top / bottom)).toBeCloseTo(1, 9);
      }),
      { numRuns: 20 },
    );
  });

  it("pairs no passes of different processes, nor where one was not measured in passes", () => {
    const round = { samples: [1, 2], passes: [1, 1], collections: 0, cpuShare: 1 };
    const at = (process: number, passes?: number[]): BenchRound => ({ ...round, process, ...(passes && { passes }) });
    const { passes: _passes, ...without } = round;
    expect(tookTurns([at(0)], [at(0)])).toBe(true);
    expect(tookTurns([at(0)], [at(1)])).toBe(false);
    expect(tookTurns([at(0)], [at(0, [2])])).toBe(false);
    expect(tookTurns([at(0)], [at(0), at(1)])).toBe(false);
    expect(tookTurns([{ ...without, process: 0 }], [{ ...without, process: 0 }])).toBe(false);
    expect(ratioInterval([at(0)], [at(1)]).estimate).toBe(1);
  });

  /** Samples around `ns`; processes differ by 4 %, samples in a process by 6 %; `shared` is what both variants of a round suffer. */
  function simulate(ns: number, random: () => number, shared: readonly number[]): BenchRound[] {
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return shared.map((load, process) => {
      const drift = 1 + 0.04 * normal();
      const samples = Array.from({ length: 40 }, () => ns * load * drift * Math.exp(0.06 * normal()));
      return { process, samples, collections: 0, cpuShare: 1 };
    });
  }

  it("holds the true ratio about as often as it says, though the machine is slower in some rounds", () => {
    const random = seedrandom.alea("coverage");
    let held = 0;
    const trials = 120;
    for (let trial = 0; trial < trials; trial++) {
      const shared = Array.from({ length: 8 }, () => 1 + random());
      const { low, high } = ratioInterval(simulate(30, random, shared), simulate(10, random, shared), trial);
      if (low <= 3 && 3 <= high) held++;
    }
    expect(held / trials).toBeGreaterThan(0.85);
  });

  it("is narrow where rounds were slowed together", () => {
    const random = seedrandom.alea("paired");
    const shared = [1, 3, 1.5, 2.5];
    const { low, high } = ratioInterval(simulate(30, random, shared), simulate(10, random, shared));
    expect(high / low).toBeLessThan(1.4);
  });

  it("tells two intervals apart", () => {
    expect(overlap({ estimate: 1, low: 0.5, high: 1.5 }, { estimate: 2, low: 1.5, high: 3 })).toBe(true);
    expect(overlap({ estimate: 1, low: 0.5, high: 1.4 }, { estimate: 2, low: 1.5, high: 3 })).toBe(false);
  });
});
