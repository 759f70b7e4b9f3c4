import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { testClaim, testShape, type MeasuredSeries, type Point } from "../../../src/report/published/claims.js";
import { type Claim, parseCurves } from "../../../src/report/published/curves.js";

const curves = parseCurves(readFileSync("datasets/published/curves.json", "utf8"));
const claim = (id: string): Claim => curves.claims.find((one) => one.id === id)!;
const points = (value: (services: number) => number, sizes = [100, 300, 1000, 3000, 10_000]): Point[] =>
  sizes.map((services) => ({ services, value: value(services) }));
const series = (mode: string, packet: MeasuredSeries["packet"], made: Point[]): MeasuredSeries => ({
  mode,
  packet,
  name: `${mode} ${packet}`,
  points: made,
});

describe("the shape of a series", () => {
  it.each<[string, "linear" | "flat", (n: number) => number, string]>([
    ["a line with a fixed amount", "linear", (n) => 400 + 0.6 * n, "pass"],
    ["a constant is no line that grows", "linear", () => 400, "fail"],
    ["a root is no line", "linear", (n) => 100 * Math.sqrt(n), "fail"],
    ["a square is no line", "linear", (n) => n * n, "fail"],
    ["a constant is flat", "flat", (n) => 30 + (n % 7), "pass"],
    ["a line is not flat", "flat", (n) => 400 + 0.6 * n, "fail"],
    ["a doubling is not flat", "flat", (n) => (n > 1000 ? 60 : 30), "fail"],
  ])("%s (%s)", (_, shape, value, outcome) => {
    expect(testShape(shape, points(value)).outcome).toBe(outcome);
  });

  it("needs sizes far enough apart", () => {
    expect(
      testShape(
        "flat",
        points(() => 1, [100, 200, 300]),
      ).outcome,
    ).toBe("not tested");
    expect(
      testShape(
        "flat",
        points(() => 1, [100, 10_000]),
      ).outcome,
    ).toBe("not tested");
  });
});

describe("claims", () => {
  const measured = [
    series(
      "iptables",
      "first",
      points((n) => 400 + 0.6 * n),
    ),
    series(
      "ebpf",
      "first",
      points(() => 30),
    ),
    series(
      "ebpf",
      "established",
      points((n) => 30 + n / 100),
    ),
  ];

  it("are tested on every series they speak of", () => {
    expect(testClaim(claim("iptables-linear"), measured)).toMatchObject([
      { series: "iptables first", outcome: "pass" },
    ]);
    expect(testClaim(claim("ebpf-flat"), measured)).toMatchObject([{ series: "ebpf first", outcome: "pass" }]);
    expect(testClaim(claim("established-flat"), measured)).toMatchObject([
      { series: "ebpf established", outcome: "fail" },
    ]);
  });

  it("are not tested where nothing was measured, or nothing can be", () => {
    expect(testClaim(claim("maps-flat"), measured)).toMatchObject([{ outcome: "not tested" }]);
    expect(testClaim(claim("crossover"), measured)).toMatchObject([{ outcome: "not tested" }]);
  });
});

describe("published curves", () => {
  it("name a source, and every claim one of the tests", () => {
    expect(new Set(curves.sources.map(({ id }) => id)).size).toBe(curves.sources.length);
    expect(curves.claims.map(({ test }) => test)).toEqual(["linear", "flat", "flat", "flat", "crossover"]);
  });

  it("are refused with a place where they are damaged", () => {
    const text = JSON.stringify({ ...curves, sources: [{ ...curves.sources[0], unit: 3 }] });
    expect(() => parseCurves(text)).toThrow(/unit/);
    const series = { ...curves.sources[0]!.series[0]!, values: [1] };
    expect(() =>
      parseCurves(JSON.stringify({ ...curves, sources: [{ ...curves.sources[0], series: [series] }] })),
    ).toThrow(/as many values/);
  });
});
