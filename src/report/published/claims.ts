/**
 * Tests of what is claimed of the shape of cost over the number of services. Every test is on the measured points alone: nothing is fitted to
 * the published curve, so that agreement says something.
 */
import { linearRegression } from "simple-statistics";
import type { Claim } from "./curves.js";

/** Cost at a number of services, in any unit. */
export interface Point {
  readonly services: number;
  readonly value: number;
}

/** What was measured of one mode. */
export interface MeasuredSeries {
  /** `iptables`, `nftables`, `ebpf`, ... */
  readonly mode: string;
  readonly packet: "first" | "established";
  /** What measured it, as the report names it. */
  readonly name: string;
  readonly points: readonly Point[];
  /** Why its times cannot be trusted; absent: nothing speaks against them. */
  readonly noise?: string;
}

export interface ClaimResult {
  readonly claim: Claim;
  /** What it was tested on; null where there was nothing. */
  readonly series: string | null;
  /** `too noisy`: all points are there, but the machine was too busy to tell. */
  readonly outcome: "pass" | "fail" | "too noisy" | "not tested";
  readonly detail: string;
}

/** A line explains at least this much of the variance. */
export const LEAST_R_SQUARED = 0.98;
/** The dearest of a flat series costs at most this much more than the cheapest. */
export const MOST_FLAT_RATIO = 1.5;
/** A shape needs points this far apart (largest over smallest number of services), and at least so many. */
export const LEAST_SPAN = 10;
/** What others published is often over fewer sizes. */
export const LEAST_SPAN_PUBLISHED = 5;
export const LEAST_POINTS = 3;

/** Tests a claim on every series it speaks of; one `not tested` where there is none. */
export function testClaim(claim: Claim, measured: readonly MeasuredSeries[]): ClaimResult[] {
  const untested = (detail: string): ClaimResult[] => [{ claim, series: null, outcome: "not tested", detail }];
  if (claim.test === "crossover")
    return untested(
      `it compares whole data planes: ${claim.mode} has no engine whose time is comparable with that of the rules`,
    );
  const about = measured.filter(
    (one) => one.packet === claim.packet && (claim.mode === "any" || one.mode === claim.mode),
  );
  if (about.length === 0) return untested(`this run holds no ${claim.packet} packets under ${claim.mode}`);
  const shape = claim.test;
  return about.map((one) => {
    const { outcome, detail } = testShape(shape, one.points);
    if (one.noise === undefined || outcome === "not tested") return { claim, series: one.name, outcome, detail };
    return { claim, series: one.name, outcome: "too noisy", detail: `${detail}; ${one.noise}` };
  });
}

/** Whether the points are of the shape; `figure` is what was judged: R squared of a line, or the largest over the smallest. */
export function testShape(
  shape: "linear" | "flat",
  points: readonly Point[],
  leastSpan = LEAST_SPAN,
): { outcome: "pass" | "fail" | "not tested"; detail: string; figure?: number } {
  const services = points.map((point) => point.services).filter((count) => count > 0);
  const span = Math.max(...services) / Math.min(...services);
  if (points.length < LEAST_POINTS || !(span >= leastSpan))
    return {
      outcome: "not tested",
      detail: `it takes ${LEAST_POINTS} sizes of which the largest is ${leastSpan} times the smallest`,
    };
  const values = points.map((point) => point.value);
  if (shape === "flat") {
    const ratio = Math.max(...values) / Math.min(...values);
    const detail = `largest over smallest ${ratio.toFixed(2)} over ${span.toFixed(0)} x the services, at most ${MOST_FLAT_RATIO}`;
    return { outcome: ratio <= MOST_FLAT_RATIO ? "pass" : "fail", detail, figure: ratio };
  }
  const { m, b } = linearRegression(points.map((point) => [point.services, point.value]));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const total = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const rest = points.reduce((sum, point) => sum + (point.value - (m * point.services + b)) ** 2, 0);
  const rSquared = total === 0 ? 0 : 1 - rest / total;
  const grows = m * (Math.max(...services) - Math.min(...services)) > Math.min(...values) * (MOST_FLAT_RATIO - 1);
  return {
    outcome: rSquared >= LEAST_R_SQUARED && grows ? "pass" : "fail",
    detail: `R squared of a line ${rSquared.toFixed(4)}, at least ${LEAST_R_SQUARED}${grows ? "" : "; it hardly grows"}`,
    figure: rSquared,
  };
}
