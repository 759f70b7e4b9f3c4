import { addressAt, addressWords, type Family } from "../packet/address.js";
import { CtState } from "../packet/connection.js";
import type { Tuple } from "../packet/tuple.js";
import { verdictNames } from "../engine/outcome-batch.js";
import type { Work } from "../engine/types.js";
import { stateName } from "../conntrack/entry.js";
import type { DropReason, Result } from "./types.js";

/** Values of BatchResults.reason; 0: the packet got through. */
export const reasonNames = [undefined, "rule", "table-full", "no-free-tuple", "nat-redirect", "no-route"] as const;
export const REASON_RULE = 1;

/** What became of the packets of a batch, as struct of typed arrays parallel to it. */
export class BatchResults {
  readonly family: Family;
  readonly words: 1 | 4;
  /** VERDICT_ACCEPT, VERDICT_DROP or VERDICT_REJECT. */
  readonly verdict: Uint8Array;
  /** Index into reasonNames. */
  readonly reason: Uint8Array;
  /** The tuple it leaves with; its own where it was stopped. */
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly sport: Uint16Array;
  readonly dport: Uint16Array;
  readonly mark: Uint32Array;
  /** What rules saw: a bit of CtState. */
  readonly state: Uint8Array;
  /** The connection, 0 where it has none (any more). */
  readonly ref: Int32Array;
  /** Packets that had a connection, and those that opened one. */
  known = 0;
  opened = 0;
  /** Sums over the batch, of walks whose outcome was used. */
  readonly work: Work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };

  constructor(family: Family, capacity: number) {
    this.family = family;
    this.words = family === "ip" ? 1 : 4;
    this.verdict = new Uint8Array(capacity);
    this.reason = new Uint8Array(capacity);
    this.src = new Uint32Array(capacity * this.words);
    this.dst = new Uint32Array(capacity * this.words);
    this.sport = new Uint16Array(capacity);
    this.dport = new Uint16Array(capacity);
    this.mark = new Uint32Array(capacity);
    this.state = new Uint8Array(capacity);
    this.ref = new Int32Array(capacity);
  }

  reset(): void {
    this.known = this.opened = 0;
    this.work.rulesVisited = this.work.chainsEntered = this.work.draws = this.work.mapLookups = 0;
  }

  addWork(work: Work): void {
    this.work.rulesVisited += work.rulesVisited;
    this.work.chainsEntered += work.chainsEntered;
    this.work.draws += work.draws;
    this.work.mapLookups += work.mapLookups;
  }

  /** Writes a result given as an object. */
  set(i: number, result: Result): void {
    this.verdict[i] = verdictNames.indexOf(result.verdict);
    this.reason[i] = reasonNames.indexOf(result.reason);
    this.src.set(addressWords(result.packet.src), i * this.words);
    this.dst.set(addressWords(result.packet.dst), i * this.words);
    this.sport[i] = result.packet.sport;
    this.dport[i] = result.packet.dport;
    this.mark[i] = result.packet.mark;
    this.state[i] = CtState[result.state];
    this.ref[i] = result.ref;
    if (result.entry === "opened") this.opened++;
    else if (result.entry === "known") this.known++;
  }

  /** The columns of packet i as a comparable object. */
  get(i: number): BatchResult {
    return {
      verdict: verdictNames[this.verdict[i]!]!,
      reason: reasonNames[this.reason[i]!],
      src: addressAt(this.src, i * this.words, this.family),
      dst: addressAt(this.dst, i * this.words, this.family),
      sport: this.sport[i]!,
      dport: this.dport[i]!,
      mark: this.mark[i]!,
      state: stateName(this.state[i]!),
      ref: this.ref[i]!,
    };
  }
}

export interface BatchResult extends Omit<Tuple, "protocol"> {
  readonly verdict: "accept" | "drop" | "reject";
  readonly reason: DropReason | undefined;
  readonly mark: number;
  readonly state: string;
  readonly ref: number;
}
