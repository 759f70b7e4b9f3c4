import type { Family } from "../../packet/address.js";
import type { Chain, Rule, Span, Table } from "../../ruleset/types.js";
import { builtinBase, isBuiltinName, tablesWith } from "./builtin.js";
import { ChainIndex, type OpenChain } from "./chain-index.js";
import { ZERO_COUNTERS } from "./counters.js";
import { BadInput } from "./module.js";
import type { ChainNames } from "./rule-modules.js";
import type { Tokens } from "./tokens.js";

/** A table while its lines are read. */
export class TableBuilder implements ChainNames {
  before: readonly string[] = [];
  after: readonly string[] = [];
  private readonly chains: ChainIndex;

  constructor(
    private readonly family: Family,
    readonly name: string,
    private readonly span: Span,
    /** Read from a bare listing. */
    private readonly partial: boolean,
    private readonly tokens: Tokens,
  ) {
    this.chains = new ChainIndex(tokens);
  }

  declared(word: number): string | undefined {
    return this.chains.find(word)?.name;
  }

  /** Adds a chain without rules yet, whose name stands at an offset; throws BadInput where there is one of its name. */
  declare(chain: Chain, at: number): void {
    if (this.chains.findAt(at, chain.name.length) !== undefined)
      throw new BadInput("duplicate-chain", `chain ${chain.name} is declared twice in table ${this.name}`, at);
    this.add(chain as OpenChain, at);
  }

  private add(chain: OpenChain, at: number): OpenChain {
    this.chains.add(chain, at);
    return chain;
  }

  /**
   * The chain a rule is added to, by the word that names it. A built-in chain need not be declared, nor need any chain in a listing;
   * a save file must declare all others.
   */
  chainOf(word: number, line: number): OpenChain {
    const { tokens } = this;
    if (tokens.isQuoted(word))
      throw new BadInput("bad-chain", "the name of a chain stands without quotes", tokens.start[word]!);
    return this.chains.find(word) ?? this.implied(tokens.word(word), tokens.start[word]!, line);
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
    return this.add({ name, ...(base && { base }), rules: [], ...counters, span: { line, column: 1 } }, at);
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
      chains: this.chains.chains.map(trim),
      sets: [],
      maps: [],
      ...(this.before.length + this.after.length > 0 && { remarks: { before: this.before, after: this.after } }),
      ...(this.partial && { partial: true as const }),
      span: this.span,
    };
  }
}

/** Lists of rules grow by leaps: most chains are short, and what they leave free would be a tenth of a dump's memory. */
function trim(chain: OpenChain): Chain {
  (chain as { rules: readonly Rule[] }).rules = chain.rules.length === 0 ? NO_RULES : chain.rules.slice();
  return chain;
}

const NO_RULES: readonly Rule[] = [];
