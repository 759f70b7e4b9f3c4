/** One packet through conntrack, an engine, and NAT. The readable way; batch.ts is the fast one and must equal it. */
import type { Family } from "../packet/address.js";
import {
  type Connection,
  CtState,
  CtStatus,
  INVALID_CONNECTION,
  NEW_CONNECTION,
  UNTRACKED_CONNECTION,
} from "../packet/connection.js";
import type { Node } from "../packet/node.js";
import { icmpType, isIcmpError, type Packet, tupleOf } from "../packet/packet.js";
import { TCP, TcpFlag } from "../packet/protocol.js";
import { replyTuple, sameTuple, type Tuple } from "../packet/tuple.js";
import type { NatRange } from "../ruleset/types.js";
import { namedDraw } from "../engine/draw.js";
import { RuleMemory, type StateChange } from "../engine/state.js";
import type { Context, Engine, Outcome } from "../engine/types.js";
import { connectionView, type Entry, readEntry, stateName } from "../conntrack/entry.js";
import { relatedRef, translateError } from "../conntrack/icmp-error.js";
import { chooseDestination, chooseSource, keepSource, pickSource } from "../conntrack/nat.js";
import { EXPIRES, MARK, STREAM } from "../conntrack/layout.js";
import { ConntrackTable, DEFAULT_MAX_ENTRIES } from "../conntrack/table.js";
import { timeoutPresets } from "../conntrack/timeouts.js";
import { TRACK_KILL, TRACK_REOPEN, Tracker } from "../conntrack/track.js";
import { spaceOf, translationRandom } from "./context.js";
import type { DatapathOptions, DropReason, Result } from "./types.js";

export type { DatapathOptions, DropReason, Result } from "./types.js";

/** The incremental sweep goes through the whole table in this time (GC_SCAN_INTERVAL_MAX, nf_conntrack_core.c). Milliseconds. */
const SWEEP_PERIOD = 60_000;
/** A full table is searched for expired connections no more often. Milliseconds. */
const FULL_SWEEP_PERIOD = 1000;

/** The state behind the data path: tables, what rules remember, the clock. Time never runs backwards. */
export class SinglePath {
  readonly engine: Engine;
  readonly node: Node;
  readonly mode: "chains" | "fast-path";
  readonly seed: number;
  readonly memory = new RuleMemory();
  protected readonly tracker: Tracker;
  /** Counts the changes of state that a match can see. */
  protected memoryVersion = 0;
  /** Counts the destinations that were chosen by what is free in the table. */
  protected destinationsChosen = 0;
  private readonly options: DatapathOptions;
  private readonly tables = new Map<Family, ConntrackTable>();
  private lastSweep = new Map<Family, number>();
  private lastFullSweep = -Infinity;
  private nextPacket = 0;
  private readonly draw;

  constructor(engine: Engine, node: Node, options: DatapathOptions = {}) {
    this.engine = engine;
    this.node = node;
    this.options = options;
    this.mode = options.mode ?? "chains";
    this.seed = options.seed ?? 1;
    this.draw = namedDraw(this.seed);
    const timeouts = options.timeouts ?? "kernel";
    this.tracker = new Tracker(typeof timeouts === "string" ? timeoutPresets[timeouts] : timeouts);
  }

  /** The connections of a family. */
  table(family: Family): ConntrackTable {
    let table = this.tables.get(family);
    if (table === undefined) {
      table = new ConntrackTable(family, this.options.maxEntries ?? DEFAULT_MAX_ENTRIES, this.options.initialEntries);
      this.tables.set(family, table);
    }
    return table;
  }

  /** The live connections of both families at a time, as objects. */
  *entries(now: number): Generator<Entry> {
    for (const table of this.tables.values()) {
      const tick = table.tick(now);
      for (const ref of table.refs()) {
        const entry = readEntry(table, ref, tick);
        if (entry.timeLeft > 0) yield entry;
      }
    }
  }

  /**
   * One packet at a time (milliseconds). `id` names it in draws; by default packets are counted. Throws what the engine throws
   * (ProblemError where a walk reaches something that cannot be evaluated); the packet has changed nothing then.
   */
  process(packet: Packet, now: number, id = this.nextPacket++): Result {
    const table = this.table(packet.family);
    const tick = this.moveClock(table, now);
    if (isIcmpError(packet)) return this.processError(table, packet, tick, now, id);
    const ref = packet.fragment ? 0 : table.lookupLive(packet, tick);
    if (ref !== 0) {
      const known = this.processKnown(table, ref, packet, tick, now, id);
      if (known !== undefined) return known;
    }
    return this.processFirst(table, packet, tick, now, id);
  }

  /** Moves the clock on and sweeps as much of the table as the time passed calls for. */
  protected moveClock(table: ConntrackTable, now: number): number {
    const tick = table.tick(now);
    const passed = now - (this.lastSweep.get(table.family) ?? now - 1);
    if (passed > 0) {
      this.lastSweep.set(table.family, now);
      table.sweep(tick, Math.ceil((table.span * Math.min(passed, SWEEP_PERIOD)) / SWEEP_PERIOD));
    }
    return tick;
  }

