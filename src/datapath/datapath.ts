/**
 * Batches through the data path. A batch gives what its packets give one by one, in order (SinglePath.process), with one exception: `work`
 * also counts walks that were made ahead and then made again.
 *
 * How: all packets of a batch that must see rules are classified together, as if each were the first of the batch. Then they are settled in
 * order. Where an earlier packet of the batch changed what a walk stood on (the same connection, what rules remember, free ports), the
 * packet is taken alone after all. On the fast path packets with a valid entry go before that, without any walk, until the first one without.
 */
import type { PacketBatch } from "../packet/batch.js";
import { CtState, CtStatus, NEW_CONNECTION } from "../packet/connection.js";
import { isIcmp } from "../packet/protocol.js";
import { tupleOf } from "../packet/packet.js";
import { replyTuple } from "../packet/tuple.js";
import { OutcomeBatch, OutcomeFlag, VERDICT_ACCEPT } from "../engine/outcome-batch.js";
import type { Context } from "../engine/types.js";
import { hashIPv4 } from "../conntrack/hash.js";
import { MARK, STREAM, STRIDE_IPV4 } from "../conntrack/layout.js";
import type { ConntrackTable } from "../conntrack/table.js";
import { commitIPv4, FastPath, writeTranslation } from "./fast-path.js";
import { Foresight } from "./foresight.js";
import { type BatchResults, REASON_RULE } from "./results.js";
import { SinglePath } from "./single.js";

const { masquerade, snat, notrack, detailed, fullyRandom } = OutcomeFlag;

/** Connections, what rules remember, and an engine: what packets meet one after the other. */
export class Datapath extends SinglePath {
  private foresight = new Foresight(0);
  private readonly fastPath = new FastPath(this.tracker);

  /**
   * Processes a batch at a time (milliseconds) and writes the results; `out` is as large as the batch. IPv4 allocates nothing for packets
   * that have a connection, nor for first ones that no rule masquerades; IPv6 packets are taken one by one. In mode `chains` the connection columns
   * of the batch are overwritten.
   */
  processBatch(batch: PacketBatch, now: number, out: BatchResults): void {
    out.reset();
    const table = this.table(batch.family);
    const tick = this.moveClock(table, now);
    if (batch.family === "ip6") {
      for (let i = 0; i < batch.count; i++) this.processAlone(batch, i, now, out);
      return;
    }
    const done = this.mode === "fast-path" ? this.fastPath.run(table, batch, tick, out) : 0;
    if (done === batch.count) return;
    if (this.foresight.walk.length < batch.count) this.foresight = new Foresight(batch.capacity);
    this.foresight.foresee(table, this.tracker, batch, done, tick, this.mode === "chains");
    this.classifyForeseen(batch, now, out);
    this.foresight.foreseeReplies(table, batch, done);
    this.settle(table, batch, done, tick, now, out);
  }

  private processAlone(batch: PacketBatch, i: number, now: number, out: BatchResults): void {
    const result = this.process(batch.get(i), now, batch.id[i]!);
    out.set(i, result);
    if (result.outcome !== undefined) out.addWork(result.outcome.work);
  }

  private foreseenMemory = 0;
  private foreseenChoices = false;

  private classifyForeseen(batch: PacketBatch, now: number, out: BatchResults): void {
    const { walks, outcomes } = this.foresight;
    this.foreseenMemory = this.memoryVersion;
    const chosen = this.destinationsChosen;
    const context: Context = this.context("ip", now, NEW_CONNECTION, 0);
    this.engine.classifyBatch(this.mode === "chains" ? batch : walks, context, outcomes);
    this.foreseenChoices = this.destinationsChosen !== chosen;
    out.addWork(outcomes.work);
  }

  /** Settles the packets in order by what was foreseen, or alone where that no longer holds. */
  private settle(
    table: ConntrackTable,
    batch: PacketBatch,
    from: number,
    tick: number,
    now: number,
    out: BatchResults,
  ): void {
    for (let i = from; i < batch.count; i++) {
      if (!this.settleForeseen(table, batch, i, tick, now, out)) this.processAlone(batch, i, now, out);
    }
  }

