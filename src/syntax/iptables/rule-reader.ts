/** One line that adds a rule, from text to statements. */
import type { Family } from "../../packet/address.js";
import type { Counters, ProtocolMatch, Statement } from "../../ruleset/types.js";
import { ClauseCache, type Read } from "./clause-cache.js";
import { HEADER_PLACES, type HeaderOption, longOptions, parseHeader } from "./header.js";
import { parseCounters } from "./counters.js";
import { BadInput } from "./module.js";
import { missingProtocol } from "./protocol-check.js";
import { type ChainNames, RuleModules } from "./rule-modules.js";
import type { Tokens } from "./tokens.js";

const code = (letter: string): number => letter.charCodeAt(0);
const HEADER = new Set([..."sdiop"].map(code));
const [MATCH, JUMP, GOTO, FRAGMENT, COUNTERS, V4, V6] = [..."mjgfc46"].map(code) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
/** headerPlace of a protocol match. */
const PROTOCOL_PLACE = 4;
/** Reads the words of a rule after `-A CHAIN`. One reader serves a whole text; it keeps its last result. */
export class RuleReader {
  /** The statements of the rules the line makes: more than one list where an option held several addresses. */
  rules: Statement[][] = [];
  /** Given by `-c`. */
  counters: Counters | undefined;
  /** The line is for the other family (`-4`, `-6`): iptables leaves it out. */
  foreign = false;

  private readonly cache: ClauseCache;
  private readonly header: (readonly Statement[] | undefined)[] = Array.from({ length: HEADER_PLACES });
  /** The statements of the rule being read; longer than they are many. */
  private readonly scratch: Statement[] = [];
  private readonly modules: RuleModules;
  /** Index of a `!` that waits for its option, or -1. */
  private negation = -1;

  constructor(
    private readonly tokens: Tokens,
    private readonly family: Family,
    chains: ChainNames,
  ) {
    this.cache = new ClauseCache(tokens);
    this.modules = new RuleModules(tokens, this.cache, chains);
  }

  /** Goes over to another table. */
  enter(chains: ChainNames): void {
    this.modules.enter(chains);
    this.cache.clear();
  }

  /** Reads the words from an index on. Throws BadInput. */
  read(from: number): void {
    const { tokens } = this;
    this.header.fill(undefined);
    this.modules.reset();
    this.counters = undefined;
    this.foreign = false;
    this.negation = -1;
    for (let i = from; i < tokens.count;) {
      if (this.negation < 0 && tokens.isNegation(i)) {
        this.negation = i++;
        continue;
      }
      const letter = tokens.isQuoted(i) ? 0 : this.letterOf(i);
      if (letter !== 0) i = this.ruleOption(letter, i);
      else if (this.modules.isOpaque()) i = this.modules.current!.take(this.first(i), i + 1);
      else if (tokens.isLongOption(i) && !tokens.isQuoted(i))
        i = this.modules.option(i, this.negation, this.protocol());
      else
        throw new BadInput(
          "stray-argument",
          `"${tokens.word(i)}" stands where an option should: is a quote missing?`,
          tokens.start[i]!,
        );
      this.negation = -1;
    }
    if (this.negation >= 0)
      throw new BadInput("stray-negation", "`!` must stand before an option", tokens.start[this.negation]!);
    this.finish();
  }

  /** The letter of an option of the rule itself, whichever way it is spelled; 0 for any other word. */
  private letterOf(i: number): number {
    const letter = this.tokens.shortOption(i);
    if (letter !== 0 || !this.tokens.isLongOption(i)) return letter;
    if (this.modules.current?.module?.options.has(this.tokens.word(i)) === true) return 0;
    return longOptions.get(this.tokens.word(i))?.charCodeAt(0) ?? 0;
  }

  private protocol(): ProtocolMatch | undefined {
    return this.header[PROTOCOL_PLACE]?.[0] as ProtocolMatch | undefined;
  }

  private first(i: number): number {
    return this.negation >= 0 ? this.negation : i;
  }

