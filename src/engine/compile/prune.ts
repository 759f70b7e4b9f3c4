/**
 * Prune: what no packet gets to. A chain that no base chain leads to, and a rule behind one of its chain that certainly takes
 * every packet it could match out of the chain. Only pure tests are looked at, of what does not change within a chain; where that
 * is not enough to be certain, the rule stays.
 */
import { addressWords } from "../../packet/address.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { MaskedAddress } from "../../packet/prefix.js";
import type { PortRange, Rule, Statement } from "../../ruleset/types.js";
import { takesEveryPacket } from "../nat-family.js";
import { type Head, headOf, isPure } from "./head.js";
import { roomFor, widen } from "./room.js";

export interface Pruned {
  /** By chain id: 1 where packets can get to. */
  readonly reached: Uint8Array;
  /** Rules that no packet matches first -> the rule before them that takes all of their packets. */
  readonly shadowed: ReadonlyMap<ResolvedRule, ResolvedRule>;
}

export function prune(resolved: ResolvedRuleSet): Pruning {
  return new Pruning(resolved);
}

/** What was pruned, as it changes with the chains. */
export class Pruning implements Pruned {
  reached = new Uint8Array(0);
  readonly shadowed = new Map<ResolvedRule, ResolvedRule>();
  /** How many rules that packets get to lead to each chain, by its id. */
  private readonly uses: number[] = [];

  constructor(resolved: ResolvedRuleSet) {
    this.reached = new Uint8Array(resolved.chains.length);
    for (const chain of resolved.chains) this.findShadows(chain);
    this.use(
      resolved.chains.filter(({ base }) => base !== undefined),
      1,
    );
  }

  /** Takes in that chains have other rules. Gives the chains that packets may get to now or no longer. */
  change(
    changed: readonly { readonly chain: ResolvedChain; readonly before: readonly ResolvedRule[] }[],
  ): ResolvedChain[] {
    const alive = changed.filter(({ chain }) => this.reached[chain.id] === 1);
    const old = alive.flatMap(({ before }) => this.targets(before));
    for (const { chain, before } of changed) {
      for (const rule of before) this.shadowed.delete(rule);
      this.findShadows(chain);
    }
    // First what is led to anew, so that what stays is not given up in between.
    const came = this.use(
      alive.flatMap(({ chain }) => this.targets(chain.rules)),
      1,
    );
    return [...came, ...this.use(old, -1)];
  }

  private findShadows(chain: ResolvedChain): void {
    for (const [rule, by] of shadowsIn(chain)) this.shadowed.set(rule, by);
  }

  private targets(rules: readonly ResolvedRule[]): ResolvedChain[] {
    return rules.flatMap((rule) => (this.shadowed.has(rule) ? [] : rule.targets));
  }

  /** Counts uses of chains up or down, and of those they lead to where they come or go; gives the chains that did. */
  private use(chains: readonly ResolvedChain[], by: 1 | -1): ResolvedChain[] {
    const changed: ResolvedChain[] = [];
    const todo = [...chains];
    for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
      const uses = (this.uses[chain.id] = (this.uses[chain.id] ?? 0) + by);
      if (uses !== (by === 1 ? 1 : 0)) continue;
      if (chain.id >= this.reached.length) this.reached = widen(this.reached, roomFor(chain.id));
      this.reached[chain.id] = by === 1 ? 1 : 0;
      changed.push(chain);
      for (const target of this.targets(chain.rules)) todo.push(target);
    }
    return changed;
  }
}

/** More signatures of rules that leave are not looked through: a rule would cost more to prune than to keep. */
const MOST_SIGNATURES = 16;

/** A rule that takes what it matches out of its chain. */
interface Leaver {
  readonly rule: ResolvedRule;
  readonly condition: Condition;
}

/** The rules of a chain that are shadowed, each with the rule that does it. */
export function shadowsIn(chain: ResolvedChain): Map<ResolvedRule, ResolvedRule> {
  const found = new Map<ResolvedRule, ResolvedRule>();
  const groups = new Map<string, { head: Head; leavers: Map<string, Leaver[]> }>();
  for (const rule of chain.rules) {
    const leaves = leavesChain(rule);
    if (!leaves && groups.size === 0) continue;
    const condition = conditionOf(rule.rule);
    for (const { head, leavers } of groups.values()) {
      const key = projection(condition.head, head);
      const by =
        key === undefined ? undefined : leavers.get(key)?.find((leaver) => covers(leaver.condition, condition));
      if (by === undefined) continue;
      found.set(rule, by.rule);
      break;
    }
    if (!leaves || !condition.complete || found.has(rule)) continue;
    const signature = signatureOf(condition.head);
    let group = groups.get(signature);
    if (group === undefined) {
      if (groups.size === MOST_SIGNATURES) continue;
      groups.set(signature, (group = { head: condition.head, leavers: new Map() }));
    }
    const key = projection(condition.head, condition.head)!;
    const known = group.leavers.get(key);
    if (known === undefined) group.leavers.set(key, [{ rule, condition }]);
    else known.push({ rule, condition });
  }
  return found;
}

