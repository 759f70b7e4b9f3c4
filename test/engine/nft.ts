/** Rule sets of nftables in few words. */
import { parseAddress } from "../../src/packet/address.js";
import { hostPrefix, parsePrefix } from "../../src/packet/prefix.js";
import { type ResolvedRuleSet, resolve } from "../../src/ruleset/resolve.js";
import type {
  BaseChain,
  Expression,
  FieldName,
  KeyPart,
  MapDefinition,
  Rule,
  SetDefinition,
  Statement,
  Table,
  TableFamily,
  Verdict,
  VerdictMapDefinition,
} from "../../src/ruleset/types.js";

/** A part of a key: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, 80, [80, 90], or an interface as `if:eth0`. */
export type Part = string | number | readonly [number, number];

export function part(of: Part): KeyPart {
  if (typeof of === "number") return [of, of];
  if (typeof of !== "string") return of;
  if (of.startsWith("if:")) return of.slice(3);
  const [first, last] = of.split("-").map((text) => parseAddress(text));
  if (first !== undefined && last !== undefined) return { first, last };
  return of.includes("/") ? parsePrefix(of)! : hostPrefix(first!);
}

export const field = (name: FieldName, more: { family?: "ip" | "ip6"; protocol?: number } = {}): Expression => ({
  kind: "field",
  field: name,
  ...more,
});
export const key = (...names: FieldName[]): Expression[] => names.map((name) => field(name));
export const jump = (chain: string): Verdict => ({ kind: "jump", chain });
export const goto = (chain: string): Verdict => ({ kind: "goto", chain });
export const verdict = (kind: "accept" | "drop" | "return" | "continue"): Verdict => ({ kind });
export const setMark = (value: number): Statement => ({
  kind: "set-mark",
  field: "mark",
  clear: 0xffffffff,
  xor: value,
});
export const addMark = (bit: number): Statement => ({ kind: "set-mark", field: "mark", clear: bit, xor: bit });
export const dnat = (to: string, port?: number): Statement => ({
  kind: "dnat",
  to: { addresses: [parseAddress(to)!, parseAddress(to)!], ...(port === undefined ? {} : { ports: [port, port] }) },
});
export const numgen = (mod: number, mode: "random" | "inc" = "random", offset = 0): Expression => ({
  kind: "numgen",
  mode,
  mod,
  offset,
});
export const compare = (left: Expression, right: Part, negate = false): Statement => ({
  kind: "compare",
  left,
  right: part(right),
  negate,
});
export const lookup = (keys: Expression[], set: string | Part[][], negate = false): Statement => ({
  kind: "lookup",
  key: keys,
  set: typeof set === "string" ? set : set.map((element) => ({ key: element.map(part) })),
  negate,
});
export const vmap = (keys: Expression[], map: string | [Part[], Verdict][]): Statement => ({
  kind: "verdict-map",
  key: keys,
  map: typeof map === "string" ? map : map.map(([of, to]) => ({ key: of.map(part), verdict: to })),
});
export const map = (
  keys: Expression[],
  elements: string | [Part[], Part[]][],
): Extract<Expression, { kind: "map" }> => ({
  kind: "map",
  key: keys,
  map:
    typeof elements === "string"
      ? elements
      : elements.map(([of, data]) => ({ key: of.map(part), data: data.map(part) })),
});

export const set = (name: string, elements: Part[][], more: Partial<SetDefinition> = {}): SetDefinition => ({
  name,
  type: [],
  flags: [],
  elements: elements.map((element) => ({ key: element.map(part) })),
  ...more,
});
export const verdictMap = (name: string, elements: [Part[], Verdict][]): VerdictMapDefinition => ({
  name,
  type: [],
  flags: [],
  value: "verdict",
  elements: elements.map(([of, to]) => ({ key: of.map(part), verdict: to })),
});

export interface Chains {
  /** `filter forward 0`, `nat prerouting -100 drop`: type, hook, priority, policy; a user chain has none. */
  readonly [name: string]: readonly [base: string | undefined, ...rules: (readonly Statement[])[]];
}

export function table(
  family: TableFamily,
  chains: Chains,
  more: { readonly name?: string; readonly sets?: SetDefinition[]; readonly maps?: MapDefinition[] } = {},
): Table {
  return {
    family,
    name: more.name ?? "t",
    sets: more.sets ?? [],
    maps: more.maps ?? [],
    chains: Object.entries(chains).map(([name, [base, ...rules]]) => ({
      name,
      ...(base === undefined ? {} : { base: baseOf(base) }),
      rules: rules.map((statements): Rule => ({ statements })),
    })),
  };
}

function baseOf(text: string): BaseChain {
  const [type, hook, priority, policy] = text.split(" ");
  return { type, hook, priority: Number(priority), policy: policy ?? "accept" } as BaseChain;
}

export function resolved(...tables: Table[]): ResolvedRuleSet {
  return resolve({ tables });
}
