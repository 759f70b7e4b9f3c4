/** What rules have written into a set or map of nftables (net/netfilter/nft_dynset.c, nft_set_hash.c). */
import type { KeyPart } from "../ruleset/types.js";
import { keyText, type Value } from "./value.js";

/** An element as it stands since a rule wrote it. */
export interface WrittenElement {
  readonly key: readonly Value[];
  /** Milliseconds: when it goes, or was taken out; null: never. */
  readonly expires: number | null;
  /** Of a map. */
  readonly data?: readonly KeyPart[];
}

/** A change of a set. An element that is taken out is one whose time is over. */
export interface SetChange {
  readonly kind: "set";
  /** The set's name in full (`NamedSet.id`). */
  readonly set: string;
  readonly operation: "add" | "update" | "delete";
  readonly key: readonly Value[];
  readonly element: WrittenElement;
}

/** The elements written by rules, over those the rule set lists; a walk writes over what was written before it. */
export class DynamicSet {
  private written = new Map<string, WrittenElement>();

  constructor(private readonly under?: DynamicSet) {}

  /** What became of a key; undefined where no rule has written it. */
  get(key: readonly Value[]): WrittenElement | undefined {
    return this.find(keyText(key));
  }

  private find(text: string): WrittenElement | undefined {
    const own = this.written.get(text);
    return own === undefined ? this.under?.find(text) : own;
  }

  /** At least as many as there are elements. */
  get size(): number {
    return this.written.size + (this.under?.size ?? 0);
  }

  /** The elements that are there at a time (milliseconds). */
  *live(now: number): Generator<WrittenElement> {
    for (const element of this.written.values()) if (isLive(element, now)) yield element;
    if (this.under === undefined) return;
    for (const element of this.under.live(now)) if (!this.written.has(keyText(element.key))) yield element;
  }

  apply(change: SetChange): void {
    this.written.set(keyText(change.key), change.element);
  }

  copy(): DynamicSet {
    const copy = new DynamicSet(this.under);
    copy.written = new Map(this.written);
    return copy;
  }
}

export function isLive(element: WrittenElement, now: number): boolean {
  return element.expires === null || element.expires > now;
}
