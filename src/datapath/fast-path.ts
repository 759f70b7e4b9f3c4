/**
 * Packets that leave by their entry and see no chain: the flowtable-like path (net/netfilter/nf_flow_table_ip.c). This is the loop that the
 * established-packet figures time. For each run of AHEAD packets: hash all tuples; load the first index slot of each; where a slot has another
 * hash, go on to the one that has the tuple's (or is empty); load the records they name; then packet by packet compare the tuple, move the
 * state, and write the translation. The short loops before the last let cache misses overlap.
 */
import type { PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import { isIcmp } from "../packet/protocol.js";
import { VERDICT_ACCEPT } from "../engine/outcome-batch.js";
import { hashIPv4 } from "../conntrack/hash.js";
import { ADDRESSES, EXPIRES, PORTS, STREAM, STRIDE_IPV4 as STRIDE } from "../conntrack/layout.js";
import type { ConntrackTable } from "../conntrack/table.js";
import { isSteady, isStream, steadyMeta, TRACK_KILL, TRACK_REOPEN, type Tracker } from "../conntrack/track.js";
import type { BatchResults } from "./results.js";

const AHEAD = 64;

export class FastPath {
  private readonly hashes = new Int32Array(AHEAD);
  private readonly slots = new Int32Array(AHEAD);
  /** Keeps the loads that only warm the cache. */
  private sink = 0;

  constructor(private readonly tracker: Tracker) {}

  /** Translates the packets of an IPv4 batch by their entries up to the first that has none which lets it pass; gives the number of packets done. */
  run(table: ConntrackTable, batch: PacketBatch, tick: number, out: BatchResults): number {
    const { count } = batch;
    out.verdict.fill(VERDICT_ACCEPT, 0, count);
    out.reason.fill(0, 0, count);
    out.state.fill(CtState.established, 0, count);
    for (let start = 0; start < count; start += AHEAD) {
      const end = Math.min(start + AHEAD, count);
      this.touchAhead(table, batch, start, end);
      const stop = this.translateRun(table, batch, start, end, tick, out);
      if (stop < end) return stop;
    }
    return count;
  }

  private touchAhead(table: ConntrackTable, batch: PacketBatch, start: number, end: number): void {
    const { hashes, slots } = this;
    const { index, indexMask, refMask, records } = table;
    const { src, dst, sport, dport, protocol } = batch;
    const count = end - start;
    for (let i = start; i < end; i++) {
      hashes[i - start] = hashIPv4(src[i]! | 0, dst[i]! | 0, (sport[i]! << 16) | dport[i]!, protocol[i]!);
    }
    // The engine checks each array anew in every turn of a loop; four packets a turn leave room for more cache misses at a time. Slots
    // and records past the last packet are those of an earlier run: loading them does no harm.
    for (let i = 0; i < count; i += 4) {
      slots[i] = index[hashes[i]! & indexMask]!;
      slots[i + 1] = index[hashes[i + 1]! & indexMask]!;
      slots[i + 2] = index[hashes[i + 2]! & indexMask]!;
      slots[i + 3] = index[hashes[i + 3]! & indexMask]!;
    }
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!;
      let slot = slots[i]!;
      if (slot === 0 || ((slot ^ hash) & ~refMask) === 0) continue;
      let at = hash & indexMask;
      do {
        at = (at + 1) & indexMask;
        slot = index[at]!;
      } while (slot !== 0 && ((slot ^ hash) & ~refMask) !== 0);
      slots[i] = slot;
    }
    let sum = 0;
    for (let i = 0; i < count; i += 4) {
      sum ^= records[((slots[i]! & refMask) >>> 1) * STRIDE]!;
      sum ^= records[((slots[i + 1]! & refMask) >>> 1) * STRIDE]!;
      sum ^= records[((slots[i + 2]! & refMask) >>> 1) * STRIDE]!;
      sum ^= records[((slots[i + 3]! & refMask) >>> 1) * STRIDE]!;
    }
    this.sink ^= sum;
  }

  private translateRun(
    table: ConntrackTable,
    batch: PacketBatch,
    start: number,
    end: number,
    tick: number,
    out: BatchResults,
  ): number {
    const { hashes, slots, tracker } = this;
    const { records, refMask } = table;
    const { src, dst, sport, dport, protocol, tcpFlags, mark } = batch;
    const { src: toSrc, dst: toDst, sport: toSport, dport: toDport, mark: toMark, ref: refs } = out;
    const steadyExpires = tick + tracker.steadyTimeout;
    const streamExpires = tick + tracker.streamTimeout;
    let i = start;
    for (; i < end; i++) {
      const ports = (sport[i]! << 16) | dport[i]!;
      const from = src[i]! | 0;
      const to = dst[i]! | 0;
      let ref = slots[i - start]! & refMask;
      let side = ref & 1;
      let base = (ref >>> 1) * STRIDE;
      // As a rule the slot is the right one; its record may be another tuple's of like hash, or the run may have removed it since.
      if (
        records[base + PORTS + side] !== ports ||
        records[base + ADDRESSES + 2 * side] !== from ||
        records[base + ADDRESSES + 1 + 2 * side] !== to ||
        (records[base]! & 255) !== protocol[i]
      ) {
        ref = table.lookupHashedIPv4(hashes[i - start]!, from, to, ports, protocol[i]!);
        if (ref === 0) break;
        side = ref & 1;
        base = (ref >>> 1) * STRIDE;
      }
      const meta = records[base]!;
      if (records[base + EXPIRES]! - tick <= 0 || meta === 0) break;
      const steady = isSteady(meta, tcpFlags[i]!);
      if (steady || isStream(meta)) {
        if (steady) records[base] = steadyMeta(meta, side);
        records[base + EXPIRES] = steady ? steadyExpires : streamExpires;
        const other = base + ADDRESSES + 2 - 2 * side;
        const otherPorts = records[base + PORTS + 1 - side]!;
        toSrc[i] = records[other + 1]!;
        toDst[i] = records[other]!;
        toSport[i] = otherPorts;
        toDport[i] = otherPorts >>> 16;
        refs[i] = ref;
      } else {
        const seen = tracker.follow(meta, records[base + STREAM]!, side, tcpFlags[i]!, tick);
        if (seen === TRACK_REOPEN || seen === CtState.invalid) break;
        writeTranslation(records, base, side, ports, protocol[i]!, out, i);
        commitIPv4(table, tracker, ref, seen, tick, out, i);
      }
      toMark[i] = mark[i]!;
    }
    out.known += i - start;
    return i;
  }
}

