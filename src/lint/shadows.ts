/** Rules that never match, because an earlier rule of their chain takes away every packet they ask for. */
import { headOf, isExact } from "../engine/compile/head.js";
import { addressWords } from "../packet/address.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import { type Fact, factsOf, implies, isMutable } from "./facts.js";
import { type ChainTraits, ruleTraits, statementTraits } from "./traits.js";

/** A rule that takes away all packets of which its facts hold. */
interface Taker {
  readonly rule: ResolvedRule;
  readonly facts: readonly Fact[];
  /** Set where its facts hold only until something changes: the number of changes before it. */
  readonly epoch: number | undefined;
}

/** Takers of one kind of head are found by their constants; of those with equal constants only so many are tried. */
const MOST_TRIED = 200;
/** Kinds of heads in one chain. Real rules have a handful; what is beyond is not looked for. */
const MOST_KINDS = 64;

/** Shadowed rules by id, each with the earlier rule that leaves it nothing. `traits`: of every chain, by id. */
export function shadowsOf(resolved: ResolvedRuleSet, traits: readonly ChainTraits[]): Map<number, ResolvedRule> {
  const shadows = new Map<number, ResolvedRule>();
  for (const chain of resolved.chains) shadowsIn(chain, traits, shadows);
  return shadows;
}

function shadowsIn(chain: ResolvedChain, traits: readonly ChainTraits[], shadows: Map<number, ResolvedRule>): void {
  const takers = new Takers(traits);
  let epoch = 0;
  for (const rule of chain.rules) {
    const by = takers.find(rule, epoch);
    if (by !== undefined) {
      shadows.set(rule.id, by);
      continue;
    }
    const own = ruleTraits(rule, traits);
    if (own.changes) epoch++;
    const facts = chain.rules.length > rule.number ? factsTaken(rule, own) : undefined;
    if (facts !== undefined) takers.add({ rule, facts, epoch: facts.some(isMutable) ? epoch : undefined });
  }
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

/**
 * The takers of a chain, found by the constants of their heads: one table for each combination of masks, as in tuple space search. A rule
 * that says by another kind of test (iprange) what a head says is not found.
 */
class Takers {
  private readonly tables = new Map<string, { readonly head: HeadShape; readonly byKey: Map<string, Taker[]> }>();

  constructor(private readonly traits: readonly ChainTraits[]) {}

  add(taker: Taker): void {
    const head = headOf(taker.rule.rule);
    const shape: HeadShape = {
      src: head.src && addressWords(head.src.mask),
      dst: head.dst && addressWords(head.dst.mask),
      protocol: head.protocol !== 0,
      sport: isExact(head.sport),
      dport: isExact(head.dport),
    };
    const name = JSON.stringify(shape);
    let table = this.tables.get(name);
    if (table === undefined) {
      if (this.tables.size === MOST_KINDS) return;
      this.tables.set(name, (table = { head: shape, byKey: new Map() }));
    }
    const key = keyOf(head, shape)!;
    const same = table.byKey.get(key);
    if (same === undefined) table.byKey.set(key, [taker]);
    else same.push(taker);
  }

  /** An earlier rule that leaves this one nothing; undefined where there is none, or none was found in the tries allowed. */
  find(rule: ResolvedRule, epoch: number): ResolvedRule | undefined {
    if (this.tables.size === 0 || rule.rule.statements.length === 0) return undefined;
    const head = headOf(rule.rule);
    let given: readonly Fact[] | undefined;
    for (const { head: shape, byKey } of this.tables.values()) {
      const key = keyOf(head, shape);
      const takers = key === undefined ? undefined : byKey.get(key);
      for (const taker of takers?.slice(0, MOST_TRIED) ?? []) {
        if (taker.epoch !== undefined && taker.epoch !== epoch) continue;
        given ??= factsGiven(rule, this.traits);
        if (taker.facts.every((asked) => given!.some((one) => implies(one, asked)))) return taker.rule;
      }
    }
    return undefined;
  }
}

/** Which fields of a head take part in the key, and under which masks. */
interface HeadShape {
  readonly src: readonly number[] | undefined;
  readonly dst: readonly number[] | undefined;
  readonly protocol: boolean;
  readonly sport: boolean;
  readonly dport: boolean;
}

/** The constants of a head under a shape; undefined where the head leaves open what the shape asks for. */
function keyOf(head: ReturnType<typeof headOf>, shape: HeadShape): string | undefined {
  let key = "";
  for (const end of ["src", "dst"] as const) {
    const mask = shape[end];
    if (mask === undefined) continue;
    const own = head[end];
    if (own === undefined) return undefined;
    const [value, ownMask] = [addressWords(own.value), addressWords(own.mask)];
    if (!mask.every((bits, i) => (ownMask[i]! & bits) >>> 0 === bits)) return undefined;
    key += `${mask.map((bits, i) => (value[i]! & bits) >>> 0).join(".")} `;
  }
  if (shape.protocol) {
    if (head.protocol === 0) return undefined;
    key += `${head.protocol} `;
  }
  for (const end of ["sport", "dport"] as const) {
    if (!shape[end]) continue;
    const range = head[end];
    if (!isExact(range)) return undefined;
    key += `${range[0]} `;
  }
  return key;
}
