/** Looking keys up in sets and maps (net/netfilter/nft_lookup.c). */
import type { Expression, KeyPart, SetElement, Verdict } from "../ruleset/types.js";
import { indexOf } from "./element-index.js";
import { findElement, type Found, setOfRule } from "./named-set.js";
import { type Place, refuse } from "./place.js";
import { describeKey, describeValue, singleValue, UNKNOWN, type Value } from "./value.js";
import type { Walk } from "./walk.js";

/** Finds a key in a set or map, named or anonymous; undefined where it holds none. `key` says how to show it. */
export function findKey<E extends SetElement & Found>(
  key: readonly Expression[],
  values: readonly Value[],
  set: string | readonly E[],
  walk: Walk,
  place: Place,
): Found | undefined {
  walk.work.mapLookups++;
  const named = typeof set === "string" ? setOfRule(place.at, set) : undefined;
  if (typeof set === "string" && named === undefined)
    refuse(place, `there is no set or map ${set} in table ${place.at.chain.table.name}`);
  const index = named?.index ?? indexOf(set as readonly E[]);
  const found = named === undefined ? index.find(values) : findElement(named, values, walk.view, walk.context.now);
  if (found === undefined && values.includes(UNKNOWN) && index.couldHold(values, UNKNOWN)) refuse(place, UNKNOWN_PORT);
  if (named === undefined && walk.steps === undefined) return found;
  const text = describeKey(key, values);
  if (named?.changes === true)
    walk.given.add(`${text} is ${found === undefined ? "not " : ""}in the set ${named.definition.name}`);
  const { table, name } = place.at.chain;
  walk.steps?.push({
    kind: "lookup",
    table: named === undefined ? "{ }" : `${table.name} ${named.definition.name}`,
    key: text,
    found: found && describeFound(found),
    chain: name,
  });
  return found;
}

/** Said where the kernel would look at bytes that are no port. */
export const UNKNOWN_PORT =
  "the packet has no ports, and what the kernel reads in their place is not modelled; test meta l4proto before th sport and th dport";

function describeFound({ verdict, data, comment }: Found): string {
  if (verdict !== undefined) return describeVerdict(verdict);
  if (data === undefined) return comment ?? "an element";
  return data.map(describePart).join(" . ");
}

/** A part of a map's data: numbers beyond those of ports are addresses. */
function describePart(part: KeyPart): string {
  const value = singleValue(part);
  if (value === undefined) return "a range";
  const isAddress = typeof value !== "number" || value > 0xffff;
  return describeValue({ kind: "field", field: isAddress ? "daddr" : "dport" }, value);
}

/** `accept`, `goto CHAIN`. */
export function describeVerdict(verdict: Verdict): string {
  return verdict.kind === "jump" || verdict.kind === "goto" ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}