  /** A packet that has a connection; undefined where that is over and the packet may open a new one. */
  private processKnown(
    table: ConntrackTable,
    ref: number,
    packet: Packet,
    tick: number,
    now: number,
    id: number,
  ): Result | undefined {
    const { records } = table;
    const base = (ref >>> 1) * table.stride;
    const seen = this.tracker.follow(records[base]!, records[base + STREAM]!, ref & 1, packet.tcpFlags, tick);
    if (seen === TRACK_REOPEN) {
      table.remove(ref);
      return undefined;
    }
    if (seen === CtState.invalid) return this.passWithoutEntry(packet, INVALID_CONNECTION, now, id);
    const { meta, timeout } = this.tracker;
    const state = stateName(seen & 255);
    let outcome: Outcome | undefined;
    if (this.mode === "chains") {
      outcome = this.classify(packet, connectionView(table, ref, meta, state), now, id);
      this.applyChanges(outcome.changes);
      if (outcome.notrack) return untracked(packet, outcome);
      if (outcome.unseen === true)
        return { verdict: outcome.verdict, reason: reasonOf(outcome), packet, state, ref: 0, entry: "known", outcome };
      setMark(table, ref, outcome.changes);
    }
    records[base] = meta;
    if (timeout >= 0) records[base + EXPIRES] = tick + timeout;
    const translated = replyTuple(table.tuple(ref ^ 1)) ?? packet;
    const over = (seen & TRACK_KILL) !== 0;
    if (over) table.remove(ref);
    const common = {
      state,
      ref: over ? 0 : ref,
      entry: "known" as const,
      ...(outcome === undefined ? {} : { outcome }),
    };
    if (outcome !== undefined && outcome.verdict !== "accept") {
      if (!over && isAnsweredByReset(packet, outcome)) this.close(table, ref, tick);
      return { verdict: outcome.verdict, reason: reasonOf(outcome), packet, ...common };
    }
    return {
      verdict: "accept",
      packet: { ...packet, ...tupleOf(translated), mark: outcome?.mark ?? packet.mark },
      ...common,
    };
  }

  /** A packet without a connection. */
  private processFirst(table: ConntrackTable, packet: Packet, tick: number, now: number, id: number): Result {
    const seen = packet.fragment
      ? CtState.invalid
      : this.tracker.open(packet.protocol, packet.tcpFlags, packet.dport, tick);
    if (seen === CtState.invalid) return this.passWithoutEntry(packet, INVALID_CONNECTION, now, id);
    if (seen === CtState.untracked) return this.passWithoutEntry(packet, UNTRACKED_CONNECTION, now, id);
    const { meta, timeout, stream } = this.tracker;
    const outcome = this.classify(packet, NEW_CONNECTION, now, id);
    return this.settleFirst(table, packet, outcome, meta, timeout, stream, tick, now);
  }

  /** The end of a first packet: makes room, picks the source, enters the connection. */
  protected settleFirst(
    table: ConntrackTable,
    packet: Packet,
    outcome: Outcome,
    meta: number,
    timeout: number,
    stream: number,
    tick: number,
    now: number,
  ): Result {
    if (outcome.notrack) {
      this.applyChanges(outcome.changes);
      return untracked(packet, outcome);
    }
    const stopped = { packet, state: "new", ref: 0, entry: "none", outcome } as const;
    // The kernel allocates the entry before any rule but those of raw is asked (resolve_normal_ct).
    if (table.full && !this.makeRoom(table, packet, tick, now))
      return { ...stopped, verdict: "drop", reason: "table-full" };
    this.applyChanges(outcome.changes);
    const refused = { ...stopped, verdict: outcome.verdict, reason: reasonOf(outcome) };
    if (outcome.verdict !== "accept" && outcome.confirmed !== true) return refused;

    const { tuple } = outcome;
    const entered = this.enterConnection(
      table,
      packet,
      tuple,
      outcome.source?.to ?? keepSource(tuple),
      meta,
      timeout,
      stream,
      tick,
    );
    if (entered === undefined) return { ...stopped, verdict: "drop", reason: "no-free-tuple" };
    setMark(table, entered.ref, outcome.changes);
    if (outcome.verdict !== "accept") {
      if (isAnsweredByReset(packet, outcome)) this.close(table, entered.ref, tick);
      return { ...refused, ref: entered.ref, entry: "opened" };
    }
    const translated = { ...packet, ...entered.final, mark: outcome.mark };
    return { verdict: "accept", packet: translated, state: "new", ref: entered.ref, entry: "opened", outcome };
  }

  /** Picks the source of a first packet, whose tuple is `tuple` after DNAT, and enters its connection; undefined where no tuple is free. */
  protected enterConnection(
    table: ConntrackTable,
    original: Tuple,
    tuple: Tuple,
    range: NatRange,
    meta: number,
    timeout: number,
    stream: number,
    tick: number,
  ): { ref: number; final: Tuple } | undefined {
    const final = chooseSource(tuple, range, spaceOf(table, tick), translationRandom(this.seed, tuple));
    const reply = final && replyTuple(final);
    if (final === undefined || reply === undefined) return undefined;
    const status = (sameTuple(original, tuple) ? 0 : CtStatus.dnat) | (sameTuple(tuple, final) ? 0 : CtStatus.snat);
    table.lookupLive(reply, tick); // one that is over makes way
    const ref = table.insert(original, reply, meta | (status << 8), tick + timeout);
    table.records[(ref >>> 1) * table.stride + STREAM] = stream;
    return { ref, final };
  }

