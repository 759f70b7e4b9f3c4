/** The rules of a rule set as rows: what linear does, said in sets. */
import { byId, type ResolvedRule, type ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { NatRange, Statement } from "../../ruleset/types.js";
import { addressWords } from "../../packet/address.js";
import { ALL, type DiagramNode } from "./diagrams.js";
import type { MatchReader } from "./read-matches.js";
import type { Program, Row, Step } from "./rows.js";

const isCounting = (statement: Statement): boolean =>
  [
    "random",
    "nth",
    "limit",
    "recent",
    "set",
    "compare",
    "lookup",
    "opaque-match",
    "accounting",
    "opaque-target",
  ].includes(statement.kind);

/**
 * The program of a rule set. `visited`: packets that come to a rule (by chain id and index), where chains have an index that leads
 * past rules; without it every packet comes to every rule.
 */
export function rulesProgram(
  name: string,
  resolved: ResolvedRuleSet,
  reader: MatchReader,
  visited: (chain: number, index: number) => DiagramNode = () => ALL,
): Program {
  const chains = byId(resolved.chains);
  const counting = chains.map((chain) => chain?.rules.some(({ rule }) => rule.statements.some(isCounting)) === true);
  return {
    name,
    length: (chain) => chains[chain]!.rules.length,
    row: (chain, index) => readRule(chains[chain]!.rules[index]!, reader, visited(chain, index)),
    counts: (chain) => counting[chain]!,
  };
}

function readRule(rule: ResolvedRule, reader: MatchReader, visited: DiagramNode): Row {
  const steps = rule.rule.statements.flatMap((statement, at) => readStatement(statement, rule, at, reader));
  return { visited, steps };
}

/** One statement of a rule as steps. */
export function readStatement(s: Statement, rule: ResolvedRule, statement: number, reader: MatchReader): Step[] {
  const place = { rule: rule.id, statement };
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
      return [s.mapped === undefined ? { kind: "end", end: { kind: s.kind, to: settled(s.to) } } : unread];
    case "redirect":
    case "masquerade":
      return [{ kind: "end", end: { kind: s.kind, to: s.to } }];
    case "accounting":
      return [{ kind: "change", ...place }];
    // Passed over where that is assumed, else the walk stops.
    case "opaque-target":
      return [{ kind: "unknown", ...place }, refuse];
    case "assign":
    case "compare":
    case "lookup":
    case "set-update":
    case "verdict-map":
      return [unread];
    default: {
      const draws = rule.rule.statements.slice(0, statement).filter(({ kind }) => kind === "random").length;
      const test = reader.read(s, { ...place, draws });
      return [test === "refuse" ? refuse : test];
    }
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
