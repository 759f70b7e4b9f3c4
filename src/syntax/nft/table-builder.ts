/** A table while it is being read: what was defined, in its order. */
import type {
  BaseChain,
  Chain,
  DataElement,
  MapDefinition,
  MapElement,
  OpaqueDefinition,
  Rule,
  SetDefinition,
  SetElement,
  Span,
  Table,
  TableFamily,
} from "../../ruleset/types.js";
import type { SetUse } from "./anonymous.js";
import type { DataType } from "./data-types.js";
import { type AnyElement, arrange, contradiction, type ElementValue, hasIntervals, overlapping } from "./elements.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export type DraftChain = Writable<Omit<Chain, "rules" | "base">> & { rules: Rule[]; base?: BaseChain };
type Facts = Writable<Omit<SetDefinition, "elements" | "flags">> & { flags: SetDefinition["flags"][number][] };

/** A set or map. */
export interface DraftSet {
  readonly facts: Facts;
  readonly types: readonly DataType[];
  readonly value: ElementValue;
  elements: AnyElement[];
}

/** The size the kernel gives a set that rules add to and that has none (nft_dynset.c). */
const DYNAMIC_SIZE = 65535;

export class TableBuilder {
  readonly chains = new Map<string, DraftChain>();
  readonly sets = new Map<string, DraftSet>();
  readonly opaque = new Map<string, OpaqueDefinition>();
  private readonly order: string[] = [];
  readonly uses: SetUse[] = [];
  comment: string | undefined;
  /** Whether nft said that iptables-nft made it, or a rule shows so. */
  warning: string | undefined;
  xtSpan: Span | undefined;

  constructor(
    readonly family: TableFamily,
    readonly name: string,
    readonly span: Span,
  ) {}

  addSet(set: DraftSet): void {
    this.sets.set(set.facts.name, set);
    this.order.push(set.facts.name);
  }

  addOpaque(definition: OpaqueDefinition): void {
    const key =
      this.opaque.has(definition.name) || this.sets.has(definition.name)
        ? `${definition.name} ${this.order.length}`
        : definition.name;
    this.opaque.set(key, { ...definition, name: key });
    this.order.push(key);
  }

  removeSet(name: string): void {
    this.sets.delete(name);
    this.order.splice(this.order.indexOf(name), 1);
  }

  /** What the kernel or nft refuses of the elements; of each set and map its first. */
  *conflicts(): Generator<{ readonly code: string; readonly message: string; readonly span: Span | undefined }> {
    for (const { facts, types, value, elements } of this.sets.values()) {
      const { name, flags, span } = facts;
      const interval = flags.includes("interval");
      const ranged = interval ? undefined : elements.find((element) => hasIntervals([element]));
      if (ranged !== undefined) {
        const message = `this element of ${name} is more than one value: the set needs "flags interval"`;
        yield { code: "missing-flag", message, span: ranged.span ?? span };
      }
      const twice = value === "none" ? undefined : contradiction(elements);
      if (twice !== undefined) {
        const message = `the map ${name} has another value for this key already`;
        yield { code: "duplicate-element", message, span: twice.span ?? span };
      }
      if (!interval || facts.autoMerge === true || types.length > 1) continue;
      const overlap = overlapping(arrange(elements, types, "interval", false));
      if (overlap === undefined) continue;
      const message = `two elements of the set ${name} overlap: nft refuses them without auto-merge`;
      yield { code: "overlapping-elements", message, span: overlap.span ?? span };
    }
  }

  finish(): Table {
    const updated = new Set(this.uses.filter((use) => use.updates === true).map((use) => use.name));
    const sets: SetDefinition[] = [];
    const maps: MapDefinition[] = [];
    for (const { facts, types, value, elements } of this.sets.values()) {
      const interval = facts.flags.includes("interval");
      const order = !interval ? "hash" : types.length > 1 ? "as-written" : "interval";
      const arranged = arrange(elements, types, order, facts.autoMerge === true && value === "none");
      const size = updated.has(facts.name) && facts.size === undefined ? { size: DYNAMIC_SIZE } : {};
      if (value === "none") sets.push({ ...facts, ...size, elements: arranged as SetElement[] });
      else if (value === "verdict") maps.push({ ...facts, ...size, value, elements: arranged as MapElement[] });
      else maps.push({ ...facts, ...size, value: value.map((type) => type.name), elements: arranged as DataElement[] });
    }
    const plain = [...sets, ...maps].every(({ name }, i) => name === this.order[i]) && this.opaque.size === 0;
    return {
      family: this.family,
      name: this.name,
      chains: [...this.chains.values()],
      sets,
      maps,
      ...(plain ? {} : { setOrder: this.order }),
      ...(this.opaque.size === 0 ? {} : { opaqueDefinitions: [...this.opaque.values()] }),
      ...(this.comment === undefined ? {} : { comment: this.comment }),
      span: this.span,
    };
  }
}
