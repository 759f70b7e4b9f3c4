/** The service map at work: what the indexed engine does for a new connection to a destination that is in it. */
import { formatAddress, formatEndpoint } from "../packet/address.js";
import { ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import { reciprocalScale } from "../packet/jhash.js";
import { type Packet, tupleOf } from "../packet/packet.js";
import { protocolName } from "../packet/protocol.js";
import type { NatRange } from "../ruleset/types.js";
import type { Plan } from "./compile/compile.js";
import { BackendFlag, EVEN, findService, pickBackend, readServiceRow } from "./compile/services.js";
import { drawKey } from "./draw.js";
import { dyadic, type Fraction, multiply, ONE, unit } from "./fraction.js";
import { addOutcome } from "./linear.js";
import { OutcomeFlag, type OutcomeBatch, verdictNames } from "./outcome-batch.js";
import { areFirst, BLOCK, makePasses, makeScratch, type Passes, screen } from "./service-passes.js";
import type { Context, Distribution, Draw, Outcome, Step, Trace, WeightedOutcome } from "./types.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The name of the one draw of a fused pick: no rule has this id. */
export const PICK_DRAW = 0xffffffff;

/** The service map at work. */
export class ServiceLookup {
  /** Packets of the last batch that are not new connections to a known destination: `left[0 .. leftOver - 1]`. */
  left = new Int32Array(0);
  leftOver = 0;
  private readonly scratch = makeScratch();
  private passes: Passes;
  private generation: number;

  constructor(
    private readonly plan: Plan,
    private readonly replay: boolean,
  ) {
    this.passes = makePasses(plan.tables, this.scratch);
    this.generation = plan.tables.generation;
  }

  /** After the tables have changed in place: arrays that were replaced are taken anew. */
  refresh(): void {
    const { tables } = this.plan;
    if (tables.generation === this.generation) return;
    this.passes = makePasses(tables, this.scratch);
    this.generation = tables.generation;
  }

  /** The row of the packet's service, -1 where it must walk. */
  find(packet: Packet, context: Context): number {
    const { plan } = this;
    const { connection } = context;
    if (packet.family !== "ip" || packet.entrance !== "prerouting" || packet.mark !== 0 || connection.state !== "new")
      return -1;
    if (context.node !== plan.node || connection.original !== undefined || connection.status !== 0) return -1;
    if (packet.fragment === true || packet.physIn !== undefined || packet.physOut !== undefined) return -1;
    return findService(plan.tables, (packet.dst as number) | 0, (packet.protocol << 16) | packet.dport);
  }

  /** Settles every packet of an IPv4 batch that the service map can; the rest is left in `left`. */
  batch(batch: PacketBatch, { draw }: Context, out: OutcomeBatch): void {
    if (this.left.length < batch.count) this.left = new Int32Array(batch.capacity);
    const { passes, scratch, left } = this;
    const { src, dst, protocol, dport, id } = batch;
    const drawing = !this.replay && draw.seed !== undefined;
    const key = draw.seed === undefined ? 0 : drawKey(draw.seed, PICK_DRAW, 0) | 0;
    let leftOver = 0;
    let draws = 0;
    for (let from = 0; from < batch.count; from += BLOCK) {
      const to = Math.min(from + BLOCK, batch.count);
      passes.lookUp(dst, protocol, dport, from, to);
      if (!areFirst(batch, from, to)) screen(batch, scratch, from, to);
      if (!drawing) this.chooseEach(batch, draw, from, to);
      leftOver = passes.settle(
        drawing,
        id,
        key,
        src,
        out.verdict,
        out.flags,
        out.dst,
        out.dport,
        out.mark,
        from,
        to,
        left,
        leftOver,
      );
      draws += scratch.draws[0]!;
    }
    out.work.mapLookups += 2 * batch.count - leftOver;
    out.work.draws += draws;
    this.leftOver = this.settleFixed(batch, leftOver, out);
  }

  /** Draws that are no named ones of a seed, and in replay those of the picking rules, one after the other. */
  private chooseEach(batch: PacketBatch, draw: Draw, from: number, to: number): void {
    const { choices, backends, draws } = this.scratch;
    let drawn = 0;
    for (let i = from; i < to; i++) {
      const count = choices[i - from]! & 0xffff;
      if (count < 2) continue;
      const id = batch.id[i]!;
      let k: number;
      if (this.replay) {
        const row = this.rowOf(batch, i);
        k = this.drawInTurn(row, draw, id);
        drawn += Math.min(k + 1, readServiceRow(this.plan.tables, row)!.record.picks.length);
      } else {
        k = pickBackend(this.plan.tables, choices[i - from]! >>> 16, count, draw(id, PICK_DRAW, 0) | 0);
        drawn++;
      }
      backends[i - from]! += k;
    }
    draws[0] = drawn;
  }

  private rowOf(batch: PacketBatch, i: number): number {
    return findService(this.plan.tables, batch.dst[i]! | 0, (batch.protocol[i]! << 16) | batch.dport[i]!);
  }

  /** Of the first `leftOver` packets in `left`, settles those whose service has one fixed outcome. Gives how many stay. */
  private settleFixed(batch: PacketBatch, leftOver: number, out: OutcomeBatch): number {
    const { markUnmarked } = this.plan.tables;
    const { left } = this;
    let staying = 0;
    for (let n = 0; n < leftOver; n++) {
      const i = left[n]!;
      const row = this.rowOf(batch, i);
      const fresh = batch.state[i] === CtState.new && batch.status[i] === 0;
      const plain = fresh && batch.entrance[i] === ENTRANCE_PREROUTING && batch.mark[i] === 0;
      if (row < 0 || !plain) {
        left[staying++] = i;
        continue;
      }
      const { verdict, routed } = readServiceRow(this.plan.tables, row)!.record;
      out.verdict[i] = verdictNames.indexOf(verdict);
      out.flags[i] = routed && this.plan.node.isLocal(batch.dst[i]!) ? OutcomeFlag.local : 0;
      out.dst[i] = batch.dst[i]!;
      out.dport[i] = batch.dport[i]!;
      out.mark[i] = markUnmarked;
    }
    return staying;
  }

  outcome(row: number, packet: Packet, context: Context): Outcome {
    return this.decide(row, packet, this.choose(row, context));
  }

  trace(row: number, packet: Packet, context: Context): Trace {
    const k = this.choose(row, context);
    const outcome = this.decide(row, packet, k);
    return { steps: this.steps(row, packet, k, outcome), outcome, given: [] };
  }

  /** What the lookup did to send a packet to backend k. */
  private steps(row: number, packet: Packet, k: number, outcome: Outcome): Step[] {
    const { record, count } = readServiceRow(this.plan.tables, row)!;
    const destination = formatEndpoint(packet.dst, packet.dport);
    const found = count > 0 ? (record.chain ?? "one backend") : record.verdict;
    const steps: Step[] = [
      { kind: "lookup", table: "services", key: `${destination} ${protocolName(packet.protocol)}`, found },
    ];
    if (outcome.destination !== undefined) {
      const to = formatEndpoint(outcome.destination.address, outcome.destination.port);
      steps.push({ kind: "pick", service: found, index: k, of: count, endpoint: to });
      steps.push({ kind: "translate", what: "destination", from: destination, to });
    } else if (record.by !== undefined) steps.push({ kind: "rule", rule: record.by });
    if (outcome.way !== undefined) {
      steps.push({ kind: "route", destination: outcome.tuple.dst, local: outcome.way === "local", oif: outcome.oif! });
    }
    if (outcome.source !== undefined) {
      const from = formatAddress(packet.src);
      steps.push({ kind: "translate", what: "source", from, to: "the address of the outgoing interface" });
    }
    return steps;
  }

  outcomes(row: number, packet: Packet, paths: boolean): Distribution {
    const { thresholds } = this.plan.tables;
    const { count, pick } = readServiceRow(this.plan.tables, row)!;
    // Two rows may name one endpoint: it is one outcome.
    const outcomes = new Map<string, WeightedOutcome>();
    let left: Fraction = ONE;
    for (let k = 0; k < Math.max(1, count); k++) {
      const even = count > 1 && thresholds[pick] === EVEN;
      const threshold = BigInt(count === 0 || even ? 2 ** 31 : thresholds[pick + k]!);
      const probability = even ? unit(count) : multiply(left, dyadic(threshold, 31));
      if (!even) left = multiply(left, dyadic(2n ** 31n - threshold, 31));
      const outcome = this.decide(row, packet, k);
      const steps = paths ? this.steps(row, packet, k, outcome) : undefined;
      addOutcome(outcomes, { outcome, probability, ...(steps && { paths: [{ steps, probability }] }) });
    }
    return { outcomes: [...outcomes.values()], given: ["connection new"] };
  }

  /** Which backend of the row is taken. */
  private choose(row: number, context: Context): number {
    const { count, pick } = readServiceRow(this.plan.tables, row)!;
    if (count < 2) return 0;
    const packet = context.packet ?? 0;
    if (this.replay) return this.drawInTurn(row, context.draw, packet);
    return pickBackend(this.plan.tables, pick, count, context.draw(packet, PICK_DRAW, 0) | 0);
  }

  /** The draws of the picking rules one after the other, each by its name. */
  private drawInTurn(row: number, draw: Context["draw"], packet: number): number {
    const { thresholds } = this.plan.tables;
    const { pick, record, count } = readServiceRow(this.plan.tables, row)!;
    const { picks } = record;
    if (thresholds[pick] === EVEN) return reciprocalScale(draw(packet, picks[0]!.id, 0), count);
    for (let k = 0; k < picks.length; k++) {
      if ((draw(packet, picks[k]!.id, 0) & 0x7fffffff) < thresholds[pick + k]!) return k;
    }
    return picks.length;
  }

  /** The outcome of a packet sent to backend k of a service. */
  private decide(row: number, packet: Packet, k: number): Outcome {
    const { backends, sourceTests, markUnmarked, markMarked } = this.plan.tables;
    const { node } = this.plan;
    const { first, count, test, record } = readServiceRow(this.plan.tables, row)!;
    const draws = count < 2 ? 0 : this.replay ? Math.min(k + 1, record.picks.length) : 1;
    const work = { rulesVisited: 0, chainsEntered: 0, draws, mapLookups: count === 0 ? 1 : 2 };
    // Objects are made whole and added to, never spread: a spread costs some hundred nanoseconds.
    if (count === 0) {
      const { verdict, rejectWith, by, routed, unseen } = record;
      const route = routed ? node.route(packet.dst) : undefined;
      const outcome: Writable<Outcome> = {
        verdict,
        tuple: tupleOf(packet),
        mark: markUnmarked,
        way: route && (route.local ? "local" : "forward"),
        oif: route && (route.local ? "" : route.oif),
        notrack: false,
        changes: [],
        work,
      };
      if (rejectWith !== undefined) outcome.rejectWith = rejectWith;
      if (by !== undefined) outcome.by = by;
      if (unseen !== undefined) outcome.unseen = unseen;
      return outcome;
    }
    const backend = 2 * (first + k);
    const address = backends[backend]! >>> 0;
    const port = backends[backend + 1]! & 0xffff;
    const flags = backends[backend + 1]! >>> 16;
    const { value, mask, negate } = sourceTests[test]!;
    const source = (packet.src as number) | 0;
    const marked =
      ((source & mask) === value) !== negate || (source === backends[backend] && (flags & BackendFlag.hairpin) !== 0);
    const route = node.route(address);
    const masquerade = (flags & (marked ? BackendFlag.masqueradeMarked : BackendFlag.masqueradeUnmarked)) !== 0;
    const { src, protocol, sport } = packet;
    const outcome: Writable<Outcome> = {
      verdict: "accept",
      destination: { address, port },
      tuple: { src, dst: address, protocol, sport, dport: port },
      mark: marked ? markMarked : markUnmarked,
      way: route.local ? "local" : "forward",
      oif: route.local ? "" : route.oif,
      notrack: false,
      changes: [],
      work,
    };
    if (masquerade) {
      const to: Writable<NatRange> = {};
      if ((flags & BackendFlag.fullyRandom) !== 0) to.fullyRandom = true;
      if (route.source !== undefined) to.addresses = [route.source, route.source];
      outcome.source = { kind: "masquerade", to, hook: "postrouting" };
    }
    return outcome;
  }
}