  /** False where the packet has to be taken alone; nothing has changed then. */
  private settleForeseen(
    table: ConntrackTable,
    batch: PacketBatch,
    i: number,
    tick: number,
    now: number,
    out: BatchResults,
  ): boolean {
    const { foresight, tracker } = this;
    const { outcomes } = foresight;
    const at = foresight.walk[i]!;
    const stale = at >= 0 && (this.memoryVersion !== this.foreseenMemory || (this.foreseenChoices && out.opened > 0));
    if (stale) return false;
    const ports = (batch.sport[i]! << 16) | batch.dport[i]!;
    const protocol = batch.protocol[i]!;
    const ref = table.lookupHashedIPv4(foresight.hash[i]!, batch.src[i]! | 0, batch.dst[i]! | 0, ports, protocol);
    if (ref !== foresight.ref[i]) return false;

    if (ref === 0) {
      const seen = tracker.open(protocol, batch.tcpFlags[i]!, batch.dport[i]!, tick);
      if ((outcomes.flags[at]! & (detailed | notrack)) !== 0)
        return this.settleDetailed(table, batch, i, seen, tick, now, out);
      if (seen !== CtState.new) return writeUntranslated(batch, i, outcomes, at, seen, out);
      return this.settleFirstIPv4(table, batch, i, at, tick, out);
    }

    const { records } = table;
    const base = (ref >>> 1) * STRIDE_IPV4;
    const seen = tracker.follow(records[base]!, records[base + STREAM]!, ref & 1, batch.tcpFlags[i]!, tick);
    if (seen !== foresight.seen[i]) return false;
    if (at < 0) {
      out.verdict[i] = VERDICT_ACCEPT;
      out.reason[i] = 0;
      out.mark[i] = batch.mark[i]!;
      writeTranslation(records, base, ref & 1, ports, protocol, out, i);
      commitIPv4(table, tracker, ref, seen, tick, out, i);
      out.known++;
      return true;
    }
    if ((outcomes.flags[at]! & (detailed | notrack)) !== 0) return false;
    if (seen === CtState.invalid) return writeUntranslated(batch, i, outcomes, at, seen, out);
    const walked = this.mode === "chains" ? batch : foresight.walks;
    if (walked.status[at] !== ((tracker.meta >>> 8) & 255) || walked.ctmark[at] !== records[base + MARK]! >>> 0)
      return false;
    // A packet that rules stop may have been stopped in raw, before conntrack: only the whole outcome tells.
    if (outcomes.verdict[at] !== VERDICT_ACCEPT) return false;
    writeTranslation(records, base, ref & 1, ports, protocol, out, i);
    const foreseen =
      out.src[i] === walked.toSrc[at] &&
      out.dst[i] === walked.toDst[at] &&
      out.sport[i] === walked.toSport[at] &&
      out.dport[i] === walked.toDport[at];
    if (!foreseen) return false;
    out.verdict[i] = VERDICT_ACCEPT;
    out.reason[i] = 0;
    out.mark[i] = outcomes.mark[at]!;
    commitIPv4(table, tracker, ref, seen, tick, out, i);
    out.known++;
    return true;
  }

