import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BenchOptions, parseArguments } from "../../bench/arguments.js";
import {
  datasetsOf,
  describePlan,
  type MeasuringPlan,
  orderRound,
  Timetable,
  withoutProgram,
} from "../../bench/plan.js";
import { studies } from "../../bench/studies/index.js";
import { lookup } from "../../bench/studies/lookup.js";

const all = { compiler: true, benchmarkJs: true };
const options = (...words: string[]): BenchOptions => parseArguments(words, studies);
const planned = (...words: string[]) => lookup.plan(options(...words), all).plans;

describe("orderRound", () => {
  const plan = (services: number, most?: number): MeasuringPlan => ({
    kind: "benchmark.js",
    engine: "indexed",
    services,
    endpoints: 1,
    seed: 1,
    milliseconds: 1,
    ...(most === undefined ? {} : { most }),
  });

  it("runs everything once, in the first round as listed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 9 }), (count, round) => {
        const plans = Array.from({ length: count }, (_, i) => plan(i));
        expect(orderRound(plans, 0)).toEqual(plans);
        const order = orderRound(plans, round);
        expect(order.toSorted((a, b) => a.services - b.services)).toEqual(plans);
      }),
    );
  });

  it("begins each round elsewhere, and runs every second one backwards", () => {
    const services = [0, 1, 2].map((round) =>
      orderRound(
        [1, 2, 3, 4, 5, 6].map((n) => plan(n)),
        round,
      ).map((p) => p.services),
    );
    expect(services).toEqual([
      [1, 2, 3, 4, 5, 6],
      [2, 1, 6, 5, 4, 3],
      [5, 6, 1, 2, 3, 4],
    ]);
  });

  it("leaves out what has had its rounds", () => {
    const plans = [plan(1), plan(2, 2), plan(3, 1)];
    expect([0, 1, 2].map((round) => orderRound(plans, round).length)).toEqual([3, 2, 1]);
  });
});

it("a timetable knows what fits from how long it took, with a margin", () => {
  const [a, b] = lookup.plan(options("--services", "50"), all).plans;
  const timetable = new Timetable();
  timetable.enter(a!, 10);
  expect(timetable.fits([a!], 11)).toBe(false);
  expect(timetable.fits([a!], 12)).toBe(true);
  expect(timetable.fits([a!, b!], 1000)).toBe(false);
  timetable.enter(b!, 20);
  expect(timetable.fits([a!, b!], 40)).toBe(true);
  expect(timetable.fits([], 1000)).toBe(false);
});

it("every rule set that is measured on is described once", () => {
  expect(datasetsOf(planned()).map(({ services }) => services)).toEqual(options().services);
});

describe("the plan of the lookup study", () => {
  it("measures every engine at every size with every destination, one process each", () => {
    const plans = planned();
    for (const services of options().services) {
      for (const engine of options().engines) {
        const found = plans.filter(
          (plan) =>
            plan.kind === "engine" &&
            plan.services === services &&
            plan.engine === engine &&
            plan.ruleSets === 1 &&
            plan.destinations.length > 0,
        );
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ destinations: ["first", "middle", "last", "uniform", "zipf"] });
        expect(found[0]!.most).toBeUndefined();
      }
    }
  });

  it("covers what the study promises besides", () => {
    const said = planned().map(describePlan);
    expect(said).toEqual(
      expect.arrayContaining([
        "indexed, 10000 services, 32768 flows, one by one too, beside C lookup",
        "indexed, 10000 services, 3 rule sets, beside C lookup",
        "indexed, 10000 services, 1000000 flows, beside C conntrack",
        "linear, 10000 services, 32768 flows, beside C walk",
        "linear, 100 services, 32768 flows, beside C walk",
      ]),
    );
    for (const engine of ["linear", "indexed"]) {
      expect(said).toContain(`${engine} by Benchmark.js, 10000 services`);
      for (const services of [100, 10_000])
        expect(said.some((one) => one.startsWith(`${engine}, ${services} services, 3 rule sets`))).toBe(true);
    }
    expect(new Set(said).size).toBe(said.length);
  });

  it("asks for packets of connections only where there are connections", () => {
    for (const plan of [...planned(), ...planned("--quick")])
      if (plan.kind === "engine") expect(plan.packets.length > 0).toBe(plan.flows > 0);
  });

  it("is one size, and says what it leaves out, when quick", () => {
    const { plans, notes } = lookup.plan(options("--quick"), all);
    expect(new Set(plans.map(({ services }) => services))).toEqual(new Set([10_000]));
    expect(notes.join()).toContain("quick");
    expect(plans.filter((plan) => plan.kind === "engine" && plan.beside !== undefined)).toHaveLength(3);
  });

  it("does without C and Benchmark.js, and says so", () => {
    const { plans, notes } = lookup.plan(options(), { compiler: false, benchmarkJs: false });
    expect(new Set(plans.map(({ kind }) => kind))).toEqual(new Set(["engine"]));
    expect(plans).toEqual(plans.map(withoutProgram));
    expect(notes.join()).toContain("No C compiler");
    expect(notes.join()).toContain("Benchmark.js is not installed");
  });

  it("keeps to the engines asked for", () => {
    for (const plan of planned("--engine", "indexed"))
      if (plan.kind === "engine" || plan.kind === "benchmark.js") expect(plan.engine).toBe("indexed");
    expect(planned("--engine", "string-map").every((plan) => plan.kind === "engine")).toBe(true);
  });
});

describe.each([...studies.values()])("the plan of $name", (study) => {
  const equipments = [all, { compiler: false, benchmarkJs: false }];
  const plan = (equipment: typeof all, ...words: string[]) =>
    study.plan(options("--study", study.name, ...words), equipment).plans;

  it("has something to measure, whatever the machine has, and nothing twice", () => {
    for (const equipment of equipments)
      for (const words of [[], ["--quick"]]) {
        const plans = plan(equipment, ...words);
        expect(plans.length).toBeGreaterThan(0);
        expect(new Set(plans.map((one) => JSON.stringify(one))).size).toBe(plans.length);
      }
  });

  it("keeps to the engines asked for", () => {
    for (const engine of ["linear", "indexed"] as const)
      for (const one of plan({ compiler: false, benchmarkJs: false }, "--engine", engine))
        if ("engine" in one) expect([engine, engine === "linear" ? "nft-linear" : engine]).toContain(one.engine);
  });
});
