/**
 * Which way the draws of an nftables rule set went in the kernel: it says what it decided, not what it drew. Of all ways the draws of a packet can
 * go, the one is taken that leads where the kernel's trace led; its numbers are tried at both ends of the share they stand for, so that a bound
 * that is off by one goes another way.
 */
import { isDeepStrictEqual } from "node:util";
import { sameAddress } from "../../src/packet/address.js";
import type { Packet } from "../../src/packet/packet.js";
import type { Expression, KeyPart, SetElement, Statement, Verdict } from "../../src/ruleset/types.js";
import { keepSource } from "../../src/conntrack/nat.js";
import { cutsOf, spreadOf } from "../../src/engine/cases.js";
import { setOfRule } from "../../src/engine/named-set.js";
import { holds } from "../../src/engine/value.js";
import type { Context, Engine, Step, Trace } from "../../src/engine/types.js";
import type { ResolvedRule } from "../../src/ruleset/resolve.js";
import { type Observation, type TraceEvent, VERDICT } from "./observation.js";
import { impliedVisits, pathOf, type RuleNames } from "./project-node.js";

/** A share of the numbers a statement cannot tell apart: the u32 at both its ends. */
interface Share {
  readonly low: number;
  readonly high: number;
}

/** More ways than this are not tried. */
const MOST_WAYS = 2000;

/** The walk whose draws went as the kernel's; where none did, the first that was tried. */
export function traceLike(
  engine: Engine,
  names: RuleNames,
  packet: Packet,
  context: Context,
  seen: Observation,
): Trace {
  const decided = decisionsOf(names, seen);
  const sharesByName = new Map<string, readonly Share[]>();
  let first: Trace | undefined;
  let tried = 0;
  const walk = (chosen: readonly number[], end: "low" | "high"): { trace: Trace; choices: readonly Share[][] } => {
    const choices: Share[][] = [];
    const draw = (_: number, rule: number, visit: number): number => {
      const key = `${rule} ${visit}`;
      let shares = sharesByName.get(key);
      if (shares === undefined) {
        const event = decided.get(`${rule} ${visit & 0xffff}`);
        shares = sharesOf(names.resolved.rules[rule]!, visit >>> 16, (found) => fits(found, event), packet.sport);
        sharesByName.set(key, shares);
      }
      const share = shares[chosen[choices.length] ?? 0]!;
      choices.push([...shares]);
      return share[end];
    };
    return { trace: engine.trace(packet, { ...context, draw }), choices };
  };
  // Depth first: the next way differs in the last draw that has another share left.
  let chosen: number[] = [];
  for (;;) {
    const { trace, choices } = walk(chosen, "low");
    first ??= trace;
    if (agrees(trace, seen, names, context)) {
      const own = choices.map((_, i) => chosen[i] ?? 0);
      const other = walk(own, "high").trace;
      if (choices.length > 0 && !isDeepStrictEqual(pathOf(other), pathOf(trace)))
        throw new Error(
          `the two ends of a share go different ways: ${pathOf(trace).join(" ")} and ${pathOf(other).join(" ")}`,
        );
      return trace;
    }
    chosen = choices.map((_, i) => chosen[i] ?? 0);
    while (chosen.length > 0 && chosen.at(-1)! + 1 >= choices[chosen.length - 1]!.length) chosen.pop();
    if (chosen.length === 0 || ++tried > MOST_WAYS) return first;
    chosen[chosen.length - 1]!++;
  }
}

/** Whether a walk is what was seen, as far as draws decide it: the path, the rules visited, the marks, where the packet goes. */
function agrees(trace: Trace, { events, entry, left }: Observation, names: RuleNames, context: Context): boolean {
  const path = pathOf(trace);
  if (path.length !== events.length) return false;
  if (!events.every(({ table, chain, number }, i) => path[i] === `${table}:${chain}:${number}`)) return false;
  const { outcome } = trace;
  if (impliedVisits(names, events) !== outcome.work.rulesVisited) return false;
  const entered = chainsEntered(trace);
  for (const [i, { verdict }] of events.entries()) {
    if (verdict?.code !== VERDICT.jump && verdict?.code !== VERDICT.goto) continue;
    const way = entered[i];
    if (way?.chain !== verdict.to || (way.instead === true) !== (verdict.code === VERDICT.goto)) return false;
  }
  const last = events.at(-1);
  if (last?.number === "policy" && last.mark !== outcome.mark) return false;
  if (left !== undefined && !sameAddress(left.packet.dst, outcome.tuple.dst)) return false;
  if (entry === undefined && left === undefined && outcome.verdict === "accept" && outcome.destination !== undefined)
    return context.pickSource?.(outcome.tuple, outcome.source?.to ?? keepSource(outcome.tuple)).free !== true;
  if (entry === undefined) return true;
  const mark = outcome.changes.findLast((change) => change.kind === "ctmark")?.mark;
  if (mark !== undefined && mark !== entry.mark) return false;
  return outcome.destination === undefined || sameAddress(entry.reply.src, outcome.destination.address);
}

type Entered = Extract<Step, { kind: "chain" }>;

/** The chain entered behind each step of the path, if one was. */
function chainsEntered({ steps }: Trace): (Entered | undefined)[] {
  const entered: (Entered | undefined)[] = [];
  for (const step of steps) {
    if (step.kind === "rule" || step.kind === "policy") entered.push(undefined);
    else if (step.kind === "chain" && entered.length > 0) entered[entered.length - 1] ??= step;
  }
  return entered;
}

