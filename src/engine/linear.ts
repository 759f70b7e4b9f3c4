/**
 * The linear walk: rule by rule as the kernel does it (net/ipv4/netfilter/ip_tables.c, ipt_do_table). It has one job, to be
 * right; every fast engine must equal it. It runs at any speed.
 */
import type { Family } from "../packet/address.js";
import type { PacketBatch } from "../packet/batch.js";
import type { IpSet } from "../ruleset/ipset.js";
import { error, ProblemError } from "../ruleset/problem.js";
import type { ResolvedRuleSet } from "../ruleset/resolve.js";
import { casesOf } from "./cases.js";
import { add, multiply } from "./fraction.js";
import { run, type Semantics, semanticsOf, type Skip, type Split } from "./machine.js";
import type { OutcomeBatch } from "./outcome-batch.js";
import { type Schedule, schedule } from "./path.js";
import type { Context, Distribution, Engine, Outcome, Trace, WeightedOutcome } from "./types.js";
import { Walk } from "./walk.js";

/** Ways of one packet that outcomes() follows: draws in a row that lead on to the same place make twice as many each. */
const MOST_WAYS = 100_000;

export interface EngineOptions {
  /** What `-m set` looks into. */
  readonly ipsets?: readonly IpSet[];
}

/**
 * The engine that is the truth. `semantics` is the table of what each statement does; a test that wants to see a fault caught
 * hands in a table with one entry replaced. Throws ProblemError where the rule set has errors, and from every method where a
 * walk reaches something that cannot be evaluated.
 */
export function linearEngine(
  resolved: ResolvedRuleSet,
  options: EngineOptions = {},
  semantics = semanticsOf(options.ipsets),
): Engine {
  return walkingEngine("linear", resolved, semantics);
}

/** An engine that walks packet by packet; with `skip` it passes over rules that cannot match. */
export function walkingEngine(name: string, resolved: ResolvedRuleSet, semantics: Semantics, skip?: Skip): Engine {
  const errors = resolved.problems.filter((problem) => problem.severity === "error");
  if (errors.length > 0) throw new ProblemError(...errors);
  const schedules: Record<Family, Schedule> = { ip: schedule(resolved, "ip"), ip6: schedule(resolved, "ip6") };
  const finish = (walk: Walk, split?: Split): Outcome =>
    run(walk, schedules[walk.packet.family], semantics, {
      ...(split === undefined ? {} : { split }),
      ...(skip === undefined ? {} : { skip }),
    });

  const engine: Engine = {
    name,
    classify: (packet, context) => finish(new Walk(packet, context, resolved)),
    classifyBatch: (batch, context, out) => classifyEach(engine, batch, context, out),
    trace(packet, context): Trace {
      const walk = new Walk(packet, context, resolved);
      walk.steps = [];
      const outcome = finish(walk);
      return { steps: walk.steps, outcome, given: [...walk.given] };
    },
    outcomes(packet, context, paths = false): Distribution {
      const first = new Walk(packet, context, resolved);
      if (paths) first.steps = [];
      const todo = [first];
      const found = new Map<string, WeightedOutcome>();
      const split: Split = (walk, statement, place) => {
        const cases = casesOf(statement, place, walk.view);
        const before = walk.probability;
        for (let i = cases.length - 1; i >= 0; i--) {
          const way = i === 0 ? walk : walk.fork();
          way.numbers = cases[i]!.numbers;
          way.probability = multiply(before, cases[i]!.probability);
          if (i > 0) todo.push(way);
        }
      };
      const given = new Set<string>();
      let ways = 0;
      for (let walk = todo.pop(); walk !== undefined; walk = todo.pop()) {
        if (++ways > MOST_WAYS) {
          const message = `the draws of the rules make more than ${MOST_WAYS} different ways for this packet`;
          throw new ProblemError(error("too-many-ways", message));
        }
        const outcome = finish(walk, split);
        const { steps, probability } = walk;
        addOutcome(found, {
          outcome,
          probability,
          ...(steps === undefined ? {} : { paths: [{ steps, probability }] }),
        });
        for (const text of walk.given) given.add(text);
      }
      return { outcomes: [...found.values()], given: [...given] };
    },
  };
  return engine;
}

/** Adds an outcome to those found so far, by their keys: the same ones are one. */
export function addOutcome(found: Map<string, WeightedOutcome>, one: WeightedOutcome): void {
  const key = outcomeKey(one.outcome);
  const same = found.get(key);
  if (same === undefined) found.set(key, one);
  else {
    const paths = same.paths && [...same.paths, ...(one.paths ?? [])];
    found.set(key, { ...same, probability: add(same.probability, one.probability), ...(paths && { paths }) });
  }
}

/** Two outcomes are the same when the packet fares the same and the same state changes follow. Work does not count. */
export function outcomeKey(outcome: Outcome): string {
  const { verdict, rejectWith, destination, source, tuple, mark, way, oif, notrack, unseen, confirmed, changes } =
    outcome;
  return JSON.stringify([
    verdict,
    rejectWith,
    destination,
    source,
    tuple,
    mark,
    way,
    oif,
    notrack,
    unseen,
    confirmed,
    changes,
  ]);
}

/** Classifies a batch packet by packet; for engines without a faster way, and for packets a fast way leaves over. */
export function classifyEach(engine: Engine, batch: PacketBatch, context: Context, out: OutcomeBatch): void {
  out.reset();
  for (let i = 0; i < batch.count; i++) out.set(i, classifyOne(engine, batch, i, context));
}

/** Classifies packet i of a batch as an object. */
export function classifyOne(engine: Engine, batch: PacketBatch, i: number, context: Context): Outcome {
  return engine.classify(batch.get(i), { ...context, packet: batch.id[i]!, connection: batch.connection(i) });
}