/** Whether a packet that the rule matches certainly leaves the chain. */
function leavesChain({ rule, chain, target }: ResolvedRule): boolean {
  const last = rule.statements.at(-1);
  switch (last?.kind) {
    case "accept":
    case "drop":
    case "reject":
    case "return":
    case "masquerade":
      return true;
    case "dnat":
    case "redirect":
    case "snat":
      return takesEveryPacket(last, chain.table);
    case "goto":
      return target !== undefined;
    default:
      return false;
  }
}

interface Condition {
  readonly head: Head;
  /** The other tests of what does not change within a chain, as text. */
  readonly others: ReadonlySet<string>;
  /** The condition says all that the rule tests. */
  readonly complete: boolean;
}

function conditionOf(rule: Rule): Condition {
  const head = headOf(rule);
  const others = new Set<string>();
  let complete = true;
  for (const [i, statement] of rule.statements.entries()) {
    // A fragment has no ports to look at: -m tcp fails for it, -p tcp does not.
    if (statement.kind === "transport") others.add(`ports of ${statement.protocol}`);
    if ((head.whole >>> i) & 1) continue;
    if (isLasting(statement)) others.add(textOf(statement));
    else if (isPure(statement)) complete = false;
    else {
      // A verdict ends the tests; an action before it, or a test that is not pure, could have an effect of its own.
      complete &&= i === rule.statements.length - 1;
      break;
    }
  }
  return { head, others, complete };
}

/** Pure tests whose answer stays the same while a packet is in a chain: all but those of marks, which rules set. */
function isLasting(statement: Statement): boolean {
  return isPure(statement) && statement.kind !== "mark" && statement.kind !== "comment";
}

function textOf(statement: Statement): string {
  return JSON.stringify(statement);
}

/** Whether every packet of `inner` is one of `outer`, whose head holds for it. */
function covers(outer: Condition, inner: Condition): boolean {
  for (const test of outer.others) if (!inner.others.has(test)) return false;
  return true;
}

const signatureOf = ({ dst, src, protocol, sport, dport }: Head): string =>
  [maskText(dst), maskText(src), protocol !== 0, rangeText(sport), rangeText(dport)].join();

const maskText = (test: MaskedAddress | undefined): string => (test === undefined ? "" : String(test.mask));
/** A single port is part of the key; any other range is part of the signature. */
const rangeText = (range: PortRange | undefined): string =>
  range === undefined ? "" : range[0] === range[1] ? "=" : String(range);

/** What of a head a signature looks at, as a key; undefined where the head leaves open what the signature tests. */
function projection(head: Head, signature: Head): string | undefined {
  const dst = project(head.dst, signature.dst);
  const src = project(head.src, signature.src);
  const sport = projectPorts(head.sport, signature.sport);
  const dport = projectPorts(head.dport, signature.dport);
  if (dst === undefined || src === undefined || sport === undefined || dport === undefined) return undefined;
  if (signature.protocol !== 0 && head.protocol === 0) return undefined;
  return `${dst} ${src} ${signature.protocol === 0 ? 0 : head.protocol} ${sport} ${dport}`;
}

function project(test: MaskedAddress | undefined, by: MaskedAddress | undefined): string | undefined {
  if (by === undefined) return "";
  if (test === undefined) return undefined;
  const [value, mask, wanted] = [addressWords(test.value), addressWords(test.mask), addressWords(by.mask)];
  if (mask.length !== wanted.length || wanted.some((word, i) => (mask[i]! & word) >>> 0 !== word)) return undefined;
  return value.map((word, i) => (word & wanted[i]!) >>> 0).join(":");
}

function projectPorts(range: PortRange | undefined, by: PortRange | undefined): string | undefined {
  if (by === undefined) return "";
  if (range === undefined) return undefined;
  if (by[0] === by[1]) return range[0] === range[1] ? String(range[0]) : undefined;
  return range[0] >= by[0] && range[1] <= by[1] ? "" : undefined;
}
