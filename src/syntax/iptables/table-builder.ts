import type { Family } from "../../packet/address.js";
import type { Chain, Rule, Span, Table } from "../../ruleset/types.js";
import { builtinBase, isBuiltinName, tablesWith } from "./builtin.js";
import { BadInput } from "./module.js";
import { type ChainNames, ZERO_COUNTERS } from "./rule-reader.js";

/** A chain whose rules are still being added. */
export type OpenChain = Omit<Chain, "rules"> & { readonly rules: Rule[] };

/** A table while its lines are read. */
export class TableBuilder implements ChainNames {
  before: readonly string[] = [];
  after: readonly string[] = [];
  private readonly chains: OpenChain[] = [];
  private readonly byName = new Map<string, OpenChain>();
  private last: OpenChain | undefined;

  constructor(
    private readonly family: Family,
    readonly name: string,
    private readonly span: Span,
    /** Read from a bare listing. */
    private readonly partial: boolean,
  ) {}

  declared(name: string): string | undefined {
    return this.byName.get(name)?.name;
  }

  /** Adds a chain; throws BadInput where there is one of its name. */
  declare(chain: Chain, at: number): void {
    if (this.byName.has(chain.name))
      throw new BadInput("duplicate-chain", `chain ${chain.name} is declared twice in table ${this.name}`, at);
    this.add({ ...chain, rules: [] });
  }

  private add(chain: OpenChain): OpenChain {
    this.chains.push(chain);
    this.byName.set(chain.name, chain);
    return chain;
  }

  /**
   * The chain a rule is added to, by its name in the text. A built-in chain need not be declared, nor need any chain in a listing;
   * a save file must declare all others.
   */
  chainOf(text: string, from: number, to: number, line: number): OpenChain {
    if (this.last !== undefined && this.last.name.length === to - from && text.startsWith(this.last.name, from))
      return this.last;
    const name = text.slice(from, to);
    return (this.last = this.byName.get(name) ?? this.implied(name, from, line));
  }

  private implied(name: string, at: number, line: number): OpenChain {
    const base = builtinBase(this.name, name, "accept");
    if (base === undefined && this.partial && isBuiltinName(name)) throw this.notBuiltin(name, at);
    if (base === undefined && !this.partial)
      throw new BadInput(
        "undefined-chain",
        `chain ${name} is not declared: a line ":${name} - [0:0]" must come before its rules`,
        at,
      );
    const counters = this.partial ? {} : { counters: ZERO_COUNTERS };
    return this.add({ name, ...(base && { base }), rules: [], ...counters, span: { line, column: 1 } });
  }

  /** What is wrong with a built-in chain of another table in a listing. */
  notBuiltin(name: string, at: number): BadInput {
    const tables = tablesWith(name);
    const where = tables.length === 0 ? "of no table" : `only of ${tables.join(", ")}`;
    return new BadInput(
      "wrong-table",
      `${name} is not a built-in chain of table ${this.name}, ${where}: name the listing's table`,
      at,
    );
  }

  finish(): Table {
    return {
      family: this.family,
      name: this.name,
      chains: this.chains,
      sets: [],
      maps: [],
      ...(this.before.length + this.after.length > 0 && { remarks: { before: this.before, after: this.after } }),
      ...(this.partial && { partial: true as const }),
      span: this.span,
    };
  }
}
