/** Chains, sets and maps by name: what rules and elements refer to. What is not there is a problem. */
import { error, type Problem, warning } from "./problem.js";
import type {
  BaseChain,
  Expression,
  MapDefinition,
  MapElement,
  Rule,
  SetDefinition,
  Span,
  Statement,
  Table,
  VerdictMap,
  VerdictMapDefinition,
} from "./types.js";

/** What is asked of a chain here. */
interface NamedChain {
  readonly base: BaseChain | undefined;
}

export class Names<C extends NamedChain> {
  private readonly sets = new Map<Table, Map<string, SetDefinition>>();
  private readonly maps = new Map<Table, Map<string, MapDefinition>>();
  /** The chains that named verdict maps lead to. */
  private readonly reached = new Map<MapDefinition, readonly C[]>();

  constructor(
    tables: readonly Table[],
    private readonly chains: ReadonlyMap<Table, ReadonlyMap<string, C>>,
    private readonly problems: Problem[],
  ) {
    for (const table of tables) {
      this.sets.set(table, new Map(table.sets.map((set) => [set.name, set])));
      this.maps.set(table, new Map(table.maps.map((map) => [map.name, map])));
      for (const map of table.maps) if (map.value === "verdict") this.ofMap(table, map);
    }
  }

  set(table: Table, name: string): SetDefinition | undefined {
    return this.sets.get(table)?.get(name);
  }

  map(table: Table, name: string): MapDefinition | undefined {
    return this.maps.get(table)?.get(name);
  }

  /** The chain a jump leads to. */
  chain(table: Table, name: string, span: Span | undefined): C | undefined {
    const target = this.chains.get(table)!.get(name);
    if (target === undefined) this.problems.push(undefinedChain(table, name, span));
    else if (target.base !== undefined)
      this.problems.push(error("jump-to-base-chain", `${name} is a base chain: a rule cannot jump to it`, span));
    return target;
  }

  /** The chains the verdict map of a rule leads to. Looks for every set and map the rule names. */
  ofRule(table: Table, rule: Rule): readonly C[] {
    let targets: readonly C[] = [];
    for (const statement of rule.statements) {
      if (statement.kind === "verdict-map") targets = this.ofVerdictMap(table, statement, rule.span);
      else this.look(table, statement, rule.span);
    }
    return targets;
  }

  private ofVerdictMap(table: Table, { map }: VerdictMap, span: Span | undefined): readonly C[] {
    if (typeof map !== "string") return this.ofElements(table, map, span);
    const found = this.map(table, map);
    if (found?.value === "verdict") return this.ofMap(table, found);
    this.problems.push(
      found === undefined
        ? undefinedSet(table, map, "map", span)
        : error("wrong-type", `the map ${map} holds values, not verdicts`, span),
    );
    return [];
  }

  private look(table: Table, statement: Statement, span: Span | undefined): void {
    if (statement.kind === "lookup" && typeof statement.set === "string") {
      if (this.set(table, statement.set) === undefined)
        this.problems.push(undefinedSet(table, statement.set, "set", span));
    } else if (statement.kind === "set-update") {
      if (this.set(table, statement.set) === undefined && this.map(table, statement.set) === undefined)
        this.problems.push(undefinedSet(table, statement.set, "set", span));
    } else if (statement.kind === "assign") this.lookForMap(table, statement.value, span);
    else if ("mapped" in statement && statement.mapped !== undefined) {
      this.lookForMap(table, statement.mapped.addresses, span);
      this.lookForMap(table, statement.mapped.ports, span);
    }
  }

  private lookForMap(table: Table, expression: Expression | undefined, span: Span | undefined): void {
    if (expression?.kind !== "map" || typeof expression.map !== "string") return;
    if (this.map(table, expression.map) === undefined)
      this.problems.push(undefinedSet(table, expression.map, "map", span));
  }

  private ofMap(table: Table, map: VerdictMapDefinition): readonly C[] {
    let chains = this.reached.get(map);
    if (chains === undefined) this.reached.set(map, (chains = this.ofElements(table, map.elements, map.span)));
    return chains;
  }

  private ofElements(table: Table, elements: readonly MapElement[], span: Span | undefined): readonly C[] {
    const chains = new Set<C>();
    for (const { verdict, span: at } of elements) {
      if (verdict.kind !== "jump" && verdict.kind !== "goto") continue;
      const target = this.chain(table, verdict.chain, at ?? span);
      if (target !== undefined) chains.add(target);
    }
    return [...chains];
  }
}

function undefinedChain(table: Table, name: string, span: Span | undefined): Problem {
  const message = `chain ${name} is not defined in table ${table.name}`;
  if (table.partial === true)
    return warning("undefined-chain", `${message}; a walk that reaches this rule stops here`, span);
  const hint = isXtables(table) ? `; define it with a ":${name} - [0:0]" line` : "";
  return error("undefined-chain", `${message}${hint}`, span);
}

function undefinedSet(table: Table, name: string, kind: "set" | "map", span: Span | undefined): Problem {
  return error(`undefined-${kind}`, `the ${kind} ${name} is not defined in table ${table.name}`, span);
}

/** A table of iptables: named as one, its base chains too. */
export function isXtables(table: Table): boolean {
  if (!["raw", "mangle", "nat", "filter", "security"].includes(table.name) || table.family === "inet") return false;
  return table.chains.every((chain) => chain.base === undefined || /^[A-Z]+$/.test(chain.name));
}
