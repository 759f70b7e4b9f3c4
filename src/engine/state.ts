/** What rules remember between packets. A walk reads it through a View and reports changes; the data path applies them. */
import type { Address } from "../packet/address.js";
import { DynamicSet, type SetChange } from "./dynamic-set.js";
import { RecentList } from "./recent.js";

/** A statement of a rule set: which rule (id), which statement of it. */
export interface StatementId {
  readonly rule: number;
  readonly statement: number;
}

/** An expression of a statement, those with a counter counted from 0. */
export interface ExpressionId extends StatementId {
  readonly expression: number;
}

/** A token bucket as xt_limit and nft_limit keep it. */
export interface Bucket {
  /** Waiting saved up: ten-thousandths of a second (xt_limit) or nanoseconds (nft_limit). */
  readonly credit: number;
  /** Milliseconds: when it was last looked at. */
  readonly at: number;
}

/** A change a walk asks for. Applying the changes of a packet in order gives the next state. */
export type StateChange =
  | ({ readonly kind: "nth"; readonly count: number } & StatementId)
  /** numgen inc: the number it gave last, before its offset. */
  | ({ readonly kind: "numgen"; readonly count: number } & ExpressionId)
  | ({ readonly kind: "limit" } & StatementId & Bucket)
  | {
      readonly kind: "recent";
      readonly list: string;
      readonly operation: "add" | "touch" | "remove" | "reap";
      readonly address: Address;
      /** Milliseconds: now for add and touch; for reap what is older goes. */
      readonly at: number;
    }
  | { readonly kind: "accounting"; readonly name: string; readonly bytes: number }
  | { readonly kind: "ctmark"; readonly mark: number }
  | SetChange;

/** Reading what rules remember. */
export interface RuleState {
  /** The counter of an nth match; undefined: never reached. */
  nth(id: StatementId): number | undefined;
  /** The bucket of a limit match; undefined: never reached, so full. */
  limit(id: StatementId): Bucket | undefined;
  /** The list of a recent match; undefined: empty. */
  recent(list: string): RecentList | undefined;
  /** The number a numgen inc gave last; undefined: never reached. */
  numgen(id: ExpressionId): number | undefined;
  /** What rules have written into a set; undefined: nothing. */
  set(id: string): DynamicSet | undefined;
}

/** Nothing has been remembered yet. */
export const FRESH_STATE: RuleState = {
  nth: () => undefined,
  limit: () => undefined,
  recent: () => undefined,
  numgen: () => undefined,
  set: () => undefined,
};

const statementKey = (id: StatementId): number => id.rule * 64 + id.statement;
const expressionKey = (id: ExpressionId): string => `${id.rule} ${id.statement} ${id.expression}`;

/** The store of what rules remember. */
export class RuleMemory implements RuleState {
  private readonly counts = new Map<number, number>();
  private readonly buckets = new Map<number, Bucket>();
  private readonly lists = new Map<string, RecentList>();
  private readonly accounts = new Map<string, { packets: number; bytes: number }>();
  private readonly numbers = new Map<string, number>();
  private readonly sets = new Map<string, DynamicSet>();

  nth(id: StatementId): number | undefined {
    return this.counts.get(statementKey(id));
  }

  limit(id: StatementId): Bucket | undefined {
    return this.buckets.get(statementKey(id));
  }

  recent(list: string): RecentList | undefined {
    return this.lists.get(list);
  }

  numgen(id: ExpressionId): number | undefined {
    return this.numbers.get(expressionKey(id));
  }

  set(id: string): DynamicSet | undefined {
    return this.sets.get(id);
  }

  /** Packets and bytes of an nfacct object. */
  account(name: string): { readonly packets: number; readonly bytes: number } {
    return this.accounts.get(name) ?? { packets: 0, bytes: 0 };
  }

  /** Applies one change. A change of the connection mark belongs to the connection, not to this store, and is passed over. */
  apply(change: StateChange): void {
    switch (change.kind) {
      case "nth":
        this.counts.set(statementKey(change), change.count);
        break;
      case "limit":
        this.buckets.set(statementKey(change), { credit: change.credit, at: change.at });
        break;
      case "recent": {
        let list = this.lists.get(change.list);
        if (list === undefined) this.lists.set(change.list, (list = new RecentList()));
        list.apply(change.operation, change.address, change.at);
        break;
      }
      case "accounting": {
        const { packets, bytes } = this.account(change.name);
        this.accounts.set(change.name, { packets: packets + 1, bytes: bytes + change.bytes });
        break;
      }
      case "numgen":
        this.numbers.set(expressionKey(change), change.count);
        break;
      case "set": {
        let set = this.sets.get(change.set);
        if (set === undefined) this.sets.set(change.set, (set = new DynamicSet()));
        set.apply(change);
        break;
      }
      case "ctmark":
        break;
    }
  }
}

/** A state with the changes of the walk so far on top: a rule sees what an earlier rule of the same walk did. */
export class View {
  readonly changes: StateChange[];
  private readonly lists: Map<string, RecentList>;
  private readonly sets: Map<string, DynamicSet>;

  constructor(
    private readonly under: RuleState,
    before?: View,
  ) {
    this.changes = before ? [...before.changes] : [];
    this.lists = new Map(before ? [...before.lists].map(([name, list]) => [name, list.copy()]) : []);
    this.sets = new Map(before ? [...before.sets].map(([name, set]) => [name, set.copy()]) : []);
  }

  /** A view that goes its own way from here on. */
  fork(): View {
    return new View(this.under, this);
  }

  nth(id: StatementId): number | undefined {
    return this.last("nth", id)?.count ?? this.under.nth(id);
  }

  limit(id: StatementId): Bucket | undefined {
    return this.last("limit", id) ?? this.under.limit(id);
  }

  /** For reading only; change it through `change`. */
  recent(list: string): RecentList | undefined {
    return this.lists.get(list) ?? this.under.recent(list);
  }

  numgen(id: ExpressionId): number | undefined {
    for (let i = this.changes.length - 1; i >= 0; i--) {
      const change = this.changes[i]!;
      if (change.kind === "numgen" && expressionKey(change) === expressionKey(id)) return change.count;
    }
    return this.under.numgen(id);
  }

  /** For reading only; change it through `change`. */
  set(id: string): DynamicSet | undefined {
    return this.sets.get(id) ?? this.under.set(id);
  }

  change(change: StateChange): void {
    this.changes.push(change);
    if (change.kind === "set") {
      let set = this.sets.get(change.set);
      if (set === undefined) this.sets.set(change.set, (set = new DynamicSet(this.under.set(change.set))));
      set.apply(change);
    }
    if (change.kind !== "recent") return;
    let list = this.lists.get(change.list);
    if (list === undefined)
      this.lists.set(change.list, (list = this.under.recent(change.list)?.copy() ?? new RecentList()));
    list.apply(change.operation, change.address, change.at);
  }

  private last<K extends "nth" | "limit">(kind: K, id: StatementId): Extract<StateChange, { kind: K }> | undefined {
    for (let i = this.changes.length - 1; i >= 0; i--) {
      const change = this.changes[i]!;
      if (change.kind === kind && change.rule === id.rule && change.statement === id.statement) {
        return change as Extract<StateChange, { kind: K }>;
      }
    }
    return undefined;
  }
}
