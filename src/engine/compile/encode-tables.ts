/** The tables that code refers to by number: sets, maps and comparisons of nftables. Equal ones of one rule set share a number. */
import type { ResolvedChain, ResolvedRule } from "../../ruleset/resolve.js";
import type {
  CompareMatch,
  DnatAction,
  Expression,
  LookupMatch,
  SetElement,
  Table,
  Verdict,
  VerdictMap,
} from "../../ruleset/types.js";
import { type Found, setOfRule } from "../named-set.js";
import { singleValue } from "../value.js";
import { keyFields, KeyTable } from "./key-table.js";
import { Op } from "./operations.js";

/** A number, `never` where no IPv4 packet has such a key, undefined where the readable walk has to look. */
export type TableNumber = number | "never" | undefined;
type Elements = readonly (SetElement & Found)[];

export class EncodedTables {
  readonly rows: KeyTable[] = [];
  /** Addresses and ports that maps translate to, two int32 each; port -1: as it is. */
  readonly destinations: number[] = [];
  private readonly numbers = new Map<Elements, Map<string, number | undefined>>();

  constructor(private readonly findChain: (table: Table, name: string) => ResolvedChain | undefined) {}

  /** A comparison is a set of one element. */
  compare({ left, right }: CompareMatch): TableNumber {
    return this.number("compare", [left], [{ key: [right] }], () => 0);
  }

  lookup({ key, set }: LookupMatch, rule: ResolvedRule): TableNumber {
    const elements = elementsOf(set, rule);
    return elements && this.number("in", key, elements, () => 0);
  }

  verdictMap({ key, map }: VerdictMap, rule: ResolvedRule): TableNumber {
    const elements = elementsOf(map, rule);
    if (elements === undefined) return undefined;
    const codes = new Map<SetElement, number>();
    for (const element of elements) {
      const code = element.verdict && this.verdictCode(element.verdict, rule);
      if (code === undefined) return undefined;
      codes.set(element, code);
    }
    return this.number("verdict", key, elements, (element) => codes.get(element)!);
  }

  /** A map to an address, or to an address and a port; others are left to the readable walk. */
  dnat({ to, mapped }: DnatAction, rule: ResolvedRule): TableNumber {
    const map = mapped?.addresses;
    if (map === undefined || mapped?.ports !== undefined || to.addresses !== undefined || to.ports !== undefined)
      return undefined;
    const elements = elementsOf(map.map, rule);
    const data = elements?.map((element) => element.data?.map(singleValue));
    if (data?.every((parts) => parts?.every((part) => typeof part === "number")) !== true) return undefined;
    const from = this.destinations.length / 2;
    const tables = this.rows.length;
    const number = this.number("data", map.key, elements!, (_, at) => from + at);
    if (this.rows.length > tables)
      for (const parts of data as readonly (readonly number[])[]) this.destinations.push(parts[0]! | 0, parts[1] ?? -1);
    return number;
  }

  private verdictCode(verdict: Verdict, rule: ResolvedRule): number | undefined {
    switch (verdict.kind) {
      case "accept":
        return Op.accept;
      case "drop":
        return Op.drop;
      case "return":
        return Op.return;
      case "continue":
        return Op.constant | (1 << 8);
      case "jump":
      case "goto": {
        const chain = this.findChain(rule.chain.table, verdict.chain);
        return chain && (verdict.kind === "jump" ? Op.jump : Op.goto) | (chain.id << 8);
      }
      default:
        return undefined;
    }
  }

  private number<E extends SetElement & Found>(
    kind: string,
    key: readonly Expression[],
    elements: readonly E[],
    valueOf: (element: E, at: number) => number,
  ): TableNumber {
    const fields = keyFields(key);
    if (fields === undefined || fields === "never") return fields;
    let known = this.numbers.get(elements);
    if (known === undefined) this.numbers.set(elements, (known = new Map()));
    const name = `${kind} ${JSON.stringify(fields)}`;
    if (!known.has(name)) {
      const table = KeyTable.of(fields, elements, valueOf, kind !== "compare");
      known.set(name, table && this.rows.push(table) - 1);
    }
    return known.get(name);
  }
}

/** The elements of a set that stays as it is; undefined for one that rules write, or that time empties. */
function elementsOf(set: string | Elements, rule: ResolvedRule): Elements | undefined {
  if (typeof set !== "string") return set;
  const named = setOfRule(rule, set);
  return named === undefined || named.changes ? undefined : named.index.elements;
}
