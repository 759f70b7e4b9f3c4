/** The same node in the project: a data path whose random matches go the way the kernel's went. */
import { type Family, sameAddress } from "../../src/packet/address.js";
import { CtStatus } from "../../src/packet/connection.js";
import type { Node } from "../../src/packet/node.js";
import type { Packet } from "../../src/packet/packet.js";
import { isIcmp } from "../../src/packet/protocol.js";
import type { Tuple } from "../../src/packet/tuple.js";
import { resolve, type ResolvedRule, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import type { IpSet } from "../../src/ruleset/ipset.js";
import type { NatRange, RandomMatch, RuleSet } from "../../src/ruleset/types.js";
import { type Entry, readEntry } from "../../src/conntrack/entry.js";
import { ADDRESSES, EXPIRES, MARK, META, STREAM } from "../../src/conntrack/table.js";
import { Datapath } from "../../src/datapath/datapath.js";
import type { DatapathOptions, Result } from "../../src/datapath/single.js";
import { linearEngine } from "../../src/engine/linear.js";
import { type Semantics, semanticsOf } from "../../src/engine/machine.js";
import type { Context, Draw, Engine, Trace } from "../../src/engine/types.js";
import { traceLike } from "./nft-draws.js";
import { type ChainLengths, type KernelEntry, type Observation, type TraceEvent, VERDICT } from "./observation.js";

/** What the project says of a packet. */
export interface Prediction {
  readonly result: Result;
  readonly trace: Trace;
  /** Rules that matched and ends of base chains, as `table:chain:number` and `table:chain:policy`. */
  readonly path: readonly string[];
  /** The connection the packet's own tuple leads to afterwards. */
  readonly entry: Entry | undefined;
}

export interface ProjectOptions extends DatapathOptions {
  readonly semantics?: Semantics;
  /** What `-m set` looks into. */
  readonly ipsets?: readonly IpSet[];
  /** The rule set is one of nftables. */
  readonly nftables?: boolean;
}

/** A rule set whose rules can be found as a trace names them. */
export class RuleNames {
  readonly lengths: ChainLengths;
  private readonly rules = new Map<string, ResolvedRule>();
  private readonly counts = new Map<string, number>();

  constructor(readonly resolved: ResolvedRuleSet) {
    for (const chain of resolved.chains) {
      this.counts.set(`${chain.table.name}:${chain.name}`, chain.rules.length);
      for (const rule of chain.rules) this.rules.set(`${chain.table.name}:${chain.name}:${rule.number}`, rule);
    }
    this.lengths = (table, chain) => this.counts.get(`${table}:${chain}`) ?? 0;
  }

  find(event: TraceEvent): ResolvedRule {
    const rule = this.rules.get(`${event.table}:${event.chain}:${event.number}`);
    if (rule === undefined) throw new Error(`the kernel names a rule that the project has not: ${nameEvent(event)}`);
    return rule;
  }
}

export function nameEvent(event: TraceEvent): string {
  return `${event.table}:${event.chain}:${event.number}`;
}

/** Where the kernel was not asked. */
export const NOTHING_SEEN: Observation = {
  left: undefined,
  answers: [],
  events: [],
  entry: undefined,
  errno: undefined,
};

/** Rules that matched and ends of base chains, as `table:chain:number` and `table:chain:policy`. */
export function pathOf(trace: Trace): string[] {
  return trace.steps.flatMap((step) => {
    if (step.kind === "rule") return [`${step.rule.chain.table.name}:${step.rule.chain.name}:${step.rule.number}`];
    return step.kind === "policy" ? [`${step.table}:${step.chain}:policy`] : [];
  });
}

export class ProjectNode {
  readonly names: RuleNames;
  readonly datapath: Datapath;
  private last: Trace | undefined;
  private seen: Observation = NOTHING_SEEN;
  private counted: ResolvedRule[] = [];
  private readonly countedBy = new WeakMap<Trace, readonly ResolvedRule[]>();
  /** Packets that came to the counter statements of a rule. */
  readonly counters = new Map<ResolvedRule, number>();
  /** A packet went to a destination that was drawn, and was stopped before anything told which: where it was counted is not known. */
  unsure = false;

  constructor(ruleset: RuleSet, node: Node, options: ProjectOptions = {}) {
    const resolved = resolve(ruleset);
    this.names = new RuleNames(resolved);
    const linear = this.counting(linearEngine(resolved, {}, this.withCounters(options)));
    const engine: Engine = {
      ...linear,
      classify: (packet, context) => {
        this.last =
          options.nftables === true
            ? traceLike(linear, this.names, packet, context, this.seen)
            : linear.trace(packet, { ...context, draw: branchTaken(this.names, this.seen.events) } satisfies Context);
        for (const rule of this.countedBy.get(this.last) ?? [])
          this.counters.set(rule, (this.counters.get(rule) ?? 0) + 1);
        return this.last.outcome;
      },
    };
    this.datapath = new Datapath(engine, node, options);
  }

  /** Semantics whose counter statements tell that a packet came to them. */
  private withCounters(options: ProjectOptions): Semantics {
    const semantics = options.semantics ?? semanticsOf(options.ipsets);
    const counter: Semantics["actions"]["counter"] = (action, walk, place) => {
      this.counted.push(place.at);
      return semantics.actions.counter(action, walk, place);
    };
    return { ...semantics, actions: { ...semantics.actions, counter } };
  }

  /** The engine, remembering for each trace what it counted: of many that are tried one is the packet's. */
  private counting(engine: Engine): Engine {
    const trace: Engine["trace"] = (packet, context) => {
      this.counted = [];
      const made = engine.trace(packet, context);
      this.countedBy.set(made, this.counted);
      return made;
    };
    return { ...engine, trace };
  }

  /** Lets a packet through at a time (milliseconds); random matches go as in the kernel's events. */
  process(packet: Packet, seen: Observation, now: number): Prediction {
    this.seen = seen;
    this.last = undefined;
    const result = this.datapath.process(packet, now);
    const trace = this.last as Trace | undefined;
    if (trace === undefined) throw new Error("the data path asked no engine");
    const { destination, work } = trace.outcome;
    if (destination !== undefined && work.draws > 0 && (seen.left ?? seen.entry) === undefined) this.unsure = true;
    const table = this.datapath.table(packet.family);
    const tick = table.tick(now);
    const ref = table.lookupLive(packet, tick);
    return { result, trace, path: pathOf(trace), entry: ref === 0 ? undefined : readEntry(table, ref, tick) };
  }

  /**
   * Takes over the source port that the kernel drew, where both had to draw one: `--random`, `--random-fully`, or the port was taken. It must
   * be one that could have been drawn.
   */
  adoptDrawnPort(said: Prediction, kernel: KernelEntry | undefined, now: number): Prediction {
    const { entry, result } = said;
    if (entry === undefined || kernel === undefined || result.entry !== "opened") return said;
    const { reply } = entry;
    const range = said.trace.outcome.source?.to;
    const tuple = said.trace.outcome.tuple;
    const part = isIcmp(reply.protocol) ? "sport" : "dport";
    const drawn = range?.random === true || range?.fullyRandom === true || reply[part] !== tuple.sport;
    if (!drawn || kernel.reply[part] === reply[part]) return said;
    if (!couldBeDrawn(kernel.reply[part], tuple, range)) return said;
    const adopted = { ...reply, [part]: kernel.reply[part] };
    const table = this.datapath.table(entry.family);
    const base = (result.ref >>> 1) * table.stride;
    const saved = [...table.records.subarray(base, base + ADDRESSES)];
    table.remove(result.ref);
    // Drawing the very port it had leaves a source that only the address may have changed.
    const same = kernel.reply[part] === tuple.sport && sameAddress(reply.dst, tuple.src);
    // Of an echo whose identifier is taken the kernel draws another at DNAT already, the project at the source: one of the two bits says so.
    const atDnat = isIcmp(reply.protocol) && said.trace.outcome.destination !== undefined;
    const changed = atDnat ? kernel.status & (CtStatus.snat | CtStatus.dnat) : same ? 0 : CtStatus.snat;
    const kept = saved[META]! & ~((atDnat ? CtStatus.snat | CtStatus.dnat : CtStatus.snat) << 8);
    const meta = kept | (changed << 8);
    const ref = table.insert(entry.original, adopted, meta, saved[EXPIRES]!);
    table.records[(ref >>> 1) * table.stride + MARK] = saved[MARK]!;
    table.records[(ref >>> 1) * table.stride + STREAM] = saved[STREAM]!;
    const packet = { ...result.packet, sport: kernel.reply[part] };
    return { ...said, entry: readEntry(table, ref, table.tick(now)), result: { ...result, ref, packet } };
  }

  /** The protocol's state of the connection a tuple belongs to; undefined where it has none. */
  stateOf(packet: Packet, now: number): string | undefined {
    const table = this.datapath.table(packet.family);
    const tick = table.tick(now);
    const ref = table.lookupLive(packet, tick);
    return ref === 0 ? undefined : readEntry(table, ref, tick).state;
  }

  forgetConnections(family: Family): void {
    this.datapath.table(family).clear();
  }
}

/** The ports nf_nat_l4proto_unique_tuple draws from: the rule's, or the class of the original one. */
function couldBeDrawn(port: number, tuple: Tuple, range: NatRange | undefined): boolean {
  if (range?.ports !== undefined) return port >= range.ports[0] && port <= range.ports[1];
  if (isIcmp(tuple.protocol)) return true;
  if (tuple.sport < 512) return port >= 1 && port <= 511;
  return tuple.sport < 1024 ? port >= 600 && port <= 1023 : port >= 1024;
}

/**
 * Draws that take the branch the kernel took: a random match of a rule in the trace drew the largest number that still matches, one of a
 * rule that was passed over the smallest that does not; so a threshold that is off by one takes the other branch.
 */
export function branchTaken(names: RuleNames, events: readonly TraceEvent[]): Draw {
  const matched = new Set<string>();
  const entered = new Map<number, number>();
  for (const event of events) {
    if (event.number === "policy") continue;
    const rule = names.find(event);
    matched.add(`${rule.id}:${entered.get(rule.chain.id) ?? 0}`);
    if (rule.target !== undefined) entered.set(rule.target.id, (entered.get(rule.target.id) ?? -1) + 1);
  }
  return (_, rule, visit) => {
    const { statements } = names.resolved.rules[rule]!.rule;
    const random = statements.find((statement): statement is RandomMatch => statement.kind === "random");
    if (random === undefined) throw new Error("a draw for a rule without a random match");
    const below = matched.has(`${rule}:${visit}`) !== random.negate;
    return below ? Math.max(0, random.threshold - 1) : Math.min(random.threshold, 0x7fffffff);
  };
}

/** Rules visited, as the kernel's trace implies: in each stretch of a chain, those from the rule after the last event to the next one. */
export function impliedVisits(names: RuleNames, events: readonly TraceEvent[]): number {
  let visits = 0;
  /** RETURN in a base chain, or in one gone to from it, goes to the policy without visiting the rest. */
  let returned = false;
  let stack: { table: string; chain: string; next: number }[] = [];
  for (const event of events) {
    const here = (frame: { chain: string }): boolean => frame.chain === event.chain;
    if (stack.length === 0 && event.number === "policy" && returned) {
      returned = false;
      continue;
    }
    returned = false;
    if (stack.length === 0) stack.push({ table: event.table, chain: event.chain, next: 1 });
    while (stack.length > 0 && (event.number === "policy" || !here(stack.at(-1)!))) {
      const left = stack.pop()!; // its end was reached
      visits += names.lengths(left.table, left.chain) - left.next + 1;
    }
    if (event.number === "policy") continue;
    const top = stack.at(-1);
    if (top === undefined) throw new Error(`the trace goes on in a chain that was left: ${nameEvent(event)}`);
    visits += event.number - top.next + 1;
    top.next = event.number + 1;
    const { kind, to } = verdictOf(event, names.find(event));
    switch (kind) {
      case "jump":
        stack.push({ table: event.table, chain: to!, next: 1 });
        break;
      case "goto":
        stack[stack.length - 1] = { table: event.table, chain: to!, next: 1 };
        break;
      case "return":
        stack.pop();
        returned = stack.length === 0;
        break;
      case "end":
        stack = [];
        break;
    }
  }
  return visits;
}

interface EndOfRule {
  readonly kind: "jump" | "goto" | "return" | "end" | "next";
  readonly to?: string;
}

/** How a rule ended: as nf_tables says, or x_tables by the rule's target. */
function verdictOf({ verdict }: TraceEvent, { rule, target }: ResolvedRule): EndOfRule {
  if (verdict !== undefined) {
    const known = Object.entries(VERDICT).find(([, code]) => code === verdict.code)?.[0];
    if (known === undefined) return { kind: "end" };
    return known === "continue" ? { kind: "next" } : { kind: known as EndOfRule["kind"], to: verdict.to };
  }
  const last = rule.statements.at(-1)?.kind;
  switch (last) {
    case "jump":
    case "goto":
      return { kind: last, to: target!.name };
    case "return":
      return { kind: last };
    case "accept":
    case "drop":
    case "reject":
    case "dnat":
    case "snat":
    case "masquerade":
    case "redirect":
      return { kind: "end" };
    default:
      return { kind: "next" };
  }
}
