import seedrandom from "seedrandom";
import { PacketBatch, TcpFlag } from "../../src/index.js";
import { copyCommon, copyTuple, type Replies, writeReply } from "./flows.js";
import type { Lengths } from "./lengths.js";
import type { PacketPool } from "./pool.js";

/** Packets of whole connections, as they come: the first ones of new connections among those of old ones. */
export interface MixedPackets {
  readonly pool: PacketPool;
  /** Connections that were open before: the first so many flows. */
  readonly opened: number;
  /** First packets in the pool. */
  readonly firsts: number;
}

/** Draws `flow`: which flow a packet belongs to, and `turn`: which of its packets it is, 0 for the first. */
interface Order {
  readonly flow: Uint32Array;
  readonly turn: Uint32Array;
  readonly firsts: number;
}

/**
 * The order in which packets of connections come. At any time as many connections are live as were at the beginning; which of them sends next
 * is drawn, and one that has sent its last packet makes room for a new one. It begins as if it had always gone on: so first packets are one in
 * `lengths.mean` everywhere.
 */
export function drawOrder(lengths: Lengths, live: number, packets: number, seed: number): Order {
  const random = seedrandom.alea(`${seed} mixed`);
  const flowOf = Uint32Array.from({ length: live }, (_, slot) => slot);
  const left = Float64Array.from({ length: live }, () => lengths.drawLeft(random()));
  const sent = new Uint32Array(live).fill(1);
  const flow = new Uint32Array(packets);
  const turn = new Uint32Array(packets);
  let next = live;
  for (let at = 0; at < packets; at++) {
    const slot = Math.floor(random() * live);
    if (left[slot] === 0) {
      flowOf[slot] = next++;
      left[slot] = lengths.draw(random());
      sent[slot] = 0;
    }
    flow[at] = flowOf[slot]!;
    turn[at] = sent[slot]!++;
    left[slot]!--;
  }
  return { flow, turn, firsts: next - live };
}

/** The packets themselves: answers are those in odd turns. `first` holds the first packet of every flow, `replies` the answers' tuples. */
export function mixPackets(
  order: Order,
  first: PacketPool,
  replies: Replies,
  live: number,
  size: number,
): MixedPackets {
  const { flow, turn, firsts } = order;
  const capacity = first.batches[0]!.count;
  const batches = Array.from({ length: Math.floor(flow.length / size) }, (_, b) => {
    const batch = new PacketBatch("ip", size);
    for (let i = 0; i < size; i++) {
      const at = b * size + i;
      const [from, place] = [first.batches[Math.floor(flow[at]! / capacity)]!, flow[at]! % capacity];
      const flags = [TcpFlag.SYN, TcpFlag.SYN | TcpFlag.ACK][turn[at]!] ?? TcpFlag.ACK;
      copyCommon(from, place, batch, i, flags);
      if (turn[at]! % 2 === 0) copyTuple(from, place, batch, i);
      else writeReply(replies, flow[at]!, batch, i);
    }
    batch.count = size;
    return batch;
  });
  return { pool: { batches, packets: batches.length * size }, opened: live, firsts };
}
