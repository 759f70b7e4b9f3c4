import { type BatchResults, PacketBatch, TCP, TcpFlag } from "../../src/index.js";
import seedrandom from "seedrandom";
import type { PacketPool } from "./pool.js";

/** Processes a batch of packets, all of which must get through. */
export type Process = (batch: PacketBatch, results: BatchResults) => void;

/** The reply tuples of connections, by the order in which they were opened. */
export interface Replies {
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly sport: Uint16Array;
  readonly dport: Uint16Array;
}

/** Live connections: first packets (of the original direction) and what the answers look like. */
export interface LiveFlows {
  readonly opening: PacketPool;
  readonly replies: Replies;
}

/**
 * Opens a connection for every packet of the pool: the packet itself, an answer, and one more, so that TCP is established and
 * nothing waits for a handshake. Throws where one does not get through.
 */
export function openFlows(opening: PacketPool, process: Process, results: BatchResults): LiveFlows {
  const replies = {
    src: new Uint32Array(opening.packets),
    dst: new Uint32Array(opening.packets),
    sport: new Uint16Array(opening.packets),
    dport: new Uint16Array(opening.packets),
  };
  let at = 0;
  for (const batch of opening.batches) {
    process(batch, results);
    if (results.opened !== batch.count) throw new Error(`${results.opened} of ${batch.count} connections were opened`);
    const { count } = batch;
    replies.src.set(results.dst.subarray(0, count), at);
    replies.dst.set(results.src.subarray(0, count), at);
    replies.sport.set(results.dport.subarray(0, count), at);
    replies.dport.set(results.sport.subarray(0, count), at);
    const answer = new PacketBatch("ip", count);
    const third = new PacketBatch("ip", count);
    for (let i = 0; i < count; i++) {
      copyCommon(batch, i, answer, i, TcpFlag.SYN | TcpFlag.ACK);
      writeReply(replies, at + i, answer, i);
      copyCommon(batch, i, third, i, TcpFlag.ACK);
      copyTuple(batch, i, third, i);
    }
    answer.count = third.count = count;
    for (const later of [answer, third]) {
      process(later, results);
      if (results.known !== count) throw new Error(`${results.known} of ${count} packets found their connection`);
    }
    at += count;
  }
  return { opening, replies };
}

/** Packets of connections drawn at random, either direction equally often. */
export function drawEstablished(flows: LiveFlows, seed: number, packets: number, batchSize: number): PacketPool {
  const random = seedrandom.alea(`${seed} established`);
  const { batches } = flows.opening;
  const opened = batches[0]!.count;
  const pool = Array.from({ length: Math.floor(packets / batchSize) }, (_, b) => {
    const batch = new PacketBatch("ip", batchSize);
    for (let i = 0; i < batchSize; i++) {
      const flow = Math.floor(random() * flows.opening.packets);
      const from = batches[Math.floor(flow / opened)]!;
      copyCommon(from, flow % opened, batch, i, TcpFlag.ACK);
      if (random() < 0.5) copyTuple(from, flow % opened, batch, i);
      else writeReply(flows.replies, flow, batch, i);
      batch.id[i] = b * batchSize + i;
    }
    batch.count = batchSize;
    return batch;
  });
  return { batches: pool, packets: pool.length * batchSize };
}

export function copyCommon(from: PacketBatch, i: number, to: PacketBatch, at: number, tcpFlags: number): void {
  to.protocol[at] = from.protocol[i]!;
  to.tcpFlags[at] = from.protocol[i] === TCP ? tcpFlags : 0;
  to.length[at] = from.length[i]!;
  to.entrance[at] = from.entrance[i]!;
  to.iif[at] = to.interfaceIndex(from.interfaces[from.iif[i]!]!);
  to.id[at] = from.id[i]!;
}

export function copyTuple(from: PacketBatch, i: number, to: PacketBatch, at: number): void {
  to.src[at] = from.src[i]!;
  to.dst[at] = from.dst[i]!;
  to.sport[at] = from.sport[i]!;
  to.dport[at] = from.dport[i]!;
}

export function writeReply(replies: Replies, flow: number, to: PacketBatch, at: number): void {
  to.src[at] = replies.src[flow]!;
  to.dst[at] = replies.dst[flow]!;
  to.sport[at] = replies.sport[flow]!;
  to.dport[at] = replies.dport[flow]!;
}
