/** Marks that are made as steps. */
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { AssignAction, DataElement, Expression, KeyPart } from "../../ruleset/types.js";
import { singleValue } from "../value.js";
import { counted, havingKey } from "./read-keys.js";
import { type Choice, elementsOf, type LookupPlace, type LookupReader } from "./read-lookups.js";
import { changeMark, type Mark, type Sight, type Step } from "./rows.js";

/** Of a number that becomes a mark: each is followed by itself. */
const MOST_NUMBERS = 256;

/** A mark made of marks and constants, or what a map or a draw says; undefined for all else. */
export function readAssignment(
  { field, value }: AssignAction,
  rule: ResolvedRule,
  at: LookupPlace,
  reader: LookupReader,
): Step[] | undefined {
  const affine = (expression: Expression): ((sight: Pick<Sight, "mark" | "ctmark">) => Mark) | undefined => {
    if (expression.kind === "field" && (expression.field === "mark" || expression.field === "ctmark")) {
      const { field: from } = expression;
      return (sight) => sight[from];
    }
    if (expression.kind === "value") {
      const constant = singleValue(expression.value);
      return typeof constant === "number" ? () => ({ ofMark: 0, ofCtmark: 0, flip: constant }) : undefined;
    }
    if (expression.kind !== "bitwise") return undefined;
    const { of, mask, xor } = expression;
    const inner = affine(of);
    if (inner === undefined || typeof mask !== "number" || typeof xor !== "number") return undefined;
    return (sight) => changeMark(inner(sight), mask, xor);
  };
  const made = affine(value);
  if (made !== undefined) return [havingKey([value], rule, at, reader), { kind: "assign", field, value: made }];
  const asked = value.kind === "map" ? value.key : [value];
  const elements = valuesOf(value, rule);
  if (elements === undefined) return undefined;
  const refuse: Step = { kind: "end", end: { kind: "refuse", rule: at.rule, statement: at.statement } };
  const lookup = { key: asked, alike: false, negate: false, changes: false, refusal: [refuse] };
  const choices = (): Choice[] =>
    elements.map(({ key, data }) => {
      const constant = singleValue(data[0]!);
      return {
        key,
        steps: [typeof constant === "number" ? { kind: "set-mark", field, clear: 0xffffffff, xor: constant } : refuse],
      };
    });
  const { rule: id, statement } = at;
  return [...counted(asked, { rule: id, statement }), reader.step("rules", at, rule, lookup, choices)];
}

/** What a value can be, as a map: one that is looked up is one, a number of a few is that of each to itself; undefined for all else. */
function valuesOf(value: Expression, rule: ResolvedRule): readonly DataElement[] | undefined {
  if (value.kind === "map") return elementsOf(value.map, rule) as readonly DataElement[] | undefined;
  if (value.kind !== "numgen" || value.mod > MOST_NUMBERS) return undefined;
  return Array.from({ length: value.mod }, (_, i): DataElement => {
    const part: KeyPart = [value.offset + i, value.offset + i];
    return { key: [part], data: [part] };
  });
}
