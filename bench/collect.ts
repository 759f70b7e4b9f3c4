import {
  type BenchCase,
  type Dataset,
  describeFactors,
  type Factors,
  inOrder,
  type Measurement,
  type MeasuringProcess,
  type Picks,
} from "../src/index.js";
import type { CaseResult, ProcessResult } from "./processes.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Puts what processes measured together into cases, a round for each process. Exact columns do not depend on the machine:
 * where two processes differ in them, something is wrong with an engine, and this throws.
 */
export class Collection {
  private readonly cases = new Map<string, Mutable<BenchCase>>();
  private readonly sampledPicks = new Map<string, Picks>();
  private readonly datasets = new Map<string, Dataset>();
  private readonly processes: MeasuringProcess[] = [];

  /** `build` where two are compared. */
  add(result: ProcessResult, round: number, build?: Factors["build"]): void {
    for (const dataset of result.datasets ?? []) this.datasets.set(dataset.command, dataset);
    if (result.cases.length === 0) return;
    const process = this.processes.length;
    this.processes.push({ run: 0, round, yardstick: [...(result.yardstick ?? [])] });
    for (const one of result.cases) this.addCase(build === undefined ? one : withBuild(one, build), process);
    for (const picks of result.picks ?? []) {
      const own = build === undefined ? picks : withBuild(picks, build);
      this.sampledPicks.set(describeFactors(own.factors), own);
    }
  }

  private addCase(result: CaseResult, process: number): void {
    const { factors, unit, per, batch, exact, ...measured } = result;
    const round = { process, ...measured };
    const key = describeFactors(factors);
    const known = this.cases.get(key);
    if (known === undefined) {
      this.cases.set(key, { factors, unit, per, batch, exact, rounds: [round] });
      return;
    }
    if (JSON.stringify(known.exact) !== JSON.stringify(exact))
      throw new Error(`two processes counted differently: ${key}`);
    known.rounds = [...known.rounds, round];
  }

  /** Ordered by factors, whatever order the processes ran in. */
  list(): Pick<Measurement, "datasets" | "processes" | "cases" | "picks"> {
    const datasets = [...this.datasets.values()];
    const cases = [...this.cases.values()];
    const picks = [...this.sampledPicks.values()];
    return { processes: [...this.processes], ...inOrder({ datasets, cases, picks }) };
  }
}

function withBuild<T extends { factors: Factors }>(one: T, build: Factors["build"]): T {
  return { ...one, factors: { ...one.factors, build } };
}
