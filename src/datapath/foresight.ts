/** What conntrack would say of the packets of a batch if each were the first of it. */
import { PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import { OutcomeBatch } from "../engine/outcome-batch.js";
import { hashIPv4 } from "../conntrack/hash.js";
import { EXPIRES, MARK, STREAM, STRIDE_IPV4 } from "../conntrack/layout.js";
import type { ConntrackTable } from "../conntrack/table.js";
import { TRACK_REOPEN, type Tracker } from "../conntrack/track.js";
import { writeTranslation } from "./fast-path.js";

/** What was foreseen of the packets of a batch. */
export class Foresight {
  /** Where the packet stands in `walks`; -1: it needs no walk. */
  readonly walk: Int32Array;
  readonly ref: Int32Array;
  /** What Tracker said. */
  readonly seen: Int32Array;
  /** Hashes of the packet's tuple and, once it is classified, of the tuple that would answer it if nothing changed its source. */
  readonly hash: Int32Array;
  readonly replyHash: Int32Array;
  /** The packets to classify; on the way through all chains that is the batch itself. */
  readonly walks: PacketBatch;
  readonly outcomes: OutcomeBatch;

  constructor(capacity: number) {
    this.walk = new Int32Array(capacity);
    this.ref = new Int32Array(capacity);
    this.seen = new Int32Array(capacity);
    this.hash = new Int32Array(capacity);
    this.replyHash = new Int32Array(capacity);
    this.walks = new PacketBatch("ip", capacity);
    this.outcomes = new OutcomeBatch("ip", capacity);
  }

  /** Says of each packet from `from` on what conntrack would say now, and lists those that need a walk. Changes nothing. */
  foresee(
    table: ConntrackTable,
    tracker: Tracker,
    batch: PacketBatch,
    from: number,
    tick: number,
    chains: boolean,
  ): void {
    const { walk, ref: refs, seen: codes, hash, walks } = this;
    const { records } = table;
    for (let i = from; i < batch.count; i++) {
      hash[i] = hashIPv4(
        batch.src[i]! | 0,
        batch.dst[i]! | 0,
        (batch.sport[i]! << 16) | batch.dport[i]!,
        batch.protocol[i]!,
      );
    }
    touch(table, hash, from, batch.count);
    let listed = 0;
    const batchColumns = translatedColumns(batch);
    const walkColumns = translatedColumns(walks);
    if (walks.interfaces.join() !== batch.interfaces.join()) walks.interfaces.splice(0, Infinity, ...batch.interfaces);
    for (let i = from; i < batch.count; i++) {
      const ports = (batch.sport[i]! << 16) | batch.dport[i]!;
      const protocol = batch.protocol[i]!;
      let ref = table.lookupHashedIPv4(hash[i]!, batch.src[i]! | 0, batch.dst[i]! | 0, ports, protocol);
      const base = (ref >>> 1) * STRIDE_IPV4;
      let seen = TRACK_REOPEN;
      if (ref !== 0 && records[base + EXPIRES]! - tick > 0) {
        seen = tracker.follow(records[base]!, records[base + STREAM]!, ref & 1, batch.tcpFlags[i]!, tick);
      }
      if (seen === TRACK_REOPEN) {
        ref = 0;
        seen = tracker.open(protocol, batch.tcpFlags[i]!, batch.dport[i]!, tick);
      }
      refs[i] = ref;
      codes[i] = seen;
      if (!chains && ref !== 0 && seen !== CtState.invalid) {
        walk[i] = -1;
        continue;
      }
      const at = chains ? i : listed++;
      walk[i] = at;
      if (!chains) copyPacket(batch, i, walks, at);
      const target = chains ? batch : walks;
      const columns = chains ? batchColumns : walkColumns;
      const known = ref !== 0 && seen !== CtState.invalid;
      target.state[at] = seen & 255;
      target.reply[at] = known ? ref & 1 : 0;
      target.status[at] = known ? (tracker.meta >>> 8) & 255 : 0;
      target.ctmark[at] = known ? records[base + MARK]! : 0;
      if (known) writeTranslation(records, base, ref & 1, ports, protocol, columns, at);
      else {
        target.toSrc[at] = batch.src[i]!;
        target.toDst[at] = batch.dst[i]!;
        target.toSport[at] = batch.sport[i]!;
        target.toDport[at] = batch.dport[i]!;
      }
    }
    walks.count = listed;
  }

  /** Hashes the tuples that would answer the packets as they were classified (not those of ICMP), ahead of `settle`, which looks whether they are free. */
  foreseeReplies(table: ConntrackTable, batch: PacketBatch, from: number): void {
    const { walk, replyHash, outcomes } = this;
    for (let i = from; i < batch.count; i++) {
      const at = walk[i]!;
      if (at < 0) continue;
      const ports = (outcomes.dport[at]! << 16) | batch.sport[i]!;
      replyHash[i] = hashIPv4(outcomes.dst[at]! | 0, batch.src[i]! | 0, ports, batch.protocol[i]!);
    }
    touch(table, replyHash, from, batch.count);
  }
}

let sink = 0;

/** Loads the first index slot of each hash, four a turn as in fast-path.ts, so that the cache misses overlap. */
function touch({ index, indexMask }: ConntrackTable, hashes: Int32Array, from: number, to: number): void {
  let sum = 0;
  for (let i = from; i + 3 < to; i += 4) {
    sum ^= index[hashes[i]! & indexMask]!;
    sum ^= index[hashes[i + 1]! & indexMask]!;
    sum ^= index[hashes[i + 2]! & indexMask]!;
    sum ^= index[hashes[i + 3]! & indexMask]!;
  }
  sink ^= sum; // keeps the loads
}

/** Copies the columns that say what a packet is. */
function copyPacket(from: PacketBatch, i: number, to: PacketBatch, at: number): void {
  to.src[at] = from.src[i]!;
  to.dst[at] = from.dst[i]!;
  to.protocol[at] = from.protocol[i]!;
  to.sport[at] = from.sport[i]!;
  to.dport[at] = from.dport[i]!;
  to.tcpFlags[at] = from.tcpFlags[i]!;
  to.mark[at] = from.mark[i]!;
  to.length[at] = from.length[i]!;
  to.entrance[at] = from.entrance[i]!;
  to.iif[at] = from.iif[i]!;
  to.id[at] = from.id[i]!;
}

/** The columns of a batch that say what a packet's entry makes of it. */
function translatedColumns(batch: PacketBatch): Parameters<typeof writeTranslation>[5] {
  return { src: batch.toSrc, dst: batch.toDst, sport: batch.toSport, dport: batch.toDport };
}
