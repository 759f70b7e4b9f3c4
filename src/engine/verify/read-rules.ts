/** The rules of a rule set as rows: what linear does, said in sets. */
import { byId, type ResolvedRule, type ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { Expression, SetElement, Statement, Verdict } from "../../ruleset/types.js";
import { type Found, setOfRule } from "../named-set.js";
import { ALL, type DiagramNode } from "./diagrams.js";
import { readAssignment } from "./read-assignment.js";
import { counted, havingKey } from "./read-keys.js";
import { type Choice, elementsOf, isPlain, type LookupReader } from "./read-lookups.js";
import { readTranslation } from "./read-translation.js";
import { drawsIn } from "./read-values.js";
import type { Program, Row, Step } from "./rows.js";

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
