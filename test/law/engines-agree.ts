import { expect } from "vitest";
import { PacketBatch } from "../../src/packet/batch.js";
import type { Node } from "../../src/packet/node.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import type { Packet } from "../../src/packet/packet.js";
import { add, equals, formatFraction, ONE } from "../../src/engine/fraction.js";
import { namedDraw } from "../../src/engine/draw.js";
import { linearEngine, outcomeKey } from "../../src/engine/linear.js";
import { columnEngine, indexedEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { FRESH_STATE } from "../../src/engine/state.js";
import type { Context, Distribution, Engine } from "../../src/engine/types.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { IpSet } from "../../src/ruleset/ipset.js";
import type { ResolvedRuleSet } from "../../src/ruleset/resolve.js";

export interface Subject {
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly ipsets?: readonly IpSet[];
}

/** A fresh context, draws named by the seed. */
export function contextFor(node: Node, seed: number, packet = 0): Context {
  return { node, draw: namedDraw(seed), packet, now: 0, connection: NEW_CONNECTION, state: FRESH_STATE };
}

const REFUSED = "refused: ";

/** The answer of a walk as text; a refusal is an answer too, and must be the same. */
function answerOf(walk: () => string): string {
  try {
    return walk();
  } catch (thrown) {
    if (thrown instanceof ProblemError) return `${REFUSED}${thrown.message}`;
    throw thrown;
  }
}

/** Law 1: with named draws every engine gives linear's outcome and state changes, packet by packet, alone and in a batch. */
export function expectSameOutcomes(subject: Subject, packets: readonly Packet[], seed: number, rerun: string): void {
  const { resolved, node } = subject;
  const options = { node, draws: "replay" as const, ...(subject.ipsets ? { ipsets: subject.ipsets } : {}) };
  const linear = linearEngine(resolved, options);
  const indexed = indexedEngine(resolved, options);
  const columns = columnEngine(resolved, options);
  const settled = packets.map((packet, i) => {
    const context = contextFor(node, seed, i);
    const [want, got] = [linear, indexed].map((engine) => answerOf(() => outcomeKey(engine.classify(packet, context))));
    if (want !== got) {
      throw new Error(
        `indexed differs from linear: ${got} instead of ${want} for packet ${i} of seed ${seed}, ${JSON.stringify(packet)}; ${rerun}`,
      );
    }
    return !want!.startsWith(REFUSED);
  });
  for (const family of ["ip", "ip6"] as const) {
    const own = packets
      .map((packet, i) => ({ packet, i }))
      .filter(({ packet, i }) => packet.family === family && settled[i]);
    if (own.length === 0) continue;
    const batch = new PacketBatch(family, own.length);
    own.forEach(({ packet, i }, at) => batch.set(at, packet, i));
    const want = batchOutcomes(linear, batch, node, seed);
    for (const engine of [columns, indexed]) {
      const got = batchOutcomes(engine, batch, node, seed);
      own.forEach(({ packet }, at) => {
        const [a, b] = [JSON.stringify(got.get(at)), JSON.stringify(want.get(at))];
        const [x, y] = [got, want].map((out) => out.details.get(at)?.changes ?? []);
        if (a !== b || JSON.stringify(x) !== JSON.stringify(y)) {
          throw new Error(
            `${engine.name} differs from linear in a batch: ${a} instead of ${b} for ${JSON.stringify(packet)}; ${rerun}`,
          );
        }
      });
      if (engine === columns) expect(got.work, `work of the column scan; ${rerun}`).toEqual(want.work);
    }
  }
}

function batchOutcomes(engine: Engine, batch: PacketBatch, node: Node, seed: number): OutcomeBatch {
  const out = new OutcomeBatch(batch.family, batch.count);
  engine.classifyBatch(batch, contextFor(node, seed), out);
  return out;
}

/** Law 2: the distributions of both engines are equal as fractions, and sum to one. */
export function expectSameDistributions(subject: Subject, packets: readonly Packet[], rerun: string): void {
  const options = { node: subject.node, ...(subject.ipsets ? { ipsets: subject.ipsets } : {}) };
  const linear = linearEngine(subject.resolved, options);
  const indexed = indexedEngine(subject.resolved, options);
  for (const packet of packets) {
    const context = contextFor(subject.node, 0);
    const [want, got] = [linear, indexed].map((engine) => {
      try {
        return byOutcome(engine.outcomes(packet, context, true));
      } catch (thrown) {
        if (thrown instanceof ProblemError) return new Map([[`${REFUSED}${thrown.message}`, ONE]]);
        throw thrown;
      }
    });
    const show = (table: ReturnType<typeof byOutcome>): string[] =>
      [...table].map(([k, p]) => `${formatFraction(p)} ${k}`).sort();
    const same = want!.size === got!.size && [...want!].every(([key, p]) => got!.has(key) && equals(got!.get(key)!, p));
    if (!same) expect(show(got!), `${JSON.stringify(packet)}; ${rerun}`).toEqual(show(want!));
  }
}

/** Outcomes with their probabilities; those of the ways to each must sum to its own. */
function byOutcome(distribution: Distribution): Map<string, Distribution["outcomes"][number]["probability"]> {
  for (const { probability, paths = [] } of distribution.outcomes) {
    const sum = paths.slice(1).reduce((total, path) => add(total, path.probability), paths[0]!.probability);
    expect(formatFraction(sum), "the ways to an outcome").toBe(formatFraction(probability));
  }
  return new Map(distribution.outcomes.map(({ outcome, probability }) => [outcomeKey(outcome), probability]));
}