/** Columns that take a tuple. */
interface TupleColumns {
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly sport: Uint16Array;
  readonly dport: Uint16Array;
}

/** Writes the tuple with which a packet of a connection leaves: the inverse of the other direction's (an ICMP type stays the packet's own). */
export function writeTranslation(
  records: Int32Array,
  base: number,
  side: number,
  ports: number,
  protocol: number,
  to: TupleColumns,
  i: number,
): void {
  const other = base + ADDRESSES + 2 - 2 * side;
  to.src[i] = records[other + 1]!;
  to.dst[i] = records[other]!;
  const otherPorts = records[base + PORTS + 1 - side]!;
  if (isIcmp(protocol)) {
    to.sport[i] = otherPorts >>> 16;
    to.dport[i] = ports;
  } else {
    to.sport[i] = otherPorts;
    to.dport[i] = otherPorts >>> 16;
  }
}

/** Writes what Tracker.follow has just decided of a packet, into its record and its columns. */
export function commitIPv4(
  table: ConntrackTable,
  tracker: Tracker,
  ref: number,
  seen: number,
  tick: number,
  out: BatchResults,
  i: number,
): void {
  const { records } = table;
  const base = (ref >>> 1) * STRIDE;
  records[base] = tracker.meta;
  if (tracker.timeout >= 0) records[base + EXPIRES] = tick + tracker.timeout;
  out.state[i] = seen & 255;
  if ((seen & TRACK_KILL) === 0) out.ref[i] = ref;
  else {
    out.ref[i] = 0;
    table.remove(ref);
  }
}
