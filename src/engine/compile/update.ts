/**
 * A plan that follows its rule set: a changed chain is applied to the compiled form where it stands. Rows of other chains stay, and only
 * destinations that depend on the chain are worked out again. What is left is what a fresh compile of the changed rule set would give. Where a
 * change reaches too far for that (a base chain, a chain all services pass, another common mark) everything is compiled anew.
 */
import type { Node } from "../../packet/node.js";
import { insideMask } from "../../packet/prefix.js";
import { applyChanges, type Changes } from "../../ruleset/changes.js";
import { type ChangedChain, LiveRuleSet } from "../../ruleset/live.js";
import { error, ProblemError } from "../../ruleset/problem.js";
import type { ResolvedChain, ResolvedRule } from "../../ruleset/resolve.js";
import type { RuleSet } from "../../ruleset/types.js";
import type { ChainIndex } from "./chain-index.js";
import { type Columns, layOut } from "./columns.js";
import type { Plan } from "./compile.js";
import { Dependencies, type Dependent } from "./dependencies.js";
import { type Head, headOf } from "./head.js";
import { layOutServices, MarkCounts, type ServiceLayout } from "./layout.js";
import { indexChain, partition } from "./partition.js";
import { type Choices, pick } from "./pick.js";
import { prune, type Pruning } from "./prune.js";
import { destinationsOf, namings } from "./specialise/destinations.js";
import { type Specialised, Specialiser } from "./specialise/specialise.js";

/** What an update did. */
export interface UpdateReport {
  /** `full`: everything was compiled anew. */
  readonly kind: "incremental" | "full";
  /** Why it was a full one. */
  readonly reason?: string;
  /** Chains that changed, came or went. */
  readonly chains: number;
  /** Destinations that were worked out again. */
  readonly destinations: number;
}

/** Thrown inside where an update has to be a full one. */
class TooFar extends Error {}

export class UpdatablePlan implements Plan {
  resolved!: LiveRuleSet;
  pruned!: Pruning;
  columns!: Columns;
  indexes!: (ChainIndex | undefined)[];
  tables!: ServiceLayout;
  private specialiser!: Specialiser;
  private choices!: Choices;
  private dependencies!: Dependencies;
  private marks!: MarkCounts;
  private crowded = false;

  /** Throws ProblemError where the rule set has errors. */
  constructor(
    ruleset: RuleSet,
    readonly node: Node,
  ) {
    this.compile(new LiveRuleSet(ruleset));
  }

  /**
   * Applies changes, all or none: throws ProblemError where a change is of what is not there, or the changed rule set would have errors, and the
   * plan is then as it was.
   */
  update(changes: Changes): UpdateReport {
    this.checkPlaces(changes);
    const changed = this.resolved.apply(changes);
    let reason = "the changes are not of rules alone";
    if (changed !== undefined) {
      try {
        return { kind: "incremental", chains: changes.length, destinations: this.follow(changed) };
      } catch (thrown) {
        if (!(thrown instanceof TooFar)) throw thrown;
        reason = thrown.message;
      }
    }
    const { ruleset } = this.resolved;
    this.compile(new LiveRuleSet(changed === undefined ? applyChanges(ruleset, changes) : ruleset, this.resolved));
    return { kind: "full", reason, chains: changes.length, destinations: this.dependencies.size };
  }

  private checkPlaces(changes: Changes): void {
    for (const { family, table, name, chain } of changes) {
      const there = this.resolved.findTable(family, table);
      if (there === undefined)
        throw new ProblemError(error("unknown-table", `there is no table ${table} of family ${family}`));
      if (chain === undefined && this.resolved.findChain(there, name) === undefined)
        throw new ProblemError(error("unknown-chain", `there is no chain ${name} in table ${table} to take away`));
    }
  }

  /** The passes of compile.ts, with what later updates need kept. Nothing is replaced where the rule set has errors. */
  private compile(resolved: LiveRuleSet): void {
    const errors = resolved.problems.filter((problem) => problem.severity === "error");
    if (errors.length > 0) throw new ProblemError(...errors);
    this.resolved = resolved;
    this.pruned = prune(resolved);
    this.columns = layOut(resolved, this.pruned);
    this.indexes = partition(resolved, this.pruned);
    this.dependencies = new Dependencies();
    for (const destination of namings(this)) this.dependencies.add(destination).named++;
    this.specialiser = new Specialiser(this);
    this.marks = new MarkCounts();
    const services = [...this.dependencies].flatMap((dependent) => this.specialise(dependent) ?? []);
    const picked = pick(services);
    this.choices = picked.choices;
    this.tables = layOutServices(picked);
    this.crowded = this.tables.crowded || picked.picked.length < services.length;
  }

