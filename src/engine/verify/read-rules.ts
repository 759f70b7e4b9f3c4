/** The rules of a rule set as rows: what linear does, said in sets. */
import { byId, type ResolvedRule, type ResolvedRuleSet } from "../../ruleset/resolve.js";
import type {
  AssignAction,
  DataElement,
  DnatAction,
  Expression,
  KeyPart,
  MapExpression,
  NatRange,
  RedirectAction,
  SetElement,
  SnatAction,
  Statement,
  Verdict,
} from "../../ruleset/types.js";
import { addressWords } from "../../packet/address.js";
import { type Found, setOfRule } from "../named-set.js";
import { isForFamily } from "../nat-family.js";
import { singleValue, spanOf } from "../value.js";
import { ALL, type DiagramNode } from "./diagrams.js";
import { type Choice, elementsOf, isPlain, type LookupPlace, type LookupReader } from "./read-lookups.js";
import { drawsIn } from "./read-values.js";
import { changeMark, type Mark, type Program, type Row, type Sight, type Step } from "./rows.js";

/** Whether a statement draws or asks for what a walk remembers, so that how often its chain was entered counts. */
function isCounting(s: Statement, rule: ResolvedRule): boolean {
  switch (s.kind) {
    case "random":
    case "nth":
    case "limit":
    case "recent":
    case "set":
    case "opaque-match":
    case "accounting":
    case "opaque-target":
    case "set-update":
      return true;
    case "compare":
      return !isPlain(s.left);
    case "lookup":
      return !s.key.every(isPlain) || elementsOf(s.set, rule) === undefined;
    case "verdict-map":
      return !s.key.every(isPlain) || elementsOf(s.map, rule) === undefined;
    case "assign":
      return !isPlain(s.value);
    case "dnat":
    case "snat":
    case "redirect":
      return [s.mapped?.addresses, s.mapped?.ports].some((map) => map !== undefined && !map.key.every(isPlain));
    default:
      return false;
  }
}

/**
 * The program of a rule set. `visited`: packets that come to a rule (by chain id and index), where chains have an index that leads
 * past rules; without it every packet comes to every rule.
 */
export function rulesProgram(
  name: string,
  resolved: ResolvedRuleSet,
  reader: LookupReader,
  visited: (chain: number, index: number) => DiagramNode = () => ALL,
): Program {
  const chains = byId(resolved.chains);
  const counting = chains.map(
    (chain) => chain?.rules.some((rule) => rule.rule.statements.some((s) => isCounting(s, rule))) === true,
  );
  return {
    name,
    length: (chain) => chains[chain]!.rules.length,
    row: (chain, index) => readRule(chains[chain]!.rules[index]!, resolved, reader, visited(chain, index)),
    counts: (chain) => counting[chain]!,
  };
}

function readRule(rule: ResolvedRule, resolved: ResolvedRuleSet, reader: LookupReader, visited: DiagramNode): Row {
  const steps = rule.rule.statements.flatMap((statement, at) => readStatement(statement, rule, at, resolved, reader));
  return { visited, steps };
}

