/** The one shape of every match and target file in matches/ and targets/: what may stand in the text, parse, print. */
import type { Family } from "../../packet/address.js";
import type { Action, Match, Statement, Verdict } from "../../ruleset/types.js";

/** Something in the input that is not right. Thrown while a line is read; the reader makes it a Problem. */
export class BadInput extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** Offset into the text. */
    readonly at: number,
  ) {
    super(message);
  }
}

/** What an option looks like. */
export interface OptionSpec {
  /** Words that follow it. */
  readonly values: 0 | 1 | 2;
  /** `!` may stand before it. */
  readonly negate?: true;
  /** iptables knows it, the language in the middle does not: the whole match or target is kept as an opaque statement. */
  readonly opaque?: true;
  /** The spelling parse() is to see, where this is another name of an option. */
  readonly as?: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** An option as it was used. */
export interface OptionUse {
  readonly name: string;
  readonly negate: boolean;
  /** Unquoted. */
  readonly values: readonly string[];
  /** Offset of its first value, or of the option where it has none. */
  readonly at: number;
}

/** All options of one `-m` or `-j`, each at most once. */
export class Options {
  constructor(
    /** The module or target as written. */
    readonly module: string,
    readonly family: Family,
    private readonly uses: readonly OptionUse[],
    /** Offset of the module's name. */
    readonly at: number,
  ) {}

  get(name: string): OptionUse | undefined {
    for (const use of this.uses) if (use.name === name) return use;
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  require(name: string): OptionUse {
    return this.get(name) ?? this.fail("missing-option", `${this.module} needs the option ${name}`);
  }

  /** The only one used of several that exclude each other. */
  oneOf(names: readonly string[]): OptionUse {
    const used = this.uses.filter((use) => names.includes(use.name));
    if (used.length === 0) this.fail("missing-option", `${this.module} needs one of ${names.join(", ")}`);
    if (used.length > 1)
      this.fail("conflicting-options", `${used[0]!.name} and ${used[1]!.name} cannot be used together`, used[1]);
    return used[0]!;
  }

  /** In the order written. */
  all(): readonly OptionUse[] {
    return this.uses;
  }

  fail(code: string, message: string, use?: OptionUse): never {
    throw new BadInput(code, message, use?.at ?? this.at);
  }
}

/** A match: which `-m` names spell it, with which options; text to statement and back. */
export interface MatchSyntax<M extends Match = Match> {
  readonly kind: M["kind"];
  readonly modules: Readonly<Record<string, OptionSpecs>>;
  /** Undefined where the language in the middle cannot say it: the match is kept as an opaque statement. */
  parse(options: Options): Match | readonly Match[] | undefined;
  /** As iptables-save prints it, from ` -m` on with the blank before it. */
  print(match: M): string;
}

/** A target: which `-j` names spell it, with which options; text to statement and back. */
export interface TargetSyntax<T extends Action | Verdict = Action | Verdict> {
  readonly kind: T["kind"];
  readonly targets: Readonly<Record<string, OptionSpecs>>;
  /** Undefined as in MatchSyntax. */
  parse(options: Options): Action | Verdict | undefined;
  /** From ` -j` (or ` -g`) on with the blank before it. */
  print(target: T): string;
}

export type StatementOf<K extends Statement["kind"]> = Extract<Statement, { readonly kind: K }>;

export const NO_OPTIONS: OptionSpecs = {};
