import { beforeAll, describe, expect, it } from "vitest";
import { makeSubject, type Subject } from "../../bench/subjects/subject.js";
import { openTraffic } from "../../bench/subjects/datapath.js";
import { prepareWalk } from "../../bench/subjects/walk.js";
import { drawPool } from "../../bench/workload/pool.js";
import { BatchResults, OutcomeBatch, OutcomeFlag, synthesizeCluster } from "../../src/index.js";

const SERVICES = 40;
const ENDPOINTS = 4;
const SEED = 5;
let linear: Subject;
let indexed: Subject;
let rival: Subject;

beforeAll(() => {
  linear = makeSubject("linear", SERVICES, ENDPOINTS, SEED);
  indexed = makeSubject("indexed", SERVICES, ENDPOINTS, SEED);
  rival = makeSubject("string-map", SERVICES, ENDPOINTS, SEED);
});

describe("a bench cluster", () => {
  it("holds the services of the objects it was made from", () => {
    const { objects } = synthesizeCluster({
      services: SERVICES,
      endpoints: ENDPOINTS,
      seed: SEED,
      podCIDR: "10.0.0.0/8",
    });
    const ports = objects.flatMap((object) => (object.kind === "Service" ? (object.spec.ports ?? []) : []));
    const { services, pickProbabilities } = linear.cluster;
    expect([...services.port].toSorted()).toEqual(ports.map(({ port }) => port).toSorted());
    expect(services.endpointAddress).toHaveLength(SERVICES * ENDPOINTS);
    expect(new Set(services.endpointAddress).size).toBe(SERVICES * ENDPOINTS);
    expect(pickProbabilities).toHaveLength(ENDPOINTS);
    expect(pickProbabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    for (const p of pickProbabilities) expect(p).toBeCloseTo(1 / ENDPOINTS, 8);
  });
});

describe("drawPool", () => {
  it("draws the same packets from the same seed, others from another, and a short pool as the beginning of a long one", () => {
    const { services } = linear.cluster;
    const [a, b, other] = [1, 1, 2].map((seed) => drawPool(services, "uniform", seed, 2048, 1024));
    expect(a).toEqual(b);
    expect(other!.batches[0]!.src).not.toEqual(a!.batches[0]!.src);
    const short = drawPool(services, "uniform", 1, 256, 1);
    expect(short.batches.map((batch) => batch.src[0])).toEqual([...a!.batches[0]!.src.subarray(0, 256)]);
  });

  it.each([
    ["first", 0],
    ["middle", SERVICES >> 1],
    ["last", SERVICES - 1],
  ] as const)("%s is service %d", (kind, at) => {
    const { services } = linear.cluster;
    const [batch] = drawPool(services, kind, 1, 1024, 1024).batches;
    expect(new Set(batch!.dst)).toEqual(new Set([services.address[at]]));
    expect(new Set(batch!.dport)).toEqual(new Set([services.port[at]]));
  });

  it("has one client in ten from outside the pods, unless told not to", () => {
    const { services } = linear.cluster;
    const outsiders = (flag: boolean) =>
      [...drawPool(services, "uniform", 1, 8192, 8192, flag).batches[0]!.src].filter((src) => src >>> 24 !== 10).length;
    expect(outsiders(true) / 8192).toBeCloseTo(0.1, 1);
    expect(outsiders(false)).toBe(0);
  });
});

describe("the Map keyed by string", () => {
  it("does what the engines do: the same destinations are possible, the same packets are masqueraded", () => {
    const { services } = rival.cluster;
    const pool = drawPool(services, "uniform", SEED, 2048, 1024);
    const [theirs, ours] = [new OutcomeBatch("ip", 1024), new OutcomeBatch("ip", 1024)];
    for (const batch of pool.batches) {
      rival.classify(batch, theirs);
      indexed.classify(batch, ours);
      for (let i = 0; i < batch.count; i++) {
        const at = services.address.indexOf(batch.dst[i]!);
        const endpoints = services.endpointAddress.subarray(services.first[at], services.first[at + 1]);
        expect(endpoints).toContain(theirs.dst[i]);
        expect(endpoints).toContain(ours.dst[i]);
        expect(theirs.flags[i]! & OutcomeFlag.masquerade).toBe(ours.flags[i]! & OutcomeFlag.masquerade);
        expect(theirs.verdict[i]).toBe(ours.verdict[i]);
      }
    }
  });
});

describe("prepareWalk", () => {
  it("counts exactly one rule more for every place further down", () => {
    const [first, middle, last] = (["first", "middle", "last"] as const).map(
      (kind) => prepareWalk([linear], kind).exact.leastRulesVisited!,
    );
    expect(middle! - first!).toBe(SERVICES >> 1);
    expect(last! - first!).toBe(SERVICES - 1);
  });

  it("is exact: equal for equal seeds; and picks what the rules say", () => {
    const [a, b] = [0, 1].map(() => prepareWalk([makeSubject("indexed", SERVICES, ENDPOINTS, SEED)], "zipf"));
    expect([a!.exact, a!.picks]).toEqual([b!.exact, b!.picks]);
    expect(a!.picks).toHaveLength(ENDPOINTS);
    expect(a!.exact).toMatchObject({ rulesVisited: 0, mapLookups: 2, draws: 1 });
  });

  it("takes rule sets in turn", () => {
    const subjects = [SEED, SEED + 1, SEED + 2].map((seed) => makeSubject("indexed", SERVICES, ENDPOINTS, seed));
    const turns: number[] = [];
    const watched = subjects.map((subject, at): Subject => ({
      ...subject,
      classify: (batch, out) => {
        turns.push(at);
        subject.classify(batch, out);
      },
    }));
    const { task } = prepareWalk(watched, "uniform");
    turns.length = 0;
    for (let i = 0; i < 7; i++) task.run();
    expect(turns).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });
});

describe("openTraffic", () => {
  it.each(["chains", "fast-path"] as const)(
    "gives packets that all have a connection, and first ones that have none (%s)",
    (mode) => {
      const { datapath, established, first } = openTraffic(indexed.cluster, indexed.engine!, mode, 5000, SEED);
      const size = datapath.table("ip").size;
      expect(size).toBeGreaterThanOrEqual(5000);
      const results = new BatchResults("ip", established.batches[0]!.count);
      for (const batch of established.batches.slice(0, 4)) {
        datapath.processBatch(batch, 1_000_500, results);
        expect(results.known).toBe(batch.count);
      }
      datapath.processBatch(first.batches[0]!, 1_000_500, results);
      expect(results.opened).toBe(first.batches[0]!.count);
      expect(datapath.table("ip").size).toBe(size + results.opened);
    },
  );
});
