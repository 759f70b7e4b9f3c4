import type { Address } from "../packet/address.js";

/** Addresses a list holds (module parameter ip_list_tot). */
export const RECENT_LIST_SIZE = 100;
/** Time stamps an address holds (the kernel rounds hitcount up to a power of two, from this). */
export const RECENT_STAMPS = 32;

interface Entry {
  readonly address: Address;
  /** Milliseconds, oldest first. */
  stamps: number[];
}

/** One list of xt_recent (net/netfilter/xt_recent.c): addresses with their time stamps, least recently touched first. */
export class RecentList {
  /** Insertion order of a Map is the kernel's lru_list: a touched entry is moved to the end. */
  private entries = new Map<string, Entry>();

  /** The stamps of an address, oldest first; undefined where it is not on the list. */
  stamps(address: Address): readonly number[] | undefined {
    return this.entries.get(String(address))?.stamps;
  }

  get size(): number {
    return this.entries.size;
  }

  addresses(): Address[] {
    return [...this.entries.values()].map((entry) => entry.address);
  }

  /**
   * add: a new address, which evicts the least recently touched of a full list; touch: one more stamp;
   * reap: the least recently touched address goes where its last stamp is before `at` (one at a time, as the kernel does).
   */
  apply(operation: "add" | "touch" | "remove" | "reap", address: Address, at: number): void {
    const key = String(address);
    const entry = this.entries.get(key);
    switch (operation) {
      case "add":
      case "touch":
        if (entry === undefined) {
          if (this.entries.size >= RECENT_LIST_SIZE) this.entries.delete(this.entries.keys().next().value!);
          this.entries.set(key, { address, stamps: [at] });
        } else {
          this.entries.delete(key);
          entry.stamps = [...entry.stamps, at].slice(-RECENT_STAMPS);
          this.entries.set(key, entry);
        }
        break;
      case "remove":
        this.entries.delete(key);
        break;
      case "reap": {
        const oldest = this.entries.entries().next().value;
        if (oldest !== undefined && oldest[1].stamps[oldest[1].stamps.length - 1]! < at) this.entries.delete(oldest[0]);
        break;
      }
    }
  }

  copy(): RecentList {
    const copy = new RecentList();
    copy.entries = new Map([...this.entries].map(([key, entry]) => [key, { ...entry, stamps: [...entry.stamps] }]));
    return copy;
  }
}
