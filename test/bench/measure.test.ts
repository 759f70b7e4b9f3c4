import { describe, expect, it } from "vitest";
import { measureWithBenchmarkJs } from "../../bench/benchmark-js.js";
import { LEAST_PASSES, measureInterleaved, toNanoseconds } from "../../bench/measure.js";
import { type BatchTask, readSink } from "../../bench/task.js";

/** Busy for so many milliseconds. */
function spin(milliseconds: number): number {
  const until = performance.now() + milliseconds;
  let turns = 0;
  while (performance.now() < until) turns++;
  return turns;
}

function task(name: string, milliseconds: number, log: string[] = []): BatchTask {
  const run = (): number => {
    log.push(name);
    return spin(milliseconds);
  };
  return { name, operations: 1000, run };
}

describe("measureInterleaved", () => {
  it("gives nanoseconds per packet of each variant, and uses what they return", async () => {
    const before = readSink();
    const [short, long] = await measureInterleaved([task("short", 1), task("long", 3)], 30);
    expect(short!.samples.length).toBeGreaterThanOrEqual(4 * LEAST_PASSES);
    expect(Math.min(...short!.samples)).toBeGreaterThanOrEqual(1000);
    expect(Math.min(...short!.samples)).toBeLessThan(2000);
    expect(Math.min(...long!.samples)).toBeGreaterThanOrEqual(3000);
    expect(readSink()).not.toBe(before);
  });

  it("lets every variant come round in every pass", async () => {
    const log: string[] = [];
    await measureInterleaved([task("a", 0.2, log), task("b", 0.2, log), task("c", 0.2, log)], 6);
    const runs = log.filter((name, i) => name !== log[i - 1]);
    expect(runs).toEqual(["a", "b", "c", "b", "c", "a", "c", "a", "b"]);
  });

  it("tells the samples of each pass, of which there are more where a variant has more time", async () => {
    for (const [milliseconds, passes] of [
      [6, LEAST_PASSES],
      [270, 10],
    ] as const) {
      const [one] = await measureInterleaved([task("a", 0.2)], milliseconds);
      expect(one!.passes).toHaveLength(passes);
      expect(one!.passes!.reduce((sum, count) => sum + count, 0)).toBe(one!.samples.length);
    }
  });

  it("warms up until the times have settled", async () => {
    let calls = 0;
    const slowAtFirst = (): number => spin(calls++ < 60 ? 1.5 : 0.5);
    const [settling] = await measureInterleaved([{ name: "settling", operations: 1000, run: slowAtFirst }], 100);
    expect(settling!.warmUp).toMatchObject({ settled: true });
    expect(settling!.warmUp!.milliseconds).toBeGreaterThan(16);
    let next = 8;
    const everQuicker = (): number => spin((next *= 0.9));
    const [restless] = await measureInterleaved([{ name: "restless", operations: 10, run: everQuicker }], 12);
    expect(restless!.warmUp).toMatchObject({ settled: false });
  });

  it("draws a histogram of single operations where they are long enough for the clock, and only there", async () => {
    const single = (): number => spin(0.02);
    const [long, short] = await measureInterleaved(
      [
        { name: "long", operations: 100, run: () => spin(2), single },
        { name: "short", operations: 10_000, run: () => spin(2), single },
      ],
      40,
    );
    const { buckets, growth } = long!.singles!;
    const counted = buckets.reduce((sum, [, count]) => sum + count, 0);
    expect(counted).toBeGreaterThan(100);
    expect(buckets[0]![0] * growth).toBeGreaterThan(20_000);
    expect(short!.singles).toBeUndefined();
  });

  it("prepares before every batch of a limited variant, and does not time it", async () => {
    const log: string[] = [];
    const prepare = (): void => {
      log.push("prepare");
      spin(2);
    };
    const [limited] = await measureInterleaved([{ ...task("run", 0.1, log), prepare, limit: 12 }], 1000);
    expect(limited!.samples).toHaveLength(12);
    expect(Math.min(...limited!.samples)).toBeLessThan(1500);
    log.forEach((what, i) => expect(what).toBe(i % 2 === 0 ? "prepare" : "run"));
  });

  it("refuses batches too short for the clock", async () => {
    await expect(measureInterleaved([task("tiny", 0.001)], 10)).rejects.toThrow(/tiny: a batch of 1000 took \d+ ns/);
  });

  it("throws what a variant throws", async () => {
    const broken = {
      name: "broken",
      operations: 1000,
      run: () => {
        throw new Error("no such chain");
      },
    };
    await expect(measureInterleaved([broken], 10)).rejects.toThrow("no such chain");
  });
});

it("Benchmark.js gives the same unit", async () => {
  const samples = await measureWithBenchmarkJs(task("again", 1), 100);
  expect(samples.length).toBeGreaterThan(1);
  expect(Math.min(...samples)).toBeGreaterThanOrEqual(1000);
  expect(Math.min(...samples)).toBeLessThan(20_000); // a busy machine is slower, a wrong unit a thousand times
}, 30_000);

it.each([
  [1, 1000, 1000],
  [0.05, 4096, 12.21],
  [0, 1000, 0.01],
])("%d ms a batch of %d operations are %d ns each", (milliseconds, operations, nanoseconds) => {
  expect(toNanoseconds(milliseconds, operations)).toBe(nanoseconds);
});
