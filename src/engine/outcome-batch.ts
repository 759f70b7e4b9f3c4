import { addressAt, type Family } from "../packet/address.js";
import type { Outcome, Work } from "./outcome.js";

/** Values of OutcomeBatch.verdict. */
export const VERDICT_ACCEPT = 0;
export const VERDICT_DROP = 1;
export const VERDICT_REJECT = 2;
export const verdictNames = ["accept", "drop", "reject"] as const;

/** Bits of OutcomeBatch.flags. */
export const OutcomeFlag = {
  /** A rule set a new destination (columns dst and dport). */
  dnat: 1,
  masquerade: 2,
  /** Another source translation: its range is in `details`. */
  snat: 4,
  /** Delivered to the node (else forwarded, where accepted). */
  local: 8,
  notrack: 16,
  /** The whole outcome is in `details`: it changes state, translates the source to a range, or was stopped with its connection confirmed. */
  detailed: 32,
  /** masquerade with --random-fully. */
  fullyRandom: 64,
} as const;

/** Outcomes as struct of typed arrays, parallel to a PacketBatch of the same family. */
export class OutcomeBatch {
  readonly family: Family;
  readonly words: 1 | 4;
  readonly verdict: Uint8Array;
  readonly flags: Uint8Array;
  /** The destination when the walk ended. */
  readonly dst: Uint32Array;
  readonly dport: Uint16Array;
  readonly mark: Uint32Array;
  /** Outcomes that do not fit the columns, by packet. Emptied by every batch. */
  readonly details = new Map<number, Outcome>();
  /** Sums over the batch. */
  readonly work: Work = { rulesVisited: 0, chainsEntered: 0, draws: 0, mapLookups: 0 };

  constructor(family: Family, capacity: number) {
    this.family = family;
    this.words = family === "ip" ? 1 : 4;
    this.verdict = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.dst = new Uint32Array(capacity * this.words);
    this.dport = new Uint16Array(capacity);
    this.mark = new Uint32Array(capacity);
  }

  /** Makes it ready for the next batch. The columns need no clearing: every packet writes all of them. */
  reset(): void {
    if (this.details.size > 0) this.details.clear();
    this.work.rulesVisited = this.work.chainsEntered = this.work.draws = this.work.mapLookups = 0;
  }

  /** Writes an outcome given as an object, and counts its work. */
  set(i: number, outcome: Outcome): void {
    const { source } = outcome;
    const ranged =
      source !== undefined && (source.kind === "snat" || source.to.ports !== undefined || source.to.random === true);
    const detailed = outcome.changes.length > 0 || ranged || outcome.confirmed === true;
    this.verdict[i] = verdictNames.indexOf(outcome.verdict);
    this.flags[i] =
      (outcome.destination ? OutcomeFlag.dnat : 0) |
      (source?.kind === "masquerade" ? OutcomeFlag.masquerade : 0) |
      (source?.kind === "snat" ? OutcomeFlag.snat : 0) |
      (source?.to.fullyRandom === true && source.kind === "masquerade" ? OutcomeFlag.fullyRandom : 0) |
      (outcome.way === "local" ? OutcomeFlag.local : 0) |
      (outcome.notrack ? OutcomeFlag.notrack : 0) |
      (detailed ? OutcomeFlag.detailed : 0);
    const dst = outcome.tuple.dst;
    if (typeof dst === "number") this.dst[i] = dst;
    else this.dst.set(dst, i * 4);
    this.dport[i] = outcome.tuple.dport;
    this.mark[i] = outcome.mark;
    if (detailed) this.details.set(i, outcome);
    this.work.rulesVisited += outcome.work.rulesVisited;
    this.work.chainsEntered += outcome.work.chainsEntered;
    this.work.draws += outcome.work.draws;
    this.work.mapLookups += outcome.work.mapLookups;
  }

  /** The columns of packet i as a comparable object. */
  get(i: number): { verdict: string; flags: number; dst: ReturnType<typeof addressAt>; dport: number; mark: number } {
    return {
      verdict: verdictNames[this.verdict[i]!]!,
      flags: this.flags[i]!,
      dst: addressAt(this.dst, i * this.words, this.family),
      dport: this.dport[i]!,
      mark: this.mark[i]!,
    };
  }
}
