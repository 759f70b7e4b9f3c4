import {
  type BenchCase,
  type BenchRound,
  type Exact,
  type Factors,
  type Measurement,
  MEASUREMENT_SCHEMA,
} from "../../src/report/measurement.js";

/** Relative deviations of the samples of a process: their median is 0. */
const SHAPE = [-0.04, -0.02, -0.01, 0, 0, 0.01, 0.03, 0.05, 0.2];

/** Three processes whose medians are ns, 1 % less and 1 % more. */
export function roundsAround(ns: number, rounds = 3): BenchRound[] {
  return [1, 0.99, 1.01].slice(0, rounds).map((drift, process) => ({
    process,
    samples: SHAPE.map((deviation) => Math.round(ns * drift * (1 + deviation) * 100) / 100),
    collections: 0,
    cpuShare: 0.99,
  }));
}

export const SIZES = [100, 300, 1000, 3000, 10_000];
const DESTINATIONS = ["first", "middle", "last", "uniform", "zipf"] as const;

const common = {
  harness: "tinybench",
  packet: "first",
  destination: "uniform",
  services: 10_000,
  endpoints: 5,
  ruleSets: 1,
} as const;

function visitedBy(services: number, destination: (typeof DESTINATIONS)[number]): number {
  const place = {
    first: 0,
    middle: services >> 1,
    last: services - 1,
    uniform: services / 2 - 0.5,
    zipf: services / 3,
  };
  return 17 + place[destination];
}

const environment = {
  chainwalk: "0.1.0",
  git: null,
  node: "20.20.2",
  v8: "11.3",
  platform: "linux x64",
  kernel: "6.1",
  cpu: 'Example "Fast" CPU, 3 GHz',
  cpus: 2,
  memoryBytes: 2 ** 33,
  nodeFlags: ["--max-old-space-size=4096"],
  tinybench: "6.2.3",
  benchmarkJs: "2.1.4",
  compiler: "cc 12.2.0 -O3 -march=native -std=c11",
  timerResolution: 10,
};

/** Whole milliseconds of nothing: a run as a quiet machine would give it, with a linear walk of 2.5 ns a rule. */
export function makeRecord(sizes: readonly number[] = SIZES, rounds = 3): Measurement {
  const cases: BenchCase[] = [];
  const add = (ns: number, what: Partial<Factors> & Pick<Factors, "engine">, exact: Exact = {}) =>
    cases.push({
      factors: { ...common, ...what },
      unit: "ns",
      per: "packet",
      batch: 1024,
      exact,
      rounds: roundsAround(ns, rounds),
    });
  for (const services of sizes) {
    for (const destination of DESTINATIONS) {
      const visited = visitedBy(services, destination);
      const linear = { rulesVisited: visited, chainsEntered: 14, draws: 2.8, mapLookups: 0 };
      const least = Math.ceil(visited) - 2;
      add(
        50 + 2.5 * visited,
        { engine: "linear", services, destination },
        { ...linear, leastRulesVisited: least, checksum: 11 },
      );
      const indexed = { rulesVisited: 0, chainsEntered: 0, draws: 1, mapLookups: 2, leastRulesVisited: 0 };
      add(14 + services / 5000, { engine: "indexed", services, destination }, { ...indexed, checksum: 22 });
      add(600 + services / 25, { engine: "string-map", services, destination });
    }
    const flows = 100_000;
    const chains = { rulesVisited: 5, chainsEntered: 5, draws: 0, mapLookups: 1, checksum: 33 };
    add(300, { engine: "linear", services, flows, packet: "established-chains" }, chains);
    add(260, { engine: "indexed", services, flows, packet: "established-chains" }, chains);
    add(60, { engine: "indexed", services, flows, packet: "established-fast-path" }, { checksum: 34 });
    add(1800, { engine: "string-map", services, flows, packet: "established-fast-path" });
    add(170, { engine: "indexed", services, flows, packet: "first-datapath" }, { checksum: 35 });
  }
  const services = sizes[sizes.length - 1]!;
  const flows = 1_000_000;
  add(97, { engine: "indexed", services, flows, packet: "established-fast-path" }, { checksum: 44 });
  add(167, { engine: "indexed", services, flows, packet: "first-datapath" }, { checksum: 45 });
  add(110, { engine: "indexed", services, packet: "first-object" }, { checksum: 23 });
  add(18, { engine: "indexed", services, ruleSets: 3 }, { checksum: 22 });
  add(14_000, { engine: "linear", services, ruleSets: 3 }, { checksum: 11 });
  add(16.5, { engine: "indexed", services, harness: "benchmark.js" }, { checksum: 22 });
  add(12_600, { engine: "linear", services, harness: "benchmark.js" }, { checksum: 11 });
  const walked = { rulesVisited: visitedBy(services, "last"), checksum: 11 };
  add(12, { engine: "C", harness: "c", services }, { checksum: 22 });
  add(15, { engine: "C", harness: "c", services, ruleSets: 3 }, { checksum: 22 });
  add(8000, { engine: "C", harness: "c", services, destination: "last" }, walked);
  add(80, { engine: "C", harness: "c", services, flows, packet: "established-fast-path" }, { checksum: 44 });
  add(120, { engine: "C", harness: "c", services, flows, packet: "first-datapath" }, { checksum: 45 });
  return {
    schema: MEASUREMENT_SCHEMA,
    study: "lookup",
    seed: 1,
    quick: false,
    runs: [
      {
        command: ["npm", "run", "bench"],
        shard: null,
        started: "2026-01-02T03:04:05.000Z",
        seconds: 151.4,
        rounds,
        environment,
      },
    ],
    datasets: sizes.map((size) => ({
      name: `${size} services`,
      services: size,
      endpoints: 5,
      rules: 16 * size + 30,
      bytes: 2000 * size,
      sha256: "0123456789abcdef".repeat(4),
      command: `chainwalk generate --services ${size} --endpoints 5 --seed 1`,
    })),
    processes: Array.from({ length: rounds }, (_, round) => ({ run: 0, round, yardstick: [5.1, 5, 5.2] })),
    cases,
    picks: sizes.map((size) => ({
      factors: {
        engine: "indexed",
        harness: "tinybench",
        destination: "uniform",
        services: size,
        endpoints: 5,
      } as const,
      observed: [1010, 990, 1005, 1000, 995],
      expected: [0.2, 0.2, 0.2, 0.2, 0.2],
    })),
    notes: [],
  };
}

/** The same record with the times of some cases multiplied. */
export function scaleTimes(record: Measurement, by: number, which: (one: BenchCase) => boolean): Measurement {
  const scaled = (one: BenchCase): BenchCase => ({
    ...one,
    rounds: one.rounds.map((round) => ({ ...round, samples: round.samples.map((ns) => ns * by) })),
  });
  return { ...record, cases: record.cases.map((one) => (which(one) ? scaled(one) : one)) };
}
