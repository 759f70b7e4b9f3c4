/** Lookups of nftables as branches: which packets a set, map or verdict map has an element for, and what each element leads to. */
import type { Family } from "../../packet/address.js";
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { DataElement, Expression, KeyPart, SetElement } from "../../ruleset/types.js";
import { type Found, setOfRule } from "../named-set.js";
import { singleValue } from "../value.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import type { MatchReader } from "./read-matches.js";
import { drawsIn, type MapReader, ValueReader } from "./read-values.js";
import type { Branches, Sight, Step } from "./rows.js";
import type { Space } from "./space.js";

/** An element, and what a packet whose key it holds does next. Those with equal steps are one branch where `alike` says so. */
export interface Choice {
  readonly key: readonly KeyPart[];
  readonly steps: readonly Step[];
}

export interface LookupPlace {
  readonly rule: number;
  readonly statement: number;
  /** Draws of the rule that stand before it. */
  readonly draws: number;
}

export interface Lookup {
  readonly key: readonly Expression[];
  readonly choices: readonly Choice[];
  /** Every choice leads on in the same way. */
  readonly alike: boolean;
  readonly negate: boolean;
  /** Every element may have gone since: a bit of its own says so. */
  readonly changes: boolean;
  /** Steps of packets for which the walk stops: a key of bytes that are not modelled could be held by a range. */
  readonly refusal: readonly Step[];
  /** With the columns every packet with such a key is left to the readable walk. */
  readonly doubt?: "never" | "always";
}

type SetElements = readonly (SetElement & Found)[];

export class LookupReader {
  private readonly known = new Map<string, Branches>();

  constructor(
    private readonly space: Space,
    readonly matches: MatchReader,
  ) {
    matches.keep(() => this.sets());
  }

  /** Of the packets. */
  get family(): Family {
    return this.space.family;
  }

  private *sets(): Iterable<DiagramNode> {
    for (const { list, all } of this.known.values()) {
      yield all;
      for (const { set } of list) yield set;
    }
  }

  /** A lookup as a step. `form` tells the programs apart that read the same place; `choices` is asked when a packet comes to it. */
  step(
    form: string,
    at: LookupPlace,
    rule: ResolvedRule,
    lookup: Omit<Lookup, "choices">,
    choices: () => readonly Choice[],
  ): Step {
    const marked = lookup.key.some(asksMark);
    const named = lookup.changes || !lookup.key.every(isPlain);
    return {
      kind: "choice",
      branches: (sight) => {
        const { mark, ctmark, visit } = sight;
        const key = `${form} ${at.rule} ${at.statement} ${named ? visit : ""} ${marked ? JSON.stringify([mark, ctmark]) : ""}`;
        let branches = this.known.get(key);
        if (branches === undefined)
          this.known.set(key, (branches = this.branches({ ...lookup, choices: choices() }, at, rule, sight)));
        return branches;
      },
    };
  }

