import type { Address } from "../packet/address.js";
import { type Connection, CtStatus, NEW_CONNECTION } from "../packet/connection.js";
import { type Packet, tupleOf } from "../packet/packet.js";
import { replyTuple, type Tuple } from "../packet/tuple.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Hook } from "../ruleset/types.js";
import { drawVisit } from "./draw.js";
import { type Fraction, ONE } from "./fraction.js";
import { type Stage, type Station, ways } from "./path.js";
import { View } from "./state.js";
import type { Context, FinalVerdict, Outcome, SourceTranslation, Step, Work } from "./types.js";

/** A place in a chain: the rule that comes next, and the statement of it. */
export interface Frame {
  readonly chain: ResolvedChain;
  rule: number;
  statement: number;
  /** The rule has been counted as visited. */
  begun: boolean;
  /** Random numbers the rule has drawn: the second has a name of its own. */
  draws: number;
  /** Where among the steps the rule stands, should it match. */
  told: number;
}

/**
 * A packet on its way: what it looks like now, what is known of its connection, and where it stands (stage, station, and a
 * stack of chains, as the jump stack of ipt_do_table). It can be forked at any statement: that is how all outcomes are found.
 */
export class Walk implements Tuple {
  // The packet as it stands.
  src: Address;
  dst: Address;
  readonly protocol: number;
  sport: number;
  dport: number;
  mark: number;
  iif: string;
  oif = "";
  hook: Hook;
  /** Undefined until conntrack has looked at the packet (raw chains), where rules see an invalid connection. */
  connection: Connection | undefined;
  status: number;
  ctmark: number;
  notrack = false;
  /** Conntrack has had its turn. */
  tracked = false;
  /** The packet has left by lo and comes in again: what stops it now leaves its connection in the table. */
  confirmed = false;
  /** The tuple with which it left, where its source was translated then. */
  sent: Tuple | undefined;
  /** The source translated to is not free: it is dropped when its connection is confirmed. */
  clashes = false;
  /** The nat chains were asked for this end of the tuple, and need not be again. */
  readonly settled = { destination: false, source: false };

  // What was decided.
  destination: { address: Address; port: number } | undefined;
  source: SourceTranslation | undefined;
  way: "local" | "forward" | undefined;
  view: View;
  work: Work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };
  probability: Fraction = ONE;
  /** Present when the walk is to be told as steps. */
  steps: Step[] | undefined;
  /** Conditions on state that were taken as given. */
  given = new Set<string>();

  // Where it stands.
  stages: readonly Stage[];
  stage = 0;
  station = -1;
  stations: readonly Station[] = [];
  natChain = 0;
  base: ResolvedChain | undefined;
  stack: Frame[] = [];
  /** How often each chain (by id) was entered. */
  entries = new Map<number, number>();
  /** What the current statement is to draw, where outcomes() has forked the walk for it; empty: asked of the context. */
  numbers: readonly number[] = [];
  /** Expressions with a counter that the current statement has asked. */
  counters = 0;

  constructor(
    readonly packet: Packet,
    readonly context: Context,
    readonly resolved: ResolvedRuleSet,
  ) {
    this.src = packet.src;
    this.dst = packet.dst;
    this.protocol = packet.protocol;
    this.sport = packet.sport;
    this.dport = packet.dport;
    this.mark = packet.mark;
    this.iif = packet.iif;
    this.hook = packet.entrance;
    this.stages = ways[packet.entrance].first;
    this.status = context.connection.status;
    this.ctmark = context.connection.mark;
    this.view = new View(context.state);
  }

  /** A walk that goes its own way from here on. */
  fork(): Walk {
    const other = new Walk(this.packet, this.context, this.resolved);
    const { packet: _packet, context: _context, resolved: _resolved, ...rest } = this;
    Object.assign(other, rest, {
      settled: { ...this.settled },
      view: this.view.fork(),
      work: { ...this.work },
      steps: this.steps && [...this.steps],
      given: this.given,
      stack: this.stack.map((frame) => ({ ...frame })),
      entries: new Map(this.entries),
    });
    return other;
  }

  get top(): Frame | undefined {
    return this.stack[this.stack.length - 1];
  }

  /** Goes on with the next rule of the chain. */
  nextRule(): void {
    const top = this.top!;
    top.rule++;
    top.statement = 0;
    top.begun = false;
    top.draws = 0;
  }

  /** Enters a chain; `instead`: by goto. */
  enter(chain: ResolvedChain, instead = false): void {
    this.entries.set(chain.id, (this.entries.get(chain.id) ?? 0) + 1);
    this.work.chainsEntered++;
    this.stack.push({ chain, rule: 0, statement: 0, begun: false, draws: 0, told: 0 });
    this.steps?.push({
      kind: "chain",
      table: chain.table.name,
      chain: chain.name,
      ...(instead ? { instead: true } : {}),
    });
  }

  /** A u32 for the current statement. */
  random(): number {
    this.work.draws++;
    const frame = this.top!;
    const drawn = frame.draws++;
    if (this.numbers.length > 0) {
      const [first, ...rest] = this.numbers;
      this.numbers = rest;
      return first!;
    }
    const { draw, packet } = this.context;
    return draw(packet ?? 0, frame.chain.rules[frame.rule]!.id, drawVisit(this.visit, drawn));
  }

  /** Leaves the chain on top, by its end, RETURN or goto; an empty stack means that the base chain is at its policy. */
  leave(): void {
    this.stack.pop();
  }

  /** How often the chain of the current rule had been entered before. */
  get visit(): number {
    return this.entries.get(this.top!.chain.id)! - 1;
  }

  /** The packet's connection as rules see it now: a new one gets its tuples from the packet and the translation so far. */
  seenConnection(): Connection | undefined {
    const given = this.connection;
    if (given === undefined) return undefined;
    if (given.state !== "new" || given.original !== undefined)
      return { ...given, mark: this.ctmark, status: this.status };
    const reply = replyTuple(tupleOf(this));
    return {
      ...NEW_CONNECTION,
      status: this.status,
      mark: this.ctmark,
      original: tupleOf(this.packet),
      ...(reply === undefined ? {} : { reply }),
    };
  }

  /** Sets a new destination, as DNAT does; the status bit only where something changed (nf_nat_setup_info). */
  translateDestination(address: Address, port: number): void {
    const before = { address: this.dst, port: this.dport };
    this.dst = address;
    this.dport = port;
    this.destination = { address, port };
    if (String(before.address) !== String(address) || before.port !== port) this.status |= CtStatus.dnat;
  }

  /** The outcome, once the walk has ended. */
  outcome(verdict: FinalVerdict, by?: ResolvedRule, rejectWith?: string): Outcome {
    const stopped = verdict !== "accept";
    return {
      verdict,
      ...(rejectWith === undefined ? {} : { rejectWith }),
      ...(by === undefined ? {} : { by }),
      ...(this.destination === undefined ? {} : { destination: this.destination }),
      ...(this.source === undefined || (stopped && !this.confirmed) ? {} : { source: this.source }),
      ...(stopped && !this.tracked ? { unseen: true as const } : {}),
      ...(stopped && this.confirmed ? { confirmed: true as const } : {}),
      tuple: this.sent ?? tupleOf(this),
      mark: this.mark,
      way: this.way,
      oif: this.way === undefined ? undefined : this.oif,
      notrack: this.notrack,
      changes: this.view.changes,
      work: this.work,
    };
  }
}