/** One statement of a rule as steps. */
function readStatement(
  s: Statement,
  rule: ResolvedRule,
  statement: number,
  resolved: ResolvedRuleSet,
  reader: LookupReader,
): Step[] {
  const place = { rule: rule.id, statement };
  const at = { ...place, draws: drawsBefore(rule, statement) };
  const unread: Step = { kind: "end", end: { kind: "unread", ...place } };
  const refuse: Step = { kind: "end", end: { kind: "refuse", ...place } };
  switch (s.kind) {
    case "log":
    case "counter":
    case "comment":
      return [];
    case "set-mark":
      return [{ kind: "set-mark", field: s.field, clear: s.clear, xor: s.xor }];
    case "copy-mark":
      return [{ kind: "copy-mark", direction: s.direction, nfmask: s.nfmask, ctmask: s.ctmask }];
    case "notrack":
    case "continue":
    case "return":
      return [{ kind: s.kind }];
    case "accept":
    case "drop":
      return [{ kind: "end", end: { kind: s.kind } }];
    case "reject":
      return [{ kind: "end", end: { kind: "reject", with: s.with } }];
    case "jump":
    case "goto":
      return [rule.target === undefined ? refuse : { kind: s.kind, chain: rule.target.id }];
    case "dnat":
    case "snat":
    case "redirect":
      return readTranslation(s, rule, at, reader) ?? [unread];
    case "masquerade":
      return [{ kind: "end", end: { kind: s.kind, to: s.to } }];
    case "accounting":
      return [{ kind: "change", ...place }];
    // Passed over where that is assumed, else the walk stops.
    case "opaque-target":
      return [{ kind: "unknown", ...place }, refuse];
    case "assign":
      return readAssignment(s, rule, at, reader) ?? [unread];
    case "compare": {
      const lookup = { key: [s.left], alike: true, negate: s.negate, changes: false, refusal: [refuse] };
      return [
        ...counted([s.left], place),
        reader.step("rules", at, rule, lookup, () => [{ key: [s.right], steps: [] }]),
      ];
    }
    case "lookup":
    case "verdict-map": {
      const set = s.kind === "lookup" ? s.set : s.map;
      const named = typeof set === "string" ? setOfRule(rule, set) : undefined;
      if (typeof set === "string" && named === undefined) return [refuse];
      const changes = named?.changes === true;
      const negate = s.kind === "lookup" && s.negate;
      const lookup = { key: s.key, alike: s.kind === "lookup", negate, changes, refusal: [refuse] };
      if (s.kind === "lookup" && changes)
        return [...counted(s.key, place), havingKey(s.key, rule, at, reader), { kind: "unknown", ...place }];
      const elements: readonly (SetElement & Found)[] = typeof set === "string" ? named!.index.elements : set;
      const choices = (): Choice[] =>
        elements.map(({ key, verdict }) => ({
          key,
          steps: verdict === undefined ? [] : readVerdict(verdict, rule, resolved, refuse),
        }));
      return [...counted(s.key, place), reader.step("rules", at, rule, lookup, choices)];
    }
    case "set-update": {
      const named = setOfRule(rule, s.set);
      if (named === undefined) return [refuse];
      const key = [...s.key, ...(s.data ?? [])];
      // A full set fails the rule.
      const fills = s.operation !== "delete" && named.definition.size !== undefined;
      return [havingKey(key, rule, at, reader), { kind: fills ? "unknown" : "change", ...place }];
    }
    default: {
      const test = reader.matches.read(s, at);
      return [test === "refuse" ? refuse : test];
    }
  }
}

/** A key whose parts must all be had, whatever they are. */
function havingKey(key: readonly Expression[], rule: ResolvedRule, at: LookupPlace, reader: LookupReader): Step {
  const refusal: Step = { kind: "end", end: { kind: "refuse", rule: at.rule, statement: at.statement } };
  const lookup = { key, alike: true, negate: true, changes: false, refusal: [refusal] };
  return reader.step("key", at, rule, lookup, () => []);
}

/** That an expression counts is a change of state. */
function counted(key: readonly Expression[], place: { readonly rule: number; readonly statement: number }): Step[] {
  return key.some(counts) ? [{ kind: "change", ...place }] : [];
}

function counts(expression: Expression): boolean {
  switch (expression.kind) {
    case "numgen":
      return expression.mode === "inc";
    case "bitwise":
      return counts(expression.of);
    case "map":
      return expression.key.some(counts);
    case "hash":
      return expression.inputs.some(counts);
    default:
      return false;
  }
}

function readVerdict(verdict: Verdict, rule: ResolvedRule, resolved: ResolvedRuleSet, refuse: Step): Step[] {
  switch (verdict.kind) {
    case "continue":
      return [];
    case "return":
      return [{ kind: "return" }];
    case "accept":
    case "drop":
      return [{ kind: "end", end: { kind: verdict.kind } }];
    case "jump":
    case "goto": {
      const target = resolved.findChain(rule.chain.table, verdict.chain);
      return [target === undefined ? refuse : { kind: verdict.kind, chain: target.id }];
    }
    default:
      return [refuse];
  }
}

