import type { Address } from "../../packet/address.js";
import type {
  Chain,
  DataElement,
  Expression,
  KeyPart,
  MapDefinition,
  MapElement,
  Rule,
  Span,
  Statement,
  Table,
} from "../../ruleset/types.js";

/** What one element of a draw leads to: a chain, or an endpoint at once. */
export interface DrawnElement {
  readonly chain: string | undefined;
  readonly address: Address | undefined;
  readonly port: number | undefined;
  /** The numbers below `mod` that lead there, both ends included. */
  readonly numbers: readonly [first: number, last: number];
  readonly span: Span | undefined;
}

/** A choice made by one number, evenly drawn from those below `mod`; a number no element has goes on with the next rule. */
export interface Draw {
  readonly mod: number;
  readonly elements: readonly DrawnElement[];
}

/** A rule as a draw: `numgen random mod N vmap { ... }`, `dnat to numgen random mod N map { ... }`; undefined where it is none. */
export function drawOf({ statements }: Rule, maps: ReadonlyMap<string, MapDefinition>): Draw | undefined {
  const last = statements[statements.length - 1];
  if (last?.kind === "verdict-map") return drawBy(last.key, last.map, maps);
  const mapped = last?.kind === "dnat" ? last.mapped?.addresses : undefined;
  return mapped === undefined ? undefined : drawBy(mapped.key, mapped.map, maps);
}

/** The first draw of a chain; that of one number where it translates to a single endpoint without drawing (after v1.36). */
export function firstDraw(chain: Chain, maps: ReadonlyMap<string, MapDefinition>): Draw | undefined {
  for (const rule of chain.rules) {
    const draw = drawOf(rule, maps) ?? directly(rule);
    if (draw !== undefined) return draw;
  }
  return undefined;
}

export function mapsOf(table: Table): ReadonlyMap<string, MapDefinition> {
  return new Map(table.maps.map((map) => [map.name, map]));
}

function directly({ statements, span }: Rule): Draw | undefined {
  const dnat = statements.find((one): one is Extract<Statement, { kind: "dnat" }> => one.kind === "dnat");
  const [address, port] = [dnat?.to.addresses?.[0], dnat?.to.ports?.[0]];
  if (dnat === undefined || dnat.mapped !== undefined || address === undefined) return undefined;
  return { mod: 1, elements: [{ chain: undefined, address, port, numbers: [0, 0], span }] };
}

function drawBy(
  key: readonly Expression[],
  map: string | readonly (MapElement | DataElement)[],
  maps: ReadonlyMap<string, MapDefinition>,
): Draw | undefined {
  const [numgen] = key;
  if (key.length !== 1 || numgen?.kind !== "numgen" || numgen.mode !== "random") return undefined;
  const { mod, offset } = numgen;
  const elements: readonly (MapElement | DataElement)[] =
    typeof map === "string" ? (maps.get(map)?.elements ?? []) : map;
  const drawn = elements.flatMap((element): DrawnElement[] => {
    const part = element.key[0];
    if (!Array.isArray(part)) return [];
    const [first, last] = part as [number, number];
    const numbers = [Math.max(first - offset, 0), Math.min(last - offset, mod - 1)] as const;
    const to = targetOf(element);
    return to === undefined || numbers[0] > numbers[1] ? [] : [{ ...to, numbers, span: element.span }];
  });
  return { mod, elements: drawn };
}

function targetOf(element: MapElement | DataElement): Pick<DrawnElement, "chain" | "address" | "port"> | undefined {
  if ("data" in element)
    return { chain: undefined, address: addressOf(element.data[0]), port: numberOf(element.data[1]) };
  const { verdict } = element;
  const leads = verdict.kind === "goto" || verdict.kind === "jump";
  return leads ? { chain: verdict.chain, address: undefined, port: undefined } : undefined;
}

/** The address of a part of a key or of data that is one. */
export function addressOf(part: KeyPart | undefined): Address | undefined {
  return typeof part === "object" && "value" in part ? part.value : undefined;
}

/** The number of a part of a key or of data that is one. */
export function numberOf(part: KeyPart | undefined): number | undefined {
  return Array.isArray(part) ? (part[0] as number) : undefined;
}
