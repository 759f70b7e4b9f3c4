import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeRun } from "../../src/report/environment.js";
import { formatText } from "../../src/report/formats/text.js";
import { renderSvg } from "../../src/report/formats/svg.js";
import { type BenchCase, type Measurement, parseMeasurement } from "../../src/report/measurement.js";
import { documentKernel } from "../../src/report/studies/kernel/document.js";
import { plotKernel } from "../../src/report/studies/kernel/plot.js";
import { calibrate } from "../../src/report/studies/kernel/prediction.js";
import { findNoise, judgeKernel } from "../../src/report/studies/kernel/verdicts.js";
import { roundsAround } from "./record.js";

/** A run on a real kernel (Linux 6.18), each round's samples cut to their quartiles. */
const recorded = parseMeasurement(readFileSync(new URL("kernel-recorded.measurement", import.meta.url), "utf8"));

const SIZES = [10, 300, 1000, 3000, 10_000];
const BASELINE = 1400;

/** The recorded run with first packets of one engine that take a time of our own, net. */
function retimed(engine: string, net: (rulesVisited: number, services: number) => number): Measurement {
  const retime = (one: BenchCase): BenchCase => {
    const { packet, services } = one.factors;
    if (packet !== "first-datapath") return one;
    if (one.factors.engine === "no-rules") return { ...one, rounds: roundsAround(BASELINE) };
    if (one.factors.engine !== engine) return one;
    return { ...one, rounds: roundsAround(BASELINE + net(one.exact.rulesVisited!, services!)) };
  };
  return { ...recorded, cases: recorded.cases.map(retime) };
}

function outcomes(record: Measurement, engine: string): string[] {
  return judgeKernel(record)
    .filter(({ what }) => what.startsWith(`${engine}: `))
    .map(({ outcome }) => outcome);
}

describe("foretelling the kernel's time", () => {
  it("finds a straight line again, and foretells every size and place from it", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 50, noNaN: true }),
        fc.double({ min: 500, max: 5000, noNaN: true }),
        (slope, intercept) => {
          const fit = calibrate(
            retimed("iptables-legacy", (rules) => intercept + slope * rules),
            "iptables-legacy",
          )!;
          expect(fit.line.slope / slope).toBeCloseTo(1, 2);
          expect(fit.line.rSquared).toBeGreaterThan(0.9999);
          expect(fit.slope.low).toBeLessThanOrEqual(fit.line.slope);
          expect(fit.slope.high).toBeGreaterThanOrEqual(fit.line.slope);
          expect(fit.predictions).toHaveLength(8); // two sizes, four destinations
          for (const { error, measured, predicted } of fit.predictions) {
            expect(Math.abs(error.estimate)).toBeLessThan(0.01);
            expect(predicted.estimate / measured.estimate - 1).toBeCloseTo(error.estimate, 9);
          }
        },
      ),
      { numRuns: 5 },
    );
  });

  it("is fitted to 10, 300 and 3,000 services, and to no uniform destinations", () => {
    const fit = calibrate(recorded, "iptables-legacy")!;
    expect(fit.services).toEqual([10, 300, 3000]);
    expect(fit.points).toHaveLength(9);
    expect(new Set(fit.predictions.map(({ factors }) => factors.services))).toEqual(new Set([1000, 10_000]));
    const [slow, quick] = [3, 1].map((factor) => {
      const stretch = (one: BenchCase): BenchCase =>
        one.factors.destination === "uniform" && one.factors.engine === "iptables-legacy"
          ? { ...one, rounds: roundsAround(100_000 * factor) }
          : one;
      return calibrate({ ...recorded, cases: recorded.cases.map(stretch) }, "iptables-legacy")!;
    });
    expect(slow!.line).toEqual(quick!.line);
    expect(slow!.rSquaredOfAll).not.toBe(slow!.line.rSquared);
  });

  it("passes what foretells, and misses what does not", () => {
    const straight = retimed("iptables-legacy", (rules) => 2500 + 2.4 * rules);
    expect(outcomes(straight, "iptables-legacy").slice(0, 2)).toEqual(["pass", "pass"]);
    const largerCostsMore = retimed("iptables-legacy", (rules, services) => (services > 3000 ? 2 : 1) * (2500 + rules));
    expect(outcomes(largerCostsMore, "iptables-legacy").slice(0, 2)).toEqual(["pass", "miss"]);
    const bySize = retimed("iptables-legacy", (rules, services) => (services === 300 ? 40_000 : 2500 + rules));
    expect(outcomes(bySize, "iptables-legacy")[0]).toBe("miss");
  });

  it("concludes nothing where the empty namespace itself is restless, or sizes are missing", () => {
    const restless = (one: BenchCase): BenchCase =>
      one.factors.engine === "no-rules" ? { ...one, rounds: [...roundsAround(1000), ...roundsAround(1800)] } : one;
    const noisy = { ...recorded, cases: recorded.cases.map(restless) };
    expect(findNoise(noisy)).toMatch(/factor of 1\.8/);
    expect(new Set(judgeKernel(noisy).map(({ outcome }) => outcome))).toEqual(new Set(["too noisy"]));
    const burst =
      (rounds: number) =>
      (one: BenchCase): BenchCase =>
        one.factors.engine === "no-rules"
          ? {
              ...one,
              rounds: [...Array.from({ length: rounds - 1 }, () => roundsAround(1000)[0]!), roundsAround(1800)[0]!],
            }
          : one;
    const withBurst = (rounds: number) => ({ ...recorded, cases: recorded.cases.map(burst(rounds)) });
    expect(findNoise(withBurst(9))).toMatch(/factor of 1\.8/);
    expect(findNoise(withBurst(10))).toBeUndefined();
    const one = { ...recorded, cases: recorded.cases.filter(({ factors }) => factors.services === 1000) };
    expect(new Set(judgeKernel(one).map(({ outcome }) => outcome))).toEqual(new Set(["not measured"]));
    expect(formatText(documentKernel(one))).toContain("NOT MEASURED");
  });
});

describe("the recorded run", () => {
  it("meets the targets of iptables-legacy", () => {
    expect(findNoise(recorded)).toBeUndefined();
    expect(outcomes(recorded, "iptables-legacy").slice(0, 2)).toEqual(["pass", "pass"]);
  });

  it("is drawn as text, none of it undefined", () => {
    const text = formatText(documentKernel(recorded));
    expect(text).not.toMatch(/undefined|NaN/);
    for (const size of SIZES) expect(text).toMatch(new RegExp(`^load +${size.toLocaleString("en-US")} `, "m"));
    expect(text).toMatch(/^iptables-nft +10,000 +uniform/m);
  });

  it("is drawn as the same bytes again, with every size and line named", async () => {
    const svg = await renderSvg(plotKernel(recorded), describeRun(recorded));
    expect(await renderSvg(plotKernel(recorded), describeRun(recorded))).toBe(svg);
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!);
    for (const size of SIZES) expect(texts).toContain(size.toLocaleString("en-US"));
    for (const label of ["first packet: nft maps", "eBPF: lookup and pick alone", "foretold, and then measured"])
      expect(texts).toContain(label);
    expect(texts.filter((text) => text.includes("ns per rule"))).toHaveLength(2);
  });
});
