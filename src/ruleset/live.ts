import type { ChainChange, Changes } from "./changes.js";
import type { Problem } from "./problem.js";
import {
  jumpOf,
  reachingHooks,
  type ResolvedChain,
  type ResolvedRule,
  type ResolvedRuleSet,
  resolve,
  translationHooks,
} from "./resolve.js";
import type { Chain, RuleSet, Statement, Table } from "./types.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface HeldTable {
  readonly table: Table;
  readonly chains: Map<string, Writable<ResolvedChain>>;
}

/** A chain that came, went or has other rules. */
export interface ChangedChain {
  readonly chain: ResolvedChain;
  /** Empty for a new chain. */
  readonly before: readonly ResolvedRule[];
  readonly gone: boolean;
}

/**
 * A resolved rule set that can be changed chain by chain. Chains keep their ids and their objects, rules that stay keep their ids; new ones get
 * ids that were never used, so what is remembered or drawn by a rule's id is never another rule's. An engine over it sees the
 * changes; `ruleset` is a new object after each. `table.chains` of a chain are those it began with.
 */
export class LiveRuleSet implements ResolvedRuleSet {
  readonly problems: readonly Problem[];
  /** Sets and maps stay: a table that has some is not changed chain by chain. */
  readonly findSet: ResolvedRuleSet["findSet"];
  readonly findMap: ResolvedRuleSet["findMap"];
  private readonly byTable = new Map<string, HeldTable>();
  private readonly remarks: RuleSet["remarks"];
  /** How many rules jump to each chain, by its id. */
  private readonly uses: number[] = [];
  /** The hooks from which each chain can be reached, as bits, by its id; bits of ways that are gone may stay. */
  private readonly hooks: number[];
  private nextChain: number;
  private nextRule: number;
  private current:
    { readonly ruleset: RuleSet; readonly chains: ResolvedChain[]; readonly rules: ResolvedRule[] } | undefined;

  /** `previous`: the rule set it comes from; rules that stay keep their ids. */
  constructor(ruleset: RuleSet, previous?: LiveRuleSet) {
    const resolved = resolve(ruleset);
    this.nextRule = resolved.rules.length;
    if (previous !== undefined) {
      const ids = new Map(previous.rules.map(({ rule, id }) => [rule, id]));
      this.nextRule = previous.nextRule;
      for (const rule of resolved.rules as Writable<ResolvedRule>[]) rule.id = ids.get(rule.rule) ?? this.nextRule++;
    }
    this.problems = resolved.problems;
    this.findSet = resolved.findSet;
    this.findMap = resolved.findMap;
    this.remarks = ruleset.remarks;
    for (const table of ruleset.tables) this.byTable.set(keyOf(table), { table, chains: new Map() });
    for (const chain of resolved.chains) this.byTable.get(keyOf(chain.table))!.chains.set(chain.name, chain);
    for (const { target } of resolved.rules) this.use(target, 1);
    this.hooks = [...reachingHooks(resolved.chains)];
    this.nextChain = resolved.chains.length;
    this.current = { ruleset, chains: [...resolved.chains], rules: [...resolved.rules] };
  }

  get ruleset(): RuleSet {
    return this.snapshot.ruleset;
  }
  get chains(): readonly ResolvedChain[] {
    return this.snapshot.chains;
  }
  /** In the order of the chains; ids need not ascend. */
  get rules(): readonly ResolvedRule[] {
    return this.snapshot.rules;
  }

  findChain(table: Pick<Table, "family" | "name">, name: string): ResolvedChain | undefined {
    return this.byTable.get(keyOf(table))?.chains.get(name);
  }

  /** A table, as it was at the beginning. */
  findTable(family: Table["family"], name: string): Table | undefined {
    return this.byTable.get(keyOf({ family, name }))?.table;
  }

  private get snapshot(): NonNullable<LiveRuleSet["current"]> {
    if (this.current === undefined) {
      const chains = [...this.byTable.values()].flatMap((held) => [...held.chains.values()]);
      const tables = [...this.byTable.values()].map(({ table, chains: own }) => ({
        ...table,
        chains: [...own.values()].map(({ chain }) => chain),
      }));
      const ruleset = { tables, ...(this.remarks === undefined ? {} : { remarks: this.remarks }) };
      this.current = { ruleset, chains, rules: chains.flatMap((chain) => chain.rules) };
    }
    return this.current;
  }