  private makeRoom(table: ConntrackTable, packet: Packet, tick: number, now: number): boolean {
    if (now - this.lastFullSweep >= FULL_SWEEP_PERIOD) {
      this.lastFullSweep = now;
      if (table.sweep(tick, Infinity) > 0) return true;
    }
    return table.earlyDrop(packet, tick);
  }

  private close(table: ConntrackTable, ref: number, tick: number): void {
    const base = (ref >>> 1) * table.stride;
    const { meta, timeout } = this.tracker.closed(table.records[base]!);
    table.records[base] = meta;
    table.records[base + EXPIRES] = tick + timeout;
  }

  /** An ICMP error: RELATED to the connection of the packet it carries, or INVALID. */
  private processError(table: ConntrackTable, packet: Packet, tick: number, now: number, id: number): Result {
    const ref = relatedRef(table, packet);
    const base = (ref >>> 1) * table.stride;
    if (ref === 0 || table.records[base + EXPIRES]! - tick <= 0)
      return this.passWithoutEntry(packet, INVALID_CONNECTION, now, id);
    const meta = table.records[base]!;
    const outcome = this.classify(packet, connectionView(table, ref, meta, "related"), now, id);
    this.applyChanges(outcome.changes);
    if (outcome.notrack) return untracked(packet, outcome);
    const common = { state: "related", ref, entry: "known", outcome } as const;
    setMark(table, ref, outcome.changes);
    if (outcome.verdict !== "accept") return { verdict: outcome.verdict, reason: reasonOf(outcome), packet, ...common };
    const status = (meta >>> 8) & 255;
    if (isRedirect(packet) && (status & (CtStatus.snat | CtStatus.dnat)) !== 0) {
      return { verdict: "drop", reason: "nat-redirect", packet, ...common };
    }
    return {
      verdict: "accept",
      packet: { ...translateError(table, ref, status, packet), mark: outcome.mark },
      ...common,
    };
  }

  /** Invalid and untracked packets pass the chains, and nothing translates them. */
  private passWithoutEntry(packet: Packet, connection: Connection, now: number, id: number): Result {
    const outcome = this.classify(packet, connection, now, id);
    this.applyChanges(outcome.changes);
    const common = { state: connection.state, ref: 0, entry: "none" as const, outcome };
    if (outcome.verdict !== "accept") return { verdict: outcome.verdict, reason: reasonOf(outcome), packet, ...common };
    return { verdict: "accept", packet: { ...packet, mark: outcome.mark }, ...common };
  }

  private classify(packet: Packet, connection: Connection, now: number, id: number): Outcome {
    return this.engine.classify(packet, this.context(packet.family, now, connection, id));
  }

  /** The context of a walk. */
  protected context(family: Family, now: number, connection: Connection, packet: number): Context {
    const table = this.table(family);
    const space = spaceOf(table, table.tick(now));
    return {
      node: this.node,
      draw: this.draw,
      packet,
      now,
      connection,
      state: this.memory,
      chooseDestination: (tuple, range) => {
        this.destinationsChosen++;
        return chooseDestination(tuple, range, space, translationRandom(this.seed, tuple));
      },
      pickSource: (tuple, range) => pickSource(tuple, range, space, translationRandom(this.seed, tuple)),
      ...(this.options.assume === undefined ? {} : { assume: this.options.assume }),
    };
  }

  protected applyChanges(changes: readonly StateChange[]): void {
    for (const change of changes) {
      if (change.kind !== "accounting" && change.kind !== "ctmark") this.memoryVersion++;
      this.memory.apply(change);
    }
  }
}

function untracked(packet: Packet, outcome: Outcome): Result {
  const common = { state: "untracked", ref: 0, entry: "none", outcome } as const;
  if (outcome.verdict !== "accept") return { verdict: outcome.verdict, reason: reasonOf(outcome), packet, ...common };
  return { verdict: "accept", packet: { ...packet, mark: outcome.mark }, ...common };
}

const reasonOf = ({ unreachable }: Outcome): DropReason => (unreachable === true ? "no-route" : "rule");

/** REJECT --reject-with tcp-reset answers every segment but a reset. */
function isAnsweredByReset(packet: Packet, outcome: Outcome): boolean {
  return outcome.rejectWith === "tcp-reset" && packet.protocol === TCP && (packet.tcpFlags & TcpFlag.RST) === 0;
}

function setMark(table: ConntrackTable, ref: number, changes: readonly StateChange[]): void {
  for (const change of changes) {
    if (change.kind === "ctmark") table.records[(ref >>> 1) * table.stride + MARK] = change.mark | 0;
  }
}

function isRedirect(packet: Packet): boolean {
  return icmpType(packet) === (packet.family === "ip" ? 5 : 137);
}