  private branches(lookup: Lookup, at: LookupPlace, rule: ResolvedRule, sight: Sight): Branches {
    const { space } = this;
    const { diagrams } = space;
    const { choices, negate } = lookup;
    const values = new ValueReader(space, this.matches, sight, this.mapReader(rule, sight));
    let { draws } = at;
    const parts = lookup.key.map((expression, i) => {
      const constants = choices.map((choice) => choice.key[i]!);
      const read = values.read(expression, constants, { ...at, draws, part: i });
      draws += drawsIn(expression);
      return read;
    });
    const present = space.all(parts.map((part) => part.present));
    const there = lookup.changes ? space.bit(`unknown ${at.rule} ${at.statement} ${sight.visit}`) : ALL;
    const held = choices.map(({ key }) => space.all([present, ...parts.map((part, i) => part.holds(key[i]!)), there]));
    const found = union(diagrams.or.bind(diagrams), held);
    const unknown = space.any(parts.map((part) => part.unknown));
    const could =
      unknown === NOTHING || lookup.doubt === "never"
        ? NOTHING
        : lookup.doubt === "always"
          ? unknown
          : space.any(
              choices.map(({ key }) =>
                space.all(
                  parts.map((part, i) =>
                    singleValue(key[i]!) === undefined
                      ? diagrams.or(part.unknown, part.holds(key[i]!))
                      : part.holds(key[i]!),
                  ),
                ),
              ),
            );
    const stopped = diagrams.and(
      present,
      diagrams.or(space.any(parts.map((part) => part.refused)), diagrams.minus(could, found)),
    );
    const list: { set: DiagramNode; steps: readonly Step[] }[] = [];
    const add = (set: DiagramNode, steps: readonly Step[]): void => {
      const own = diagrams.minus(set, stopped);
      if (own !== NOTHING) list.push({ set: own, steps });
    };
    if (stopped !== NOTHING) list.push({ set: stopped, steps: lookup.refusal });
    if (negate) add(diagrams.minus(present, found), []);
    else if (lookup.alike) add(found, choices[0]?.steps ?? []);
    else {
      let taken: DiagramNode = NOTHING;
      const vague = parts.some((part) => part.vague);
      for (const [i, set] of held.entries()) {
        add(vague ? diagrams.minus(set, taken) : set, choices[i]!.steps);
        if (vague) taken = diagrams.or(taken, set);
      }
    }
    return {
      list,
      all: union(
        diagrams.or.bind(diagrams),
        list.map(({ set }) => set),
      ),
    };
  }

  /** Maps in the place of a value. */
  private mapReader(rule: ResolvedRule, sight: Sight): MapReader {
    const { space } = this;
    const read: MapReader = ({ key, map }, place) => {
      const elements = elementsOf(map, rule) as readonly DataElement[] | undefined;
      if (elements === undefined) return undefined;
      const values = new ValueReader(space, this.matches, sight, read);
      let { draws } = place;
      const parts = key.map((expression, i) => {
        const constants = elements.map((element) => element.key[i]!);
        const part = values.read(expression, constants, { ...place, draws, part: place.part * 16 + i + 16 });
        draws += drawsIn(expression);
        return part;
      });
      if (parts.some((part) => part.vague || part.unknown !== NOTHING)) return undefined;
      const found: { set: DiagramNode; value: NonNullable<ReturnType<typeof singleValue>> }[] = [];
      for (const element of elements) {
        const value = singleValue(element.data[0]!);
        if (value === undefined) return undefined;
        found.push({ set: space.all(parts.map((part, i) => part.holds(element.key[i]!))), value });
      }
      const keyed = space.all(parts.map((part) => part.present));
      const present = space.diagrams.and(keyed, space.any(found.map(({ set }) => set)));
      return { present, refused: space.any(parts.map((part) => part.refused)), values: found };
    };
    return read;
  }
}

/** The elements of a set; undefined for one that rules or time change. */
export function elementsOf(set: string | SetElements, rule: ResolvedRule): SetElements | undefined {
  if (typeof set !== "string") return set;
  const named = setOfRule(rule, set);
  return named === undefined || named.changes ? undefined : named.index.elements;
}

/** The union of many small sets: of neighbours first, so that most unions are of small ones. */
function union(or: (a: DiagramNode, b: DiagramNode) => DiagramNode, sets: readonly DiagramNode[]): DiagramNode {
  let level = sets;
  while (level.length > 1)
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
      level[2 * i + 1] === undefined ? level[2 * i]! : or(level[2 * i]!, level[2 * i + 1]!),
    );
  return level[0] ?? NOTHING;
}

/** Whether what an expression yields is settled by the headers of the packet, its connection and its marks. */
export function isPlain(expression: Expression): boolean {
  switch (expression.kind) {
    case "field":
      return !["random", "length", "ct-status"].includes(expression.field);
    case "bitwise":
      return isPlain(expression.of);
    case "map":
      return expression.key.every(isPlain);
    case "value":
      return true;
    default:
      return false;
  }
}

function asksMark(expression: Expression): boolean {
  switch (expression.kind) {
    case "field":
      return expression.field === "mark" || expression.field === "ctmark";
    case "bitwise":
      return asksMark(expression.of);
    case "map":
      return expression.key.some(asksMark);
    case "hash":
      return expression.inputs.some(asksMark);
    default:
      return false;
  }
}
