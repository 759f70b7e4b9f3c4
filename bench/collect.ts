import type { BenchCase, Picks } from "../src/index.js";
import type { CaseResult, ProcessResult } from "./processes.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Puts what processes measured together into cases, a round for each process. Counters and checksums do not depend on the
 * machine: where two processes differ in them, something is wrong with an engine, and this throws.
 */
export class Collection {
  private readonly cases = new Map<string, Mutable<BenchCase>>();
  private readonly sampledPicks = new Map<string, Picks>();
  private processes = 0;

  add(result: ProcessResult): void {
    const process = this.processes++;
    for (const { samples, collections, cpuShare, ...what } of result.cases) {
      const round = { process, samples: [...samples], collections, cpuShare };
      const known = this.cases.get(keyOf(what));
      if (known === undefined) {
        this.cases.set(keyOf(what), { ...what, rounds: [round] });
        continue;
      }
      if (exactOf(known) !== exactOf(what)) throw new Error(`two processes counted differently: ${keyOf(what)}`);
      known.rounds = [...known.rounds, round];
    }
    for (const picks of result.picks) this.sampledPicks.set(`${picks.engine} ${picks.services}`, picks);
  }

  /** Cases ordered by size, packet, engine and destination, whatever order their processes ran in. */
  list(): { cases: BenchCase[]; picks: Picks[] } {
    const order = (one: BenchCase): string =>
      [
        String(one.services).padStart(7, "0"),
        String(one.flows).padStart(9, "0"),
        one.packet,
        one.harness,
        one.engine,
        one.destination,
        one.ruleSets,
      ].join(" ");
    const cases = [...this.cases.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
    const picks = [...this.sampledPicks.values()].sort(
      (a, b) => a.services - b.services || (a.engine < b.engine ? -1 : 1),
    );
    return { cases, picks };
  }
}

function exactOf({
  work,
  leastRulesVisited,
  checksum,
}: Omit<CaseResult, "samples" | "collections" | "cpuShare">): string {
  return JSON.stringify([work, leastRulesVisited, checksum]);
}

function keyOf(one: Omit<CaseResult, "samples" | "collections" | "cpuShare">): string {
  const { engine, harness, packet, destination, services, endpoints, ruleSets, flows } = one;
  return `${engine} ${harness} ${packet} ${destination} services ${services} x ${endpoints} rule sets ${ruleSets} flows ${flows}`;
}