  private ruleOption(letter: number, i: number): number {
    if (HEADER.has(letter)) return this.headerOption(letter, i, 2);
    if (letter === FRAGMENT) return this.headerOption(letter, i, 1);
    if (this.negation >= 0)
      throw new BadInput(
        "stray-negation",
        `\`!\` cannot stand before -${String.fromCharCode(letter)}`,
        this.tokens.start[this.negation]!,
      );
    switch (letter) {
      case MATCH:
        return this.modules.openMatch(i);
      case JUMP:
      case GOTO:
        return this.modules.openTarget(i, letter === GOTO);
      case COUNTERS:
        this.counters = parseCounters(this.tokens.value(i, 1), this.tokens.value(i, 2), this.tokens.start[i]!);
        this.modules.current = undefined;
        return i + 3;
      case V4:
      case V6:
        this.foreign ||= (letter === V4) !== (this.family === "ip");
        this.modules.current = undefined;
        return i + 1;
    }
    throw new BadInput(
      "unknown-option",
      `-${String.fromCharCode(letter)} cannot stand in a rule`,
      this.tokens.start[i]!,
    );
  }

  private headerOption(letter: number, i: number, words: number): number {
    const from = this.first(i);
    let to = i + words;
    this.modules.current = undefined;
    let statements = (to <= this.tokens.count ? this.cache.get(from, to) : undefined) as
      readonly Statement[] | undefined;
    if (statements === undefined) {
      const option = String.fromCharCode(letter) as HeaderOption;
      let value = words === 1 ? "" : this.tokens.value(i, 1);
      let negate = this.negation >= 0;
      if (words === 2 && !negate && this.tokens.isNegation(i + 1)) {
        value = this.tokens.value(i, 2); // `-s ! ADDRESS`, as iptables before 1.4.3 printed it
        negate = true;
        to++;
      }
      statements = parseHeader(option, value, negate, this.family, this.tokens.start[to - 1]!);
      this.cache.set(from, to, statements);
    }
    const place = letterPlace(letter);
    if (this.header[place] !== undefined)
      throw new BadInput(
        "duplicate-option",
        `-${String.fromCharCode(letter)} stands twice in the rule`,
        this.tokens.start[i]!,
      );
    this.header[place] = statements;
    return to;
  }

  private finish(): void {
    const { scratch } = this;
    let size = 0;
    let lists = false;
    for (const statements of this.header) {
      if (statements === undefined || statements.length === 0) continue;
      if (statements.length > 1) lists = true;
      scratch[size++] = statements[0]!;
    }
    const protocol = this.protocol();
    const { instances, used } = this.modules;
    const headerSize = size;
    let target: Read | undefined;
    for (let k = 0; k < used; k++) {
      const instance = instances[k]!;
      const read = instance.finish(this.family);
      const wrong = isList(read) ? undefined : missingProtocol(read, protocol);
      if (wrong !== undefined) throw new BadInput("needs-protocol", wrong, instance.place());
      if (instance.isCacheable()) this.cache.set(instance.from, instance.end, read);
      if (instance.isTarget) target = read;
      else size = append(scratch, size, read);
    }
    if (target !== undefined) size = append(scratch, size, target);
    this.rules = lists ? this.products(scratch.slice(headerSize, size)) : [scratch.slice(0, size)];
  }

  /** The rules a line with lists of addresses makes: every combination of them. */
  private products(rest: readonly Statement[]): Statement[][] {
    let headers: Statement[][] = [[]];
    for (const statements of this.header) {
      if (statements === undefined || statements.length === 0) continue;
      headers = headers.flatMap((header) => statements.map((statement) => [...header, statement]));
    }
    return headers.map((header) => [...header, ...rest]);
  }
}

function isList(read: Read): read is readonly Statement[] {
  return Array.isArray(read);
}

function append(to: Statement[], size: number, read: Read): number {
  if (!isList(read)) to[size++] = read;
  else for (const statement of read) to[size++] = statement;
  return size;
}

function letterPlace(letter: number): number {
  return "sdiopf".indexOf(String.fromCharCode(letter));
}