  /**
   * Makes the changes, all or none. Undefined where they are not of the simple kind that it knows to be right without looking at the whole
   * rule set (base chains that come or go, tables of nftables with sets, and whatever may be an error): nothing is changed then.
   */
  apply(changes: Changes): ChangedChain[] | undefined {
    const steps: { chain: Writable<ResolvedChain>; rules: ResolvedRule[]; change: ChainChange; held: HeldTable }[] = [];
    /** Chains by name as they will be, of each table. */
    const names = new Map<HeldTable, Map<string, Writable<ResolvedChain> | undefined>>();
    let nextChain = this.nextChain;
    for (const change of changes) {
      const held = this.byTable.get(keyOf({ family: change.family, name: change.table }));
      if (held === undefined || held.table.sets.length > 0 || held.table.maps.length > 0) return undefined;
      let own = names.get(held);
      if (own === undefined) names.set(held, (own = new Map()));
      if (own.has(change.name)) return undefined;
      const known = held.chains.get(change.name);
      if (!isOfRulesAlone(known, change) || [known?.chain, change.chain].some(looksUp)) return undefined;
      const { name } = change;
      const chain = known ?? {
        id: nextChain++,
        table: held.table,
        chain: change.chain!,
        name,
        base: undefined,
        rules: [],
      };
      own.set(name, change.chain === undefined ? undefined : chain);
      steps.push({ chain, rules: [], change, held });
    }
    let nextRule = this.nextRule;
    const uses = new Map<ResolvedChain, number>();
    const count = (target: ResolvedChain | undefined, by: number): void => {
      if (target !== undefined) uses.set(target, (uses.get(target) ?? 0) + by);
    };
    for (const { chain, rules, change, held } of steps) {
      const kept = new Map(chain.rules.map((rule) => [rule.rule, rule]));
      const own = names.get(held)!;
      for (const { target } of chain.rules) count(target, -1);
      for (const [i, rule] of (change.chain?.rules ?? []).entries()) {
        const to = jumpOf(rule)?.chain;
        const target = to === undefined ? undefined : own.has(to) ? own.get(to) : held.chains.get(to);
        if (to !== undefined && (target === undefined || target.base !== undefined)) return undefined;
        count(target, 1);
        const old = kept.get(rule);
        kept.delete(rule);
        const same = old?.number === i + 1 && old.target === target;
        rules.push(
          same
            ? old
            : {
                id: old?.id ?? nextRule++,
                number: i + 1,
                rule,
                chain,
                target,
                targets: target === undefined ? [] : [target],
              },
        );
      }
    }
    for (const { chain, change } of steps)
      if (change.chain === undefined && (this.uses[chain.id] ?? 0) + (uses.get(chain) ?? 0) > 0) return undefined;
    const rulesOf = new Map<ResolvedChain, readonly ResolvedRule[]>(steps.map(({ chain, rules }) => [chain, rules]));
    if (loops(rulesOf) || !this.spreadHooks(rulesOf)) return undefined;

    this.nextChain = nextChain;
    this.nextRule = nextRule;
    for (const [target, by] of uses) this.use(target, by);
    this.current = undefined;
    return steps.map(({ chain, rules, change, held: { chains } }) => {
      const before = chain.rules;
      chain.rules = rules;
      if (change.chain === undefined) chains.delete(chain.name);
      else {
        chain.chain = change.chain;
        chains.set(chain.name, chain);
      }
      return { chain, before, gone: change.chain === undefined };
    });
  }

  private use(target: ResolvedChain | undefined, by: number): void {
    if (target !== undefined) this.uses[target.id] = (this.uses[target.id] ?? 0) + by;
  }

  /** Whether every translation among the new rules stands where it may, and chains that stay are reached from no more hooks than before. */
  private spreadHooks(rulesOf: ReadonlyMap<ResolvedChain, readonly ResolvedRule[]>): boolean {
    const reached = new Map<ResolvedChain, number>();
    const hooksOf = (chain: ResolvedChain): number => this.hooks[chain.id] ?? reached.get(chain) ?? 0;
    for (let settled = false; !settled;) {
      settled = true;
      for (const [chain, rules] of rulesOf) {
        for (const { target } of rules) {
          if (target === undefined || (hooksOf(chain) & ~hooksOf(target)) === 0) continue;
          if (this.hooks[target.id] !== undefined) return false;
          reached.set(target, hooksOf(target) | hooksOf(chain));
          settled = false;
        }
      }
    }
    for (const [chain, rules] of rulesOf) {
      for (const { rule } of rules) {
        const allowed = translationHooks.get(rule.statements.at(-1)?.kind ?? "");
        if (allowed !== undefined && (chain.table.name !== "nat" || (hooksOf(chain) & ~allowed) !== 0)) return false;
      }
    }
    for (const [chain, hooks] of reached) this.hooks[chain.id] = hooks;
    for (const chain of rulesOf.keys()) this.hooks[chain.id] ??= 0;
    return true;
  }
}

/** A change of the rules of a chain, or of a chain that is no base chain. */
function isOfRulesAlone(known: ResolvedChain | undefined, { chain }: ChainChange): boolean {
  if (known === undefined) return chain !== undefined && chain.base === undefined;
  if (chain === undefined) return known.base === undefined;
  return known.base === chain.base || JSON.stringify(known.base) === JSON.stringify(chain.base);
}

const lookups: ReadonlySet<Statement["kind"]> = new Set(["lookup", "compare", "verdict-map", "set-update", "assign"]);

/** Whether a rule looks something up in a set or map: the compiled form keeps tables for these. */
function looksUp(chain: Chain | undefined): boolean {
  const inStatement = (s: Statement): boolean => lookups.has(s.kind) || ("mapped" in s && s.mapped !== undefined);
  return chain?.rules.some(({ statements }) => statements.some(inStatement)) === true;
}

const keyOf = ({ family, name }: Pick<Table, "family" | "name">): string => `${family} ${name}`;

/** Whether some chain with new rules leads back to itself. */
function loops(rulesOf: ReadonlyMap<ResolvedChain, readonly ResolvedRule[]>): boolean {
  const done = new Set<ResolvedChain>();
  for (const start of rulesOf.keys()) {
    const path: { chain: ResolvedChain; next: number }[] = [{ chain: start, next: 0 }];
    const on = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const rule = (rulesOf.get(top.chain) ?? top.chain.rules)[top.next++];
      if (rule === undefined) {
        done.add(top.chain);
        on.delete(top.chain);
        path.pop();
      } else if (rule.target !== undefined) {
        if (on.has(rule.target)) return true;
        if (done.has(rule.target)) continue;
        on.add(rule.target);
        path.push({ chain: rule.target, next: 0 });
      }
    }
  }
  return false;
}
