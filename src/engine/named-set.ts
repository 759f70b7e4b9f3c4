/** Sets and maps of a table as a walk finds them: what the rule set lists, with what rules have written over it. */
import type { ResolvedRule } from "../ruleset/resolve.js";
import type {
  DataElement,
  KeyPart,
  MapDefinition,
  MapElement,
  SetDefinition,
  SetElement,
  Table,
} from "../ruleset/types.js";
import { isLive, type WrittenElement } from "./dynamic-set.js";
import { type ElementIndex, indexOf } from "./element-index.js";
import type { View } from "./state.js";
import { singleValue, type Value } from "./value.js";

/** What a lookup finds: nothing more in a set, a verdict or data in a map. */
export type Found = Partial<Pick<MapElement, "verdict"> & Pick<DataElement, "data">> & { readonly comment?: string };

export interface NamedSet {
  /** Family, table and name: what state is kept under. */
  readonly id: string;
  readonly definition: SetDefinition | MapDefinition;
  readonly index: ElementIndex<SetElement & Found>;
  /** Its elements come and go while packets pass. */
  readonly changes: boolean;
}

const tables = new WeakMap<Table, Map<string, NamedSet>>();

/** The set or map of a table with a name; undefined where it has none. */
export function namedSet(table: Table, name: string): NamedSet | undefined {
  let sets = tables.get(table);
  if (sets === undefined) {
    const all: (SetDefinition | MapDefinition)[] = [...table.sets, ...table.maps];
    sets = new Map(all.map((definition) => [definition.name, readyMade(table, definition)]));
    tables.set(table, sets);
  }
  return sets.get(name);
}

function readyMade(table: Table, definition: SetDefinition | MapDefinition): NamedSet {
  const changes = definition.flags.includes("dynamic") || definition.flags.includes("timeout");
  const index = indexOf<SetElement & Found>(definition.elements);
  return { id: `${table.family} ${table.name} ${definition.name}`, definition, index, changes };
}

/** The set a rule names, which stands in its own table. */
export function setOfRule(rule: ResolvedRule, name: string): NamedSet | undefined {
  return namedSet(rule.chain.table, name);
}

/** The element that holds a key at a time (milliseconds): a written one before a listed one. */
export function findElement(set: NamedSet, key: readonly Value[], view: View, now: number): Found | undefined {
  const written = set.changes ? view.set(set.id)?.get(key) : undefined;
  if (written !== undefined) return isLive(written, now) ? written : undefined;
  const listed = set.index.find(key);
  return listed !== undefined && isLive(asWritten(set, key, listed), now) ? listed : undefined;
}

/** The whole element behind a key, with its time. */
export function elementAt(set: NamedSet, key: readonly Value[], view: View, now: number): WrittenElement | undefined {
  const written = view.set(set.id)?.get(key);
  const listed = written === undefined ? set.index.find(key) : undefined;
  const element = written ?? (listed && asWritten(set, key, listed));
  return element !== undefined && isLive(element, now) ? element : undefined;
}

/** Milliseconds between two clean-ups where a set does not say otherwise (nft_set_gc_interval, include/net/netfilter/nf_tables.h). */
const CLEAN_UP_INTERVAL = 1000;

/**
 * Whether there is room for one more element. One that is over or was taken out gives its room back at the next clean-up (nft_rhash_gc); here
 * they come at whole intervals of the clock.
 */
export function hasRoom({ definition, id, index }: NamedSet, view: View, now: number): boolean {
  const { size } = definition;
  const interval = definition.gcInterval ?? CLEAN_UP_INTERVAL;
  const cleanedUp = Math.floor(now / interval) * interval;
  const written = view.set(id);
  if (size === undefined || index.elements.length + (written?.size ?? 0) < size) return true;
  let count = written === undefined ? 0 : [...written.live(cleanedUp)].length;
  for (const listed of index.elements) {
    const key = listed.key.map(singleValue) as readonly Value[];
    if (written?.get(key) === undefined && isLive(asWritten({ definition }, key, listed), cleanedUp)) count++;
  }
  return count < size;
}

/** Listed elements count their time from zero of the clock: when the rule set was read. */
function asWritten(
  { definition }: Pick<NamedSet, "definition">,
  key: readonly Value[],
  element: SetElement & { readonly data?: readonly KeyPart[] },
): WrittenElement {
  const expires = element.expires ?? element.timeout ?? definition.timeout ?? null;
  return { key, expires, ...(element.data === undefined ? {} : { data: element.data }) };
}
