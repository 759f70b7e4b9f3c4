import type { Family } from "../packet/address.js";
import type { Chain, MapElement, Rule, Verdict, VerdictMapDefinition } from "../ruleset/types.js";
import { exactRule, type ExactRule, keyOf } from "./keys.js";
import type { Names } from "./names.js";

/** Shorter runs of exact rules stay rules: a lookup costs about as much as that. */
const LEAST_RUN = 3;

/** What became of the rules of one chain. */
export interface FoldedChain {
  readonly rules: readonly Rule[];
  readonly maps: readonly VerdictMapDefinition[];
  /** Chains for keys that several rules share, or of which more is asked than a verdict. */
  readonly chains: readonly Chain[];
  /** Rules that are in a map now. */
  readonly folded: number;
}

/**
 * Folds runs of rules that ask for one value of the same fields into verdict maps. Rules of different keys never match one packet, so each
 * key's rules can stand together, in their order: a map leads to them. A rule that leaves the chain (return, goto) can only be the one
 * rule of its key, for then its verdict is the map's.
 */
export function foldKeys(chain: Chain, family: Family, names: Names): FoldedChain {
  const rules: Rule[] = [];
  const maps: VerdictMapDefinition[] = [];
  const chains: Chain[] = [];
  let folded = 0;
  for (const run of runsOf(chain.rules, family)) {
    if (run.length < LEAST_RUN || run[0]!.exact === undefined) {
      rules.push(...run.map((one) => one.rule));
      continue;
    }
    const { fields } = run[0]!.exact;
    const { key, type } = keyOf(fields, family);
    const name = names.fresh(`${chain.name}-by-${fields.replaceAll(" ", "-")}`);
    const elements: MapElement[] = [];
    for (const [text, group] of groupByKey(run.map((one) => one.exact!))) {
      const verdict = verdictOf(group) ?? jumpToOwnChain(group, names.fresh(`${chain.name}-${text}`), chains);
      elements.push({ key: group[0]!.parts, verdict });
    }
    maps.push({ name, type, flags: [], value: "verdict", elements });
    const span = run[0]!.rule.span;
    rules.push({ statements: [{ kind: "verdict-map", key, map: name }], ...(span === undefined ? {} : { span }) });
    folded += run.length;
  }
  return { rules, maps, chains, folded };
}

interface Run {
  readonly rule: Rule;
  readonly exact: ExactRule | undefined;
}

/** Rules side by side that belong into one map; others alone. */
function runsOf(rules: readonly Rule[], family: Family): Run[][] {
  const runs: Run[][] = [];
  let keys = new Map<string, boolean>();
  for (const rule of rules) {
    const exact = groupable(rule, family);
    const top = runs[runs.length - 1];
    const joins = exact !== undefined && top?.[0]?.exact?.fields === exact.fields && mayShare(keys, exact);
    if (joins) top!.push({ rule, exact });
    else {
      runs.push([{ rule, exact }]);
      keys = new Map();
    }
    if (exact !== undefined) keys.set(exact.text, (keys.get(exact.text) ?? false) || leaves(exact));
  }
  return runs;
}

/** A rule that leaves the chain and asks for more than its key stays where it is. */
function groupable(rule: Rule, family: Family): ExactRule | undefined {
  const exact = exactRule(rule, family);
  return exact !== undefined && (isWhole(exact) || !leaves(exact)) ? exact : undefined;
}

/** A key's rules are several only if none of them leaves the chain. */
function mayShare(keys: ReadonlyMap<string, boolean>, exact: ExactRule): boolean {
  const known = keys.get(exact.text);
  return known === undefined || (!known && !leaves(exact));
}

const lastOf = ({ rest }: ExactRule): Rule["statements"][number] | undefined =>
  rest.statements[rest.statements.length - 1];

function leaves(exact: ExactRule): boolean {
  const last = lastOf(exact);
  return last?.kind === "return" || last?.kind === "goto";
}

function isWhole({ rest }: ExactRule): boolean {
  return rest.statements.every((one, i, all) => one.kind === "comment" || i === all.length - 1);
}

function groupByKey(run: readonly ExactRule[]): Map<string, ExactRule[]> {
  const groups = new Map<string, ExactRule[]>();
  for (const exact of run) {
    const group = groups.get(exact.text);
    if (group === undefined) groups.set(exact.text, [exact]);
    else group.push(exact);
  }
  return groups;
}

/** The verdict of a key whose one rule asks for nothing more. */
function verdictOf(group: readonly ExactRule[]): Verdict | undefined {
  const [only, second] = group;
  if (second !== undefined || !isWhole(only!)) return undefined;
  const last = lastOf(only!);
  switch (last?.kind) {
    case "accept":
    case "drop":
    case "return":
    case "jump":
    case "goto":
      return last;
    default:
      return undefined;
  }
}

function jumpToOwnChain(group: readonly ExactRule[], name: string, chains: Chain[]): Verdict {
  chains.push({ name, rules: group.map(({ rest, rule }) => withProtocol(rest, rule)) });
  return { kind: "jump", chain: name };
}

const NEED_PROTOCOL: ReadonlySet<string> = new Set(["dnat", "snat", "masquerade", "redirect", "reject", "multiport"]);

/** Ports are translated, and connections reset, only in a rule that names the protocol. */
function withProtocol(rest: Rule, whole: Rule): Rule {
  const named = whole.statements.find((one) => one.kind === "protocol");
  if (named === undefined || !rest.statements.some((one) => NEED_PROTOCOL.has(one.kind))) return rest;
  return { ...rest, statements: [named, ...rest.statements] };
}