  /** Follows changed chains through the passes; gives how many destinations were worked out again. */
  private follow(changed: readonly ChangedChain[]): number {
    if (this.crowded) throw new TooFar("some services did not fit the tables, and others may fit now");
    const affected = new Set<Dependent>();
    const behindNat = changed.some(({ chain }) => this.specialiser.standsBehindNat(chain));
    for (const one of changed) this.addDependents(one, affected);
    const rewritten = new Set([...changed.map(({ chain }) => chain), ...this.pruned.change(changed)]);
    for (const { id } of rewritten) this.countNames(id, -1, affected);
    for (const chain of rewritten) this.rewrite(chain, affected);
    if (behindNat) this.specialiser.forget();
    for (const dependent of affected) this.workOut(dependent);
    const { markUnmarked, markMarked } = this.marks.most;
    if (markUnmarked !== this.tables.markUnmarked || markMarked !== this.tables.markMarked)
      throw new TooFar("most services leave with another mark now");
    this.tables.shrink();
    return affected.size;
  }

  /** Adds the destinations that may fare otherwise for the change of a chain. */
  private addDependents({ chain, before }: ChangedChain, affected: Set<Dependent>): void {
    const known = this.dependencies.of(chain.id);
    if (known !== "all") {
      for (const dependent of known) affected.add(dependent);
      return;
    }
    const heads = changedRules(before, chain.rules).map(({ rule }) => headOf(rule));
    if (heads.length > MOST_CHANGED_RULES)
      throw new TooFar(`many rules of ${chain.name} changed, which most services pass`);
    const mayMatch = (address: number, protocol: number, port: number): boolean =>
      heads.some((head) => headMayMatch(head, address, protocol, port));
    for (const dependent of this.dependencies) {
      const { address, protocol, port, service } = dependent;
      if (service === undefined || mayMatch(address, protocol, port)) affected.add(dependent);
      else if (service.backends.some((backend) => mayMatch(backend.address >>> 0, protocol, backend.port)))
        affected.add(dependent);
    }
    if (affected.size > MOST_AFFECTED && affected.size > this.dependencies.size / 4)
      throw new TooFar(`most services depend on what changed in ${chain.name}`);
  }

  private countNames(chain: number, by: 1 | -1, affected: Set<Dependent>): void {
    const { chainStart, chainEnd } = this.columns;
    for (let row = chainStart[chain] ?? 0; row < (chainEnd[chain] ?? 0); row++) {
      for (const destination of destinationsOf(row, this)) {
        const dependent = this.dependencies.add(destination);
        dependent.named += by;
        // Named for the first time, or perhaps for the last.
        if (dependent.named === 0 || dependent.named === by) affected.add(dependent);
      }
    }
  }

  /** Writes the rows of a chain and its hash tables anew. */
  private rewrite(chain: ResolvedChain, affected: Set<Dependent>): void {
    const { id } = chain;
    if (this.pruned.reached[id] === 1) {
      this.columns.write(chain);
      this.indexes[id] = indexChain(chain, this.pruned.shadowed);
      this.countNames(id, 1, affected);
    } else {
      this.columns.remove(id);
      this.indexes[id] = undefined;
    }
  }

  /** Works out a destination again, and puts what comes out in the place of what was there. */
  private workOut(dependent: Dependent): void {
    const before = dependent.service;
    if (before !== undefined) {
      this.marks.count(before, -1);
      this.tables.remove(dependent);
    }
    if (dependent.named === 0) {
      this.dependencies.remove(dependent);
      return;
    }
    const service = this.specialise(dependent);
    if (service === undefined) return;
    const choice = this.choices.take(service.thresholds);
    if (choice !== undefined) this.tables.put({ service, choice });
    if (choice === undefined || this.tables.crowded)
      throw new TooFar("there is no room for another choice or source test");
  }

  private specialise(dependent: Dependent): Specialised | undefined {
    const service = this.specialiser.one(dependent);
    dependent.service = service;
    if (service !== undefined) this.marks.count(service, 1);
    this.dependencies.follow(dependent, this.specialiser.trail);
    return service;
  }
}

/** In a chain that all services pass: more changed rules are not looked at one by one. */
const MOST_CHANGED_RULES = 64;
/** So many destinations are always worked out one by one; of more, at most a quarter of all. */
const MOST_AFFECTED = 1000;

/** The rules that are in one of two versions of a chain; those in both must stand in the same order. */
function changedRules(before: readonly ResolvedRule[], after: readonly ResolvedRule[]): ResolvedRule[] {
  const [old, now] = [new Set(before.map(({ id }) => id)), new Set(after.map(({ id }) => id))];
  const [stayed, stay] = [before.filter(({ id }) => now.has(id)), after.filter(({ id }) => old.has(id))];
  if (stayed.some(({ id }, i) => id !== stay[i]!.id))
    throw new TooFar("rules of a chain most services pass changed their order");
  return [...before.filter(({ id }) => !now.has(id)), ...after.filter(({ id }) => !old.has(id))];
}

/** Whether a packet to the destination may pass the head, whatever its source. */
function headMayMatch(
  { dst, protocol: wanted, dport }: Head,
  address: number,
  protocol: number,
  port: number,
): boolean {
  if (dst !== undefined && !insideMask(address, dst.value, dst.mask)) return false;
  if (wanted !== 0 && wanted !== protocol) return false;
  return dport === undefined || (port >= dport[0] && port <= dport[1]);
}
