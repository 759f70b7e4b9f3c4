/** Rules that never match, because earlier rules of every way to them take away every packet they ask for. */
import { type Head, headOf } from "../engine/compile/head.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import { type Fact, factsOf, isMutable } from "./facts.js";
import { type Asked, Takers } from "./takers.js";
import { bottomUp, type ChainTraits, ruleTraits, statementTraits } from "./traits.js";

/** A chain with more callers is looked at by itself: that all of so many leave it nothing of a packet is unlikely. */
const MOST_CALLERS = 4;
/** So many jumps are looked back. */
const MOST_JUMPS = 4;

/** Takers a packet has met on its way: those of one chain, up to the rule with this number. */
interface Stage {
  readonly takers: Takers;
  readonly before: number;
  readonly epoch: number | undefined;
}

/** What chains are known by, in arrays by chain id. */
export interface Calls {
  readonly traits: readonly ChainTraits[];
  /** The rules that may lead into each chain. */
  readonly callers: readonly (readonly ResolvedRule[])[];
  /** Whether all callers of the chain are known. */
  isWhole(chain: ResolvedChain): boolean;
}

/** Shadowed rules by id, each with an earlier rule, of its chain or of one that leads to it, that leaves it nothing. */
export function shadowsOf(resolved: ResolvedRuleSet, calls: Calls): Map<number, ResolvedRule> {
  const search = new Search(calls);
  // Callers first.
  for (const chain of bottomUp(resolved.chains).toReversed()) search.walk(chain);
  return new Map([...search.shadows].sort(([a], [b]) => a - b));
}

class Search {
  readonly shadows = new Map<number, ResolvedRule>();
  private readonly takers: (Takers | undefined)[] = [];
  /** Of rules that lead to another chain: the number of changes before them. */
  private readonly epochs = new Map<number, number>();

  constructor(private readonly calls: Calls) {}

  walk(chain: ResolvedChain): void {
    const { traits } = this.calls;
    const takers = new Takers();
    this.takers[chain.id] = takers;
    let epoch = 0;
    for (const rule of chain.rules) {
      const asked: Asked = { head: headOf(rule.rule), facts: once(() => factsGiven(rule, traits)) };
      const stage: Stage = { takers, before: rule.number, epoch };
      const by = rule.rule.statements.length === 0 ? undefined : this.find(chain, asked, [stage], epoch === 0, 0);
      if (by !== undefined) {
        this.shadows.set(rule.id, by);
        continue;
      }
      if (rule.targets.length > 0) this.epochs.set(rule.id, epoch);
      const own = ruleTraits(rule, traits);
      if (own.changes) epoch++;
      const facts = chain.rules.length > rule.number ? factsTaken(rule, own) : undefined;
      if (facts !== undefined) takers.add({ rule, facts, epoch: facts.some(isMutable) ? epoch : undefined });
    }
  }

  /**
   * A taker among the stages, or else one on every way into the chain: each with its own stage, and with what its caller asks for.
   * `unchanged`: nothing has changed since the chain was entered.
   */
  private find(
    chain: ResolvedChain,
    asked: Asked,
    stages: readonly Stage[],
    unchanged: boolean,
    jumps: number,
  ): ResolvedRule | undefined {
    for (const { takers, before, epoch } of stages) {
      const by = takers.find(asked, before, epoch);
      if (by !== undefined) return by;
    }
    const { callers: allCallers, traits, isWhole } = this.calls;
    const callers = allCallers[chain.id]!;
    if (jumps === MOST_JUMPS || callers.length > MOST_CALLERS || chain.base !== undefined || !isWhole(chain))
      return undefined;
    let found: ResolvedRule | undefined;
    for (const caller of callers) {
      if (this.shadows.has(caller.id)) continue;
      const [takers, epoch] = [this.takers[caller.chain.id], this.epochs.get(caller.id)];
      // In a loop no caller is the first.
      if (takers === undefined || epoch === undefined) return undefined;
      const still = unchanged && !changesBeforeItLeads(caller, traits);
      const stage: Stage = { takers, before: caller.number, epoch: still ? epoch : undefined };
      const facts = once(() => {
        const given = factsGiven(caller, traits);
        return [...asked.facts(), ...(still ? given : given.filter((fact) => !isMutable(fact)))];
      });
      const both: Asked = { head: joined(asked.head, headOf(caller.rule)), facts };
      const by = this.find(caller.chain, both, [...stages, stage], still && epoch === 0, jumps + 1);
      if (by === undefined) return undefined;
      found ??= by;
    }
    return found;
  }
}

/** What both heads say, as far as one head can: where both say something of a field, only the first counts. */
function joined(head: Head, outer: Head): Head {
  return {
    src: head.src ?? outer.src,
    dst: head.dst ?? outer.dst,
    protocol: head.protocol === 0 ? outer.protocol : head.protocol,
    sport: head.sport ?? outer.sport,
    dport: head.dport ?? outer.dport,
    whole: 0,
  };
}

function changesBeforeItLeads(rule: ResolvedRule, traits: readonly ChainTraits[]): boolean {
  return rule.rule.statements.slice(0, -1).some((statement) => statementTraits(statement, rule, traits).changes);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The facts of a rule that takes a packet away whenever they hold; undefined for any other rule. */
function factsTaken({ rule }: ResolvedRule, traits: ChainTraits): Fact[] | undefined {
  const { statements } = rule;
  const last = statements[statements.length - 1];
  if (last?.kind !== "return" && !traits.takesAll && last?.kind !== "goto") return undefined;
  const facts: Fact[] = [];
  for (const statement of statements.slice(0, -1)) {
    if (statement.kind === "counter" || statement.kind === "log") continue;
    const own = factsOf(statement);
    if (own === undefined) return undefined;
    facts.push(...own);
  }
  return facts;
}

/** What a rule says before it does anything: the facts of its first matches. */
function factsGiven(rule: ResolvedRule, traits: readonly ChainTraits[]): Fact[] {
  const facts: Fact[] = [];
  for (const statement of rule.rule.statements) {
    if (statement.kind === "counter" || statement.kind === "log") break;
    if (statementTraits(statement, rule, traits).changes) break;
    facts.push(...(factsOf(statement) ?? []));
  }
  return facts;
}
