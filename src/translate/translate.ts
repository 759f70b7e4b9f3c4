import type { Family } from "../packet/address.js";
import { error, type Problem, ProblemError, warning } from "../ruleset/problem.js";
import type { Chain, MapElement, Rule, RuleSet, Table, VerdictMapDefinition } from "../ruleset/types.js";
import { dataTypes } from "../syntax/nft/data-types.js";
import { arrange } from "../syntax/nft/elements.js";
import { renameElements } from "./actions.js";
import { checkDepth } from "./depth.js";
import { foldDraws } from "./fold-draws.js";
import { foldKeys } from "./fold-keys.js";
import type { MatchContext } from "./matches.js";
import { Names } from "./names.js";
import { Reach } from "./reach.js";
import { RecentSets, refuseSharedLists } from "./recent.js";
import { translateRule } from "./rules.js";

export interface TranslateOptions {
  /** No packet comes in or leaves by a bridge port: physdev is settled by that, and refused otherwise. */
  readonly withoutBridges?: boolean;
  /** Every rule stays a rule: nothing is folded into maps, and every rule keeps its counters. */
  readonly fold?: boolean;
}

/** An nftables rule set that decides every packet as the iptables rule set it was made of. */
export interface Translation {
  readonly ruleset: RuleSet;
  /** Warnings: what differs a little. */
  readonly problems: readonly Problem[];
  readonly rules: number;
  /** Rules that became elements of verdict maps, and of even choices. */
  readonly inMaps: number;
  readonly inChoices: number;
}

/**
 * Compiles an iptables rule set (tables of one family, as iptables-save gives them) into nftables: each table one table of the same name, each
 * built-in chain a base chain of its hook and priority, runs of rules for single addresses and ports verdict maps, even choices one draw, and
 * the rest rule by rule. Throws ProblemError, with its line, where something has no counterpart.
 */
export function translate(ruleset: RuleSet, options: TranslateOptions = {}): Translation {
  refuseSharedLists(ruleset.tables);
  const tables = ruleset.tables.map((table) => new TableTranslation(table, options));
  const sum = (of: (table: TableTranslation) => number): number =>
    tables.reduce((total, table) => total + of(table), 0);
  return {
    ruleset: { tables: tables.map((table) => table.result) },
    problems: tables.flatMap((table) => table.problems),
    rules: sum((table) => table.rules),
    inMaps: sum((table) => table.inMaps),
    inChoices: sum((table) => table.inChoices),
  };
}

class TableTranslation {
  readonly result: Table;
  readonly problems: Problem[] = [];
  rules = 0;
  inMaps = 0;
  inChoices = 0;
  private readonly names: Names;

  constructor(
    private readonly table: Table,
    private readonly options: TranslateOptions,
  ) {
    const { family, name } = table;
    if (family === "inet" || table.sets.length > 0 || table.maps.length > 0)
      throw new ProblemError(error("not-iptables", `table ${family} ${name} is an nftables table already`, table.span));
    this.names = new Names(table.chains.map((chain) => chain.name));
    const recent = new RecentSets(table, family, this.names);
    const chains: Chain[] = [];
    const maps: VerdictMapDefinition[] = [];
    const reach = new Reach(table);
    for (const chain of table.chains) {
      const folded = this.fold(chain, family, reach);
      maps.push(...folded.maps);
      for (const one of [folded.chain, ...folded.own])
        chains.push(this.translateChain(one, { family, recent, withoutBridges: options.withoutBridges === true }));
    }
    const renamed = maps.map((map) => ({ ...map, elements: arranged(map, renameElements(map.elements, this.names)) }));
    checkDepth(chains, renamed, table);
    this.problems.push(...recent.warnings());
    this.warnOfCounters();
    this.result = { family, name, chains, sets: recent.sets(), maps: renamed };
  }

  private fold(
    chain: Chain,
    family: Family,
    reach: Reach,
  ): { chain: Chain; own: readonly Chain[]; maps: readonly VerdictMapDefinition[] } {
    this.rules += chain.rules.length;
    if (this.options.fold === false) return { chain, own: [], maps: [] };
    const drawn = foldDraws(chain, reach, this.names);
    const keyed = foldKeys(drawn.chain, family, this.names);
    this.inChoices += drawn.folded;
    this.inMaps += keyed.folded;
    return {
      chain: { ...chain, rules: keyed.rules },
      own: keyed.chains,
      maps: drawn.map === undefined ? keyed.maps : [...keyed.maps, drawn.map],
    };
  }

  private translateChain({ name, base, rules, span }: Chain, context: Omit<MatchContext, "rule">): Chain {
    return {
      name: this.names.chain(name),
      ...(base === undefined ? {} : { base }),
      rules: rules.flatMap((rule) => translateRule(rule, { ...context, rule }, this.names)),
      ...(span === undefined ? {} : { span }),
    };
  }

  private warnOfCounters(): void {
    const counted = (rule: Rule): boolean => rule.counters !== undefined && rule.counters.packets > 0;
    const lost = this.inMaps + this.inChoices;
    if (lost === 0 || !this.table.chains.some(({ rules }) => rules.some(counted))) return;
    const message = `table ${this.table.name}: the counters of ${lost} rules that became elements of maps are left out; --no-fold keeps them`;
    this.problems.push(warning("counters-left-out", message));
  }
}

/** In the order nft lists them. */
function arranged({ type }: VerdictMapDefinition, elements: readonly MapElement[]): MapElement[] {
  return arrange(
    elements,
    type.map((name) => dataTypes[name]),
    "hash",
    false,
  );
}
