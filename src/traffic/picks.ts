import { type Address, addressAt, type Family, sameAddress } from "../packet/address.js";
import { PacketBatch } from "../packet/batch.js";
import type { Packet } from "../packet/packet.js";
import { OutcomeBatch, OutcomeFlag, verdictNames } from "../engine/outcome-batch.js";
import type { Context, Engine, FinalVerdict } from "../engine/types.js";

/** Where a packet went: the endpoint a rule translated it to, or undefined; and what became of it. */
export interface Fate {
  readonly verdict: FinalVerdict;
  readonly destination: { readonly address: Address; readonly port: number } | undefined;
}

/** A fate, and how many packets had it. */
export interface FateCount extends Fate {
  count: number;
}

const BATCH = 4096;

/** First packets of one connection after the other through an engine, counted by where they went. One for each rule set and family. */
export class PickSampler {
  private readonly batch: PacketBatch;
  private readonly out: OutcomeBatch;

  constructor(
    private readonly engine: Engine,
    family: Family,
  ) {
    this.batch = new PacketBatch(family, BATCH);
    this.out = new OutcomeBatch(family, BATCH);
  }

  /**
   * Sends the same packet `samples` times; draws name it firstId, firstId + 1, ... (modulo 2^32). `told` hears how many are done. What rules
   * remember does not change: every packet meets the context as it is.
   */
  sample(
    packet: Packet,
    samples: number,
    firstId: number,
    context: Context,
    told: (done: number) => void = () => {},
  ): FateCount[] {
    const { batch, out, engine } = this;
    for (let i = 0; i < Math.min(BATCH, samples); i++) batch.set(i, packet, i, context.connection);
    const fates = new FateTable();
    for (let done = 0; done < samples; done += batch.count) {
      batch.count = Math.min(BATCH, samples - done);
      for (let i = 0; i < batch.count; i++) batch.id[i] = firstId + done + i;
      engine.classifyBatch(batch, context, out);
      for (let i = 0; i < batch.count; i++) fates.count(out, i);
      told(done);
    }
    return fates.all;
  }
}

/** Counts outcomes without an object for each: an IPv4 endpoint is a number. */
class FateTable {
  readonly all: FateCount[] = [];
  private readonly byKey = new Map<number, FateCount>();

  count(out: OutcomeBatch, i: number): void {
    const dnat = (out.flags[i]! & OutcomeFlag.dnat) !== 0;
    const verdict = out.verdict[i]!;
    if (out.family === "ip6" && dnat && verdict === 0) {
      this.countLong(out, i);
      return;
    }
    const key = verdict !== 0 || !dnat ? -1 - verdict : out.dst[i]! * 65_536 + out.dport[i]!;
    const known = this.byKey.get(key);
    if (known !== undefined) known.count++;
    else this.byKey.set(key, this.add(out, i, dnat));
  }

  private countLong(out: OutcomeBatch, i: number): void {
    const address = addressAt(out.dst, i * out.words, out.family);
    const port = out.dport[i]!;
    const known = this.all.find(
      ({ destination }) => destination?.port === port && sameAddress(destination.address, address),
    );
    if (known !== undefined) known.count++;
    else this.add(out, i, true);
  }

  private add(out: OutcomeBatch, i: number, dnat: boolean): FateCount {
    const verdict = verdictNames[out.verdict[i]!]!;
    const address = addressAt(out.dst, i * out.words, out.family);
    const destination = dnat && verdict === "accept" ? { address, port: out.dport[i]! } : undefined;
    const fate = { verdict, destination, count: 1 };
    this.all.push(fate);
    return fate;
  }
}
