/** What each chain may do to a packet, as a whole. */
import { takesEveryPacket } from "../engine/nat-family.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Statement } from "../ruleset/types.js";

/** What entering a chain may do to a packet, with the chains it leads to. True where an unknown statement leaves it open, but for `takesAll`. */
export interface ChainTraits {
  /** It may end the walk of the base chain: accept, drop, reject, a translation. */
  readonly decides: boolean;
  /** It may change what later rules of the calling chain see: marks, tracking, sets. */
  readonly changes: boolean;
  /** It may do anything but come back: decide, change, remember, log, count. */
  readonly acts: boolean;
  /** No packet that enters it ever comes back. */
  readonly takesAll: boolean;
}

/** Chains after those they lead to: depth first, with a stack of its own, as chains may nest deeper than the JavaScript stack. */
export function bottomUp(chains: readonly ResolvedChain[]): readonly ResolvedChain[] {
  const order: ResolvedChain[] = [];
  const seen = new Uint8Array(chains.length);
  const enter = (chain: ResolvedChain): { chain: ResolvedChain; left: ResolvedChain[] } => {
    seen[chain.id] = 1;
    return { chain, left: chain.rules.flatMap((rule) => rule.targets) };
  };
  for (const start of chains) {
    if (seen[start.id] === 1) continue;
    const path = [enter(start)];
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const next = top.left.pop();
      if (next === undefined) {
        order.push(top.chain);
        path.pop();
      } else if (seen[next.id] === 0) path.push(enter(next));
    }
  }
  return order;
}

const UNKNOWN: ChainTraits = { decides: true, changes: true, acts: true, takesAll: false };
const NOTHING: ChainTraits = { decides: false, changes: false, acts: false, takesAll: false };
const CHANGES: ChainTraits = { ...NOTHING, changes: true, acts: true };
const ACTS: ChainTraits = { ...NOTHING, acts: true };
const DECIDES: ChainTraits = { decides: true, changes: false, acts: true, takesAll: true };

export function traitsOf(resolved: ResolvedRuleSet): ChainTraits[] {
  const traits: ChainTraits[] = resolved.chains.map(() => UNKNOWN);
  for (const chain of bottomUp(resolved.chains)) {
    let [decides, changes, acts] = [false, false, false];
    // Whether a packet may have left the chain for its caller before the rule at hand.
    let mayHaveLeft = false;
    let takesAll = false;
    for (const rule of chain.rules) {
      const own = ruleTraits(rule, traits);
      decides ||= own.decides;
      changes ||= own.changes;
      acts ||= own.acts;
      takesAll ||= own.takesAll && !mayHaveLeft && rule.rule.statements.slice(0, -1).every(isAlwaysTrue);
      mayHaveLeft ||= mayLeave(rule, traits);
    }
    traits[chain.id] = { decides, changes, acts, takesAll };
  }
  return traits;
}

/** What a rule may do to a packet; `takesAll`: if its matches hold, the packet does not come back from its last statement. */
export function ruleTraits(rule: ResolvedRule, traits: readonly ChainTraits[]): ChainTraits {
  let found = NOTHING;
  for (const statement of rule.rule.statements) {
    const own = statementTraits(statement, rule, traits);
    found = {
      decides: found.decides || own.decides,
      changes: found.changes || own.changes,
      acts: found.acts || own.acts,
      takesAll: own.takesAll,
    };
  }
  return found;
}

/** What a statement may do. What is not known may do anything. */
export function statementTraits(statement: Statement, rule: ResolvedRule, traits: readonly ChainTraits[]): ChainTraits {
  switch (statement.kind) {
    case "accept":
    case "drop":
    case "reject":
    case "masquerade":
      return DECIDES;
    case "dnat":
    case "snat":
    case "redirect":
      return takesEveryPacket(statement, rule.chain.table) ? DECIDES : { ...DECIDES, takesAll: false };
    case "jump":
    case "goto":
      return rule.target === undefined ? UNKNOWN : traits[rule.target.id]!;
    case "return":
    case "continue":
    case "comment":
    case "address":
    case "address-range":
    case "interface":
    case "protocol":
    case "fragment":
    case "transport":
    case "multiport":
    case "icmp":
    case "random":
    case "mark":
    case "conntrack":
    case "address-type":
    case "physdev":
    case "set":
    case "mac":
    case "lookup":
    case "compare":
      return NOTHING;
    case "nth":
    case "recent":
    case "limit":
    case "accounting":
    case "log":
    case "counter":
      return ACTS;
    case "set-mark":
    case "copy-mark":
    case "assign":
    case "notrack":
    case "set-update":
      return CHANGES;
    default:
      return UNKNOWN;
  }
}

/** Whether a packet may leave the rule's chain for the caller by this rule. */
function mayLeave(rule: ResolvedRule, traits: readonly ChainTraits[]): boolean {
  return rule.rule.statements.some((statement) => {
    const { kind } = statement;
    if (kind === "return" || statementTraits(statement, rule, traits) === UNKNOWN) return true;
    return kind === "goto" && !(rule.target !== undefined && traits[rule.target.id]!.takesAll);
  });
}

/** A statement that lets every packet pass on to the next one. */
function isAlwaysTrue(statement: Statement): boolean {
  switch (statement.kind) {
    case "comment":
    case "accounting":
    case "counter":
    case "log":
    case "set-mark":
    case "copy-mark":
      return true;
    case "random":
      return statement.threshold >= 2 ** 31 && !statement.negate;
    default:
      return false;
  }
}