/** The event of every rule that matched, by rule and by how often its chain had been entered before. */
function decisionsOf(names: RuleNames, { events }: Observation): Map<string, TraceEvent> {
  const decided = new Map<string, TraceEvent>();
  const entered = new Map<string, number>();
  for (const event of events) {
    if (event.number === "policy") continue;
    const rule = names.find(event);
    const visit = entered.get(`${event.table} ${event.chain}`) ?? 0;
    decided.set(`${rule.id} ${visit}`, event);
    if (event.verdict === undefined || event.verdict.to === "-") continue;
    const to = `${event.table} ${event.verdict.to}`;
    entered.set(to, (entered.get(to) ?? -1) + 1);
  }
  return decided;
}

/** What a statement does with a number: true or false of a match, the verdict of a map, undefined where that is not told. */
type Decision = boolean | Verdict | undefined;

/** Whether a decision could have led to what the kernel said of the rule; without an event the rule failed, there or later. */
function fits(decision: Decision, event: TraceEvent | undefined): boolean {
  if (decision === undefined) return true;
  if (event === undefined) return typeof decision === "boolean" || decision.kind === "continue";
  if (typeof decision === "boolean") return decision;
  const { code, to } = event.verdict!;
  switch (decision.kind) {
    case "jump":
    case "goto":
      return code === VERDICT[decision.kind] && to === decision.chain;
    case "return":
      return code === VERDICT.return;
    case "continue":
      return code === VERDICT.continue;
    default:
      return code >= 0;
  }
}

/**
 * The shares of the n-th number a rule draws that lead to a wanted decision, failing ones first; all where none does. Of those that decide alike
 * one is enough, and which one changes from packet to packet.
 */
function sharesOf(
  rule: ResolvedRule,
  n: number,
  wanted: (decision: Decision) => boolean,
  packet: number,
): readonly Share[] {
  const leaf = rule.rule.statements.flatMap((statement) => leavesOf(statement, rule))[n];
  if (leaf === undefined) throw new Error(`rule ${rule.number} of ${rule.chain.name} draws more often than it says`);
  const spread = spreadOf(leaf.expression);
  if (spread === undefined) throw new Error("a random expression of a kind the tests do not make");
  const groups = new Map<string, { decision: Decision; shares: Share[] }>();
  let from = 0;
  for (const cut of [...[...new Set(leaf.cuts)].sort((a, b) => a - b), Infinity]) {
    const to = cut === Infinity ? spread.count : spread.below(cut);
    if (to <= from) continue;
    const value = spread.at(from);
    const share = {
      low: spread.drawFor(value),
      high: lastDraw(leaf.expression, spread.at(to - 1), spread.drawFor),
    };
    const decision = leaf.decide(value);
    const key = decision === undefined ? `value ${value}` : JSON.stringify(decision);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { decision, shares: [share] });
    else group.shares.push(share);
    from = to;
  }
  const fitting = [...groups.values()].filter(({ decision }) => wanted(decision));
  const some = fitting.length > 0 ? fitting : [...groups.values()];
  const failing = (decision: Decision): number => (decision === false ? 0 : 1);
  return some
    .sort((a, b) => failing(a.decision) - failing(b.decision))
    .map(({ shares }) => shares[packet % shares.length]!);
}

/** The greatest u32 that yields a value. */
function lastDraw(expression: Expression, value: number, drawFor: (value: number) => number): number {
  if (expression.kind === "numgen")
    return Number(((BigInt(value - expression.offset + 1) << 32n) - 1n) / BigInt(expression.mod));
  // Bits that a mask takes away are set.
  const mask = expression.kind === "bitwise" ? (expression.mask as number) : 0xffffffff;
  return (drawFor(value) | ~mask) >>> 0;
}

interface Leaf {
  readonly expression: Expression;
  /** Where the statement tells values apart. */
  readonly cuts: readonly number[];
  readonly decide: (value: number) => Decision;
}

const untold = (): Decision => undefined;

function leavesOf(statement: Statement, rule: ResolvedRule): Leaf[] {
  const leaf = (expression: Expression, parts: readonly KeyPart[], decide: Leaf["decide"]): Leaf[] => {
    if (spreadOf(expression) !== undefined) return [{ expression, cuts: cutsOf(parts)!, decide }];
    return expression.kind === "map" ? keyed(expression.key, expression.map, untold) : [];
  };
  const keyed = <E extends SetElement>(
    key: readonly Expression[],
    set: string | readonly E[],
    decide: (found: E | undefined) => Decision,
  ): Leaf[] => {
    const elements = typeof set === "string" ? (setOfRule(rule, set)!.index.elements as unknown as readonly E[]) : set;
    return key.flatMap((part, i) =>
      leaf(
        part,
        elements.map((element) => element.key[i]!),
        key.length > 1 ? untold : (value) => decide(elements.find((element) => holds(element.key[0]!, value))),
      ),
    );
  };
  switch (statement.kind) {
    case "compare": {
      const { left, right, negate } = statement;
      return leaf(left, [right], (value) => holds(right, value) !== negate);
    }
    case "lookup":
      return keyed(statement.key, statement.set, (found) => (found !== undefined) !== statement.negate);
    case "verdict-map":
      return keyed(statement.key, statement.map, (found) => found?.verdict ?? false);
    case "assign": {
      const spread = spreadOf(statement.value);
      const every = Array.from({ length: spread?.count ?? 0 }, (_, i): KeyPart => [spread!.at(i), spread!.at(i)]);
      return leaf(statement.value, every, untold);
    }
    case "dnat": {
      const { addresses } = statement.mapped ?? {};
      return addresses === undefined ? [] : keyed(addresses.key, addresses.map, untold);
    }
    case "random": {
      const { threshold, negate } = statement;
      const of: Expression = { kind: "bitwise", of: { kind: "field", field: "random" }, mask: 0x7fffffff, xor: 0 };
      return leaf(of, [[0, threshold - 1]], (value) => value < threshold !== negate);
    }
    default:
      return [];
  }
}