/** NAT to what is fixed of it and what maps say; undefined where a map is written by rules. */
function readTranslation(
  { kind, to, mapped }: DnatAction | SnatAction | RedirectAction,
  rule: ResolvedRule,
  at: LookupPlace,
  reader: LookupReader,
): Step[] | undefined {
  const place = { rule: at.rule, statement: at.statement };
  const refuse: Step = { kind: "end", end: { kind: "refuse", ...place } };
  const end = (range: NatRange): Step[] =>
    isForFamily(range, reader.family)
      ? [{ kind: "end", end: { kind, to: kind === "redirect" ? range : settled(range) } }]
      : [];
  if (mapped === undefined) return end(to);
  const through = (
    map: MapExpression,
    form: string,
    draws: number,
    next: (data: readonly KeyPart[]) => Step[],
  ): Step[] | undefined => {
    const elements = elementsOf(map.map, rule) as readonly DataElement[] | undefined;
    if (elements === undefined) return undefined;
    const lookup = { key: map.key, alike: false, negate: false, changes: false, refusal: [refuse] };
    const choices = (): Choice[] => elements.map(({ key, data }) => ({ key, steps: next(data) }));
    return [...counted(map.key, place), reader.step(form, { ...at, draws }, rule, lookup, choices)];
  };
  const toPorts = (part: KeyPart): NatRange["ports"] => {
    const span = spanOf(part);
    return typeof span?.first === "number" && typeof span.last === "number" ? [span.first, span.last] : undefined;
  };
  if (mapped.addresses !== undefined && mapped.ports !== undefined) return undefined;
  if (mapped.addresses !== undefined)
    return through(mapped.addresses, "addresses", at.draws, (data) => {
      const span = spanOf(data[0]!);
      const ports = data[1] === undefined ? to.ports : toPorts(data[1]);
      if (span === undefined || (data[1] !== undefined && ports === undefined)) return [refuse];
      return end({ ...to, addresses: [span.first, span.last], ...(ports === undefined ? {} : { ports }) });
    });
  return through(mapped.ports!, "ports", at.draws, (data) => {
    const ports = toPorts(data[0]!);
    return ports === undefined ? [refuse] : end({ ...to, ports });
  });
}

/** A mark made of marks and constants, or what a map or a draw says; undefined for all else. */
function readAssignment(
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
  if (value.kind !== "map") return undefined;
  const elements = elementsOf(value.map, rule) as readonly DataElement[] | undefined;
  if (elements === undefined) return undefined;
  const refuse: Step = { kind: "end", end: { kind: "refuse", rule: at.rule, statement: at.statement } };
  const lookup = { key: value.key, alike: false, negate: false, changes: false, refusal: [refuse] };
  const choices = (): Choice[] =>
    elements.map(({ key, data }) => {
      const constant = singleValue(data[0]!);
      return {
        key,
        steps: [typeof constant === "number" ? { kind: "set-mark", field, clear: 0xffffffff, xor: constant } : refuse],
      };
    });
  const { rule: id, statement } = at;
  return [...counted(value.key, { rule: id, statement }), reader.step("rules", at, rule, lookup, choices)];
}

/** Numbers the rule draws before a statement. */
function drawsBefore({ rule }: ResolvedRule, statement: number): number {
  return rule.statements.slice(0, statement).reduce((sum, s) => sum + drawsOf(s), 0);
}

function drawsOf(s: Statement): number {
  const all = (list: readonly Expression[]): number => list.reduce((sum, one) => sum + drawsIn(one), 0);
  switch (s.kind) {
    case "random":
      return 1;
    case "compare":
      return drawsIn(s.left);
    case "lookup":
    case "verdict-map":
      return all(s.key);
    case "assign":
      return drawsIn(s.value);
    case "set-update":
      return all([...s.key, ...(s.data ?? [])]);
    default:
      return 0;
  }
}

/** Where a destination is one address and at most one port, the flags for the choice among many say nothing. */
function settled(to: NatRange): NatRange {
  const { addresses, ports } = to;
  if (addresses === undefined || !isOne(addresses) || (ports !== undefined && ports[0] !== ports[1])) return to;
  return { addresses, ...(ports === undefined ? {} : { ports }) };
}

function isOne([first, last]: NonNullable<NatRange["addresses"]>): boolean {
  return String(addressWords(first)) === String(addressWords(last));
}
