/** One line that adds a rule, from text to statements. */
import type { Family } from "../../packet/address.js";
import { TCP, UDP, SCTP, ICMP, ICMPV6 } from "../../packet/protocol.js";
import type { Counters, ProtocolMatch, Statement } from "../../ruleset/types.js";
import { ClauseCache, type Read } from "./clause-cache.js";
import { HEADER_PLACES, type HeaderOption, longOptions, parseHeader } from "./header.js";
import { Instance } from "./instance.js";
import { BadInput } from "./module.js";
import { missingProtocol } from "./protocol-check.js";
import { foreignTargets, matchModules, targetModules } from "./registry.js";
import type { Tokens } from "./tokens.js";

/** What the rule reader must know of the table around it. */
export interface ChainNames {
  /** The table's own string for the chain that a word of the line names, if it is declared so far. */
  declared(word: number): string | undefined;
}

/** The module that `-p` brings in by itself when an option of it is met, for protocols that have one. */
const implicitModules: ReadonlyMap<number, string> = new Map([
  [TCP, "tcp"],
  [UDP, "udp"],
  [SCTP, "sctp"],
  [ICMP, "icmp"],
  [ICMPV6, "icmp6"],
  [33, "dccp"],
  [50, "esp"],
  [51, "ah"],
  [108, "ipcomp"],
  [135, "mh"],
]);

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
/** Letters that end the options of an unknown match or target. */
const ENDS = new Uint8Array(128);
for (const letter of "sdiopmjgfcAI46") ENDS[code(letter)] = 1;

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
  private readonly instances: Instance[] = [];
  private used = 0;
  private current: Instance | undefined;
  private target: Instance | undefined;
  /** Index of a `!` that waits for its option, or -1. */
  private negation = -1;

  constructor(
    private readonly tokens: Tokens,
    private readonly family: Family,
    private chains: ChainNames,
  ) {
    this.cache = new ClauseCache(tokens);
  }

  /** Goes over to another table. */
  enter(chains: ChainNames): void {
    this.chains = chains;
    this.cache.clear();
  }

  /** Reads the words from an index on. Throws BadInput. */
  read(from: number): void {
    const { tokens } = this;
    this.header.fill(undefined);
    this.used = 0;
    this.current = undefined;
    this.target = undefined;
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
      else if (this.isOpaque()) i = this.current!.take(this.first(i), i + 1);
      else if (tokens.isLongOption(i) && !tokens.isQuoted(i)) i = this.moduleOption(i);
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

  /** Whether the words here belong to a match or target that is not known. */
  private isOpaque(): boolean {
    return this.current !== undefined && this.current.module === undefined;
  }

  /** The letter of an option of the rule itself, whichever way it is spelled; 0 for any other word. */
  private letterOf(i: number): number {
    const letter = this.tokens.shortOption(i);
    if (letter !== 0 || !this.tokens.isLongOption(i)) return letter;
    if (this.current?.module?.options.has(this.tokens.word(i)) === true) return 0;
    return longOptions.get(this.tokens.word(i))?.charCodeAt(0) ?? 0;
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
        return this.openMatch(i);
      case JUMP:
      case GOTO:
        return this.openTarget(i, letter);
      case COUNTERS:
        this.counters = parseCounters(this.value(i, 1), this.value(i, 2), this.tokens.start[i]!);
        this.current = undefined;
        return i + 3;
      case V4:
      case V6:
        this.foreign ||= (letter === V4) !== (this.family === "ip");
        this.current = undefined;
        return i + 1;
    }
    throw new BadInput(
      "unknown-option",
      `-${String.fromCharCode(letter)} cannot stand in a rule`,
      this.tokens.start[i]!,
    );
  }

  private value(i: number, n: number): string {
    if (i + n >= this.tokens.count)
      throw new BadInput("missing-value", `${this.tokens.word(i)} needs a value`, this.tokens.start[i]!);
    return this.tokens.word(i + n);
  }

  private headerOption(letter: number, i: number, words: number): number {
    const from = this.first(i);
    let to = i + words;
    this.current = undefined;
    let statements = (to <= this.tokens.count ? this.cache.get(from, to) : undefined) as
      readonly Statement[] | undefined;
    if (statements === undefined) {
      const option = String.fromCharCode(letter) as HeaderOption;
      let value = words === 1 ? "" : this.value(i, 1);
      let negate = this.negation >= 0;
      if (words === 2 && !negate && this.tokens.isNegation(i + 1)) {
        value = this.value(i, 2); // `-s ! ADDRESS`, as iptables before 1.4.3 printed it
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

  private open(name: string | undefined, isTarget: boolean): Instance {
    let instance = this.instances[this.used];
    if (instance === undefined) this.instances.push((instance = new Instance(this.tokens)));
    this.used++;
    instance.reset(name, isTarget);
    return (this.current = instance);
  }

  /** Index after the words that may belong to the match or target at i, when its options follow it at once. */
  private clauseEnd(i: number): number {
    const { tokens } = this;
    let k = i + 2;
    for (; k < tokens.count; k++) {
      const letter = tokens.shortOption(k);
      if (letter !== 0 && letter < 128 && ENDS[letter] === 1) break;
    }
    if (k < tokens.count && k > i + 2 && tokens.isNegation(k - 1)) k--;
    return Math.min(k, tokens.count);
  }

  private openMatch(i: number): number {
    const end = this.clauseEnd(i);
    const cached = this.cache.get(i, end);
    if (cached !== undefined) {
      this.open(undefined, false).resume(i, end, cached);
      this.current = undefined;
      return end;
    }
    const name = this.value(i, 1);
    const instance = this.open(name, false);
    instance.module = matchModules.get(name);
    instance.begin(i, end);
    return i + 2;
  }

  private openTarget(i: number, letter: number): number {
    if (this.target !== undefined)
      throw new BadInput(
        "duplicate-option",
        "a rule has one target: a second -j or -g cannot stand in it",
        this.tokens.start[i]!,
      );
    const end = this.clauseEnd(i);
    const cached = this.cache.get(i, end);
    if (cached !== undefined) {
      this.target = this.open(undefined, true);
      this.target.resume(i, end, cached);
      this.current = undefined;
      return end;
    }
    const name = this.value(i, 1);
    const instance = (this.target = this.open(name, true));
    instance.begin(i, end);
    instance.module = letter === GOTO ? undefined : targetModules.get(name);
    if (instance.module !== undefined) return i + 2;
    const declared = this.chains.declared(i + 1);
    if (letter === GOTO || declared !== undefined || !foreignTargets.has(name)) {
      instance.chain = { kind: letter === GOTO ? "goto" : "jump", chain: declared ?? name };
      instance.declared = declared !== undefined || letter === GOTO;
      this.current = undefined;
    }
    return i + 2;
  }

  /** Finds the match or target that an option belongs to: the last opened that knows it, as in iptables. */
  private moduleOption(i: number): number {
    const { tokens } = this;
    const name = tokens.word(i);
    const equals = name.indexOf("=");
    if (equals > 0)
      throw new BadInput(
        "unknown-option",
        `write "${name.slice(0, equals)} ${name.slice(equals + 1)}": a value stands after a blank`,
        tokens.start[i]!,
      );
    if (this.current?.knows(name) === true) return this.current.option(name, this.negation, i);
    for (let k = this.used - 1; k >= 0; k--) {
      const instance = this.instances[k]!;
      if (instance.knows(name)) return (this.current = instance).option(name, this.negation, i);
    }
    const implicit = this.openImplicit(name);
    if (implicit !== undefined)
      return implicit.module === undefined
        ? implicit.take(this.first(i), i + 1)
        : implicit.option(name, this.negation, i);
    for (let k = this.used - 1; k >= 0; k--) {
      const instance = this.instances[k]!;
      if (instance.acceptsAnything()) return (this.current = instance).take(this.first(i), i + 1);
    }
    throw new BadInput("unknown-option", unknownOption(name), tokens.start[i]!);
  }

  /** `-p tcp --dport 80` without `-m tcp`. */
  private openImplicit(option: string): Instance | undefined {
    const protocol = this.header[PROTOCOL_PLACE]?.[0] as ProtocolMatch | undefined;
    if (protocol === undefined || protocol.negate) return undefined;
    const name = implicitModules.get(protocol.protocol);
    if (name === undefined) return undefined;
    for (let k = 0; k < this.used; k++)
      if (!this.instances[k]!.isTarget && this.instances[k]!.name === name) return undefined;
    const module = matchModules.get(name);
    if (module !== undefined && !module.options.has(option)) return undefined;
    const instance = this.open(name, false);
    instance.module = module;
    instance.implicit = true;
    return instance;
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
    const protocol = this.header[PROTOCOL_PLACE]?.[0] as ProtocolMatch | undefined;
    const headerSize = size;
    let target: Read | undefined;
    for (let k = 0; k < this.used; k++) {
      const instance = this.instances[k]!;
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

function unknownOption(name: string): string {
  const owners = [...matchModules.values(), ...targetModules.values()].filter(({ options }) => options.has(name));
  if (owners.length === 0) return `unknown option "${name}"`;
  const place = owners.map((owner) => `${targetModules.get(owner.name) === owner ? "-j" : "-m"} ${owner.name}`);
  return `unknown option "${name}": it belongs to ${place.join(" or ")}, which must stand before it`;
}

/** Reads packets and bytes; a number beyond 2^53 is refused, as it could not be held exactly. */
export function parseCounters(packets: string, bytes: string, at: number): Counters {
  const [p, b] = [packets, bytes].map((text) => (/^\d{1,20}$/.test(text) ? Number(text) : Number.NaN)) as [
    number,
    number,
  ];
  if (Number.isNaN(p) || Number.isNaN(b))
    throw new BadInput("bad-counters", `counters are [PACKETS:BYTES], two whole numbers, not ${packets}:${bytes}`, at);
  if (p > Number.MAX_SAFE_INTEGER || b > Number.MAX_SAFE_INTEGER)
    throw new BadInput("bad-counters", "a counter above 2^53 - 1 cannot be held exactly", at);
  return p === 0 && b === 0 ? ZERO_COUNTERS : { packets: p, bytes: b };
}

export const ZERO_COUNTERS: Counters = { packets: 0, bytes: 0 };
