import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule, Statement, Table } from "../ruleset/types.js";

/** What is known of the packets that come to the chains of one table. */
export class Reach {
  private readonly chains: ReadonlyMap<string, Chain>;
  /** Protocols of the packets that come to a chain; null: any. A chain that is not in it is not reached. */
  private readonly protocols = new Map<string, ReadonlySet<number> | null>();
  private readonly decisions = new Map<string, boolean>();

  constructor(table: Table) {
    this.chains = new Map(table.chains.map((chain) => [chain.name, chain]));
    const todo: string[] = [];
    for (const { name, base } of table.chains)
      if (base !== undefined) {
        this.protocols.set(name, null);
        todo.push(name);
      }
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const coming = this.protocols.get(name)!;
      for (const rule of this.chains.get(name)!.rules) {
        const target = jumpOf(rule)?.chain;
        if (target === undefined || !this.chains.has(target)) continue;
        const named = protocolOf(rule);
        if (named !== undefined && coming !== null && !coming.has(named)) continue;
        if (this.add(target, named === undefined ? coming : new Set([named]))) todo.push(target);
      }
    }
  }

  /** Whether that is more than was known. */
  private add(chain: string, more: ReadonlySet<number> | null): boolean {
    const known = this.protocols.get(chain);
    if (known === null) return false;
    if (known !== undefined && more !== null && [...more].every((one) => known.has(one))) return false;
    this.protocols.set(chain, more === null ? null : new Set([...(known ?? []), ...more]));
    return true;
  }

  /** Whether every packet that comes to the chain gets its verdict or its translation there, and none returns to the caller. */
  decides(name: string): boolean {
    const known = this.decisions.get(name);
    if (known !== undefined) return known;
    this.decisions.set(name, false); // a loop of jumps never ends, but the kernel refuses it anyway
    const chain = this.chains.get(name);
    const decided = chain !== undefined && chain.base === undefined && this.decidesByRules(chain);
    this.decisions.set(name, decided);
    return decided;
  }

  private decidesByRules({ name, rules }: Chain): boolean {
    const coming = this.protocols.get(name);
    if (coming === undefined) return false; // no packet comes there
    for (const { statements } of rules) {
      const last = statements[statements.length - 1];
      if (last?.kind === "return" || last?.kind === "opaque-target") return false;
      if (last?.kind === "goto" && !this.decides(last.chain)) return false;
      const ends =
        last !== undefined &&
        (TERMINAL.has(last.kind) || last.kind === "goto" || (last.kind === "jump" && this.decides(last.chain)));
      if (ends && statements.slice(0, -1).every((one) => holdsForAll(one, coming))) return true;
    }
    return false;
  }
}

const TERMINAL: ReadonlySet<string> = new Set(["accept", "drop", "reject", "dnat", "snat", "masquerade", "redirect"]);

/** Whether every packet of these protocols passes the statement. */
function holdsForAll(statement: Statement, protocols: ReadonlySet<number> | null): boolean {
  if (statement.kind === "comment" || statement.kind === "accounting") return true;
  if (statement.kind === "recent") return statement.action === "set" && !statement.negate;
  const named = protocolSaid(statement);
  return named !== undefined && protocols !== null && [...protocols].every((protocol) => protocol === named);
}

/** The protocol a statement asks for and nothing else. */
function protocolSaid(statement: Statement): number | undefined {
  if (statement.kind === "protocol") return statement.negate ? undefined : statement.protocol;
  if (statement.kind !== "transport" || statement.protocol === null) return undefined;
  const { sport, dport, flags, protocol } = statement;
  return sport === undefined && dport === undefined && flags === undefined ? protocol : undefined;
}

function protocolOf({ statements }: Rule): number | undefined {
  for (const one of statements) if (one.kind === "protocol" && !one.negate) return one.protocol;
  return undefined;
}