  /** A first packet whose outcome is in the columns. */
  private settleFirstIPv4(
    table: ConntrackTable,
    batch: PacketBatch,
    i: number,
    at: number,
    tick: number,
    out: BatchResults,
  ): boolean {
    const { foresight } = this;
    const { outcomes } = foresight;
    if (table.full) return false;
    if (outcomes.verdict[at] !== VERDICT_ACCEPT) return writeUntranslated(batch, i, outcomes, at, CtState.new, out);
    if ((outcomes.flags[at]! & (masquerade | snat)) !== 0)
      return this.settleMasqueraded(table, batch, i, at, tick, out);
    const { tracker } = this;
    const protocol = batch.protocol[i]!;
    const src = batch.src[i]! | 0;
    const dst = outcomes.dst[at]! | 0;
    const sport = batch.sport[i]!;
    const dport = outcomes.dport[at]!;
    const ports = (sport << 16) | batch.dport[i]!;
    const icmp = isIcmp(protocol);
    const replyPorts = icmp ? icmpReplyPorts(protocol, sport, dport) : (dport << 16) | sport;
    const replyHash = icmp ? hashIPv4(dst, src, replyPorts, protocol) : foresight.replyHash[i]!;
    if (table.lookupHashedIPv4(replyHash, dst, src, replyPorts, protocol) !== 0) return false;
    const status = dst !== (batch.dst[i]! | 0) || dport !== batch.dport[i] ? CtStatus.dnat : 0;
    const meta = tracker.meta | (status << 8);
    const expires = tick + tracker.timeout;
    const hash = foresight.hash[i]!;
    const ref = table.insertIPv4(hash, src, batch.dst[i]! | 0, ports, replyHash, dst, src, replyPorts, meta, expires);
    table.records[(ref >>> 1) * STRIDE_IPV4 + STREAM] = tracker.stream;
    out.verdict[i] = VERDICT_ACCEPT;
    out.reason[i] = 0;
    out.src[i] = src;
    out.dst[i] = dst;
    out.sport[i] = sport;
    out.dport[i] = dport;
    out.mark[i] = outcomes.mark[at]!;
    out.state[i] = CtState.new;
    out.ref[i] = ref;
    out.opened++;
    return true;
  }

  private settleMasqueraded(
    table: ConntrackTable,
    batch: PacketBatch,
    i: number,
    at: number,
    tick: number,
    out: BatchResults,
  ): boolean {
    const { outcomes } = this.foresight;
    const address = this.node.route(outcomes.dst[at]!).source;
    if ((outcomes.flags[at]! & snat) !== 0 || address === undefined) return false;
    const packet = batch.get(i);
    const tuple = { ...tupleOf(packet), dst: outcomes.dst[at]!, dport: outcomes.dport[at]! };
    const range = { addresses: [address, address], fullyRandom: (outcomes.flags[at]! & fullyRandom) !== 0 } as const;
    const { meta, timeout, stream } = this.tracker;
    const entered = this.enterConnection(table, tupleOf(packet), tuple, range, meta, timeout, stream, tick);
    const common = { packet, state: "new", ref: 0, entry: "none" } as const;
    if (entered === undefined) out.set(i, { ...common, verdict: "drop", reason: "no-free-tuple" });
    else {
      const translated = { ...packet, ...entered.final, mark: outcomes.mark[at]! };
      out.set(i, { verdict: "accept", packet: translated, state: "new", ref: entered.ref, entry: "opened" });
    }
    return true;
  }

  /** A packet without a connection whose whole outcome is at hand. */
  private settleDetailed(
    table: ConntrackTable,
    batch: PacketBatch,
    i: number,
    seen: number,
    tick: number,
    now: number,
    out: BatchResults,
  ): boolean {
    const outcome = this.foresight.outcomes.details.get(this.foresight.walk[i]!);
    if (outcome === undefined || seen !== CtState.new) return false;
    const { meta, timeout, stream } = this.tracker;
    out.set(i, this.settleFirst(table, batch.get(i), outcome, meta, timeout, stream, tick, now));
    return true;
  }
}

/** A packet that no entry translates: it was stopped, or conntrack has nothing to do with it. */
function writeUntranslated(
  batch: PacketBatch,
  i: number,
  outcomes: OutcomeBatch,
  at: number,
  seen: number,
  out: BatchResults,
): true {
  const accepted = outcomes.verdict[at] === VERDICT_ACCEPT;
  out.verdict[i] = outcomes.verdict[at]!;
  out.reason[i] = accepted ? 0 : REASON_RULE;
  out.src[i] = batch.src[i]!;
  out.dst[i] = batch.dst[i]!;
  out.sport[i] = batch.sport[i]!;
  out.dport[i] = batch.dport[i]!;
  out.mark[i] = accepted ? outcomes.mark[at]! : batch.mark[i]!;
  out.state[i] = seen;
  out.ref[i] = 0;
  return true;
}

function icmpReplyPorts(protocol: number, sport: number, dport: number): number {
  const reply = replyTuple({ src: 0, dst: 0, protocol, sport, dport })!;
  return (reply.sport << 16) | reply.dport;
}
