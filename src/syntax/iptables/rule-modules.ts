/** The matches and the target of one rule while it is read, and which of them an option belongs to. */
import { TCP, UDP, SCTP, ICMP, ICMPV6 } from "../../packet/protocol.js";
import type { ProtocolMatch } from "../../ruleset/types.js";
import type { ClauseCache } from "./clause-cache.js";
import { Instance } from "./instance.js";
import { BadInput } from "./module.js";
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

/** Letters that end the options of an unknown match or target. */
const ENDS = new Uint8Array(128);
for (const letter of "sdiopmjgfcAI46") ENDS[letter.charCodeAt(0)] = 1;

/** Opened in the order of the line; the objects are used again for the next rule. */
export class RuleModules {
  /** How many of `instances` belong to this rule. */
  used = 0;
  readonly instances: Instance[] = [];
  /** The one that the words here may belong to without a doubt. */
  current: Instance | undefined;
  private target: Instance | undefined;

  constructor(
    private readonly tokens: Tokens,
    private readonly cache: ClauseCache,
    private chains: ChainNames,
  ) {}

  enter(chains: ChainNames): void {
    this.chains = chains;
  }

  /** Begins another rule. */
  reset(): void {
    this.used = 0;
    this.current = undefined;
    this.target = undefined;
  }

  /** Whether the words here belong to a match or target that is not known. */
  isOpaque(): boolean {
    return this.current !== undefined && this.current.module === undefined;
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

  /** Opens the `-m` at index i; gives the index after what it took. */
  openMatch(i: number): number {
    const end = this.clauseEnd(i);
    const cached = this.cache.get(i, end);
    if (cached !== undefined) {
      this.open(undefined, false).resume(i, end, cached);
      this.current = undefined;
      return end;
    }
    const name = this.tokens.value(i, 1);
    const instance = this.open(name, false);
    instance.module = matchModules.get(name);
    instance.begin(i, end);
    return i + 2;
  }

  /** Opens the `-j`, or the `-g`, at index i; gives the index after what it took. */
  openTarget(i: number, isGoto: boolean): number {
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
    const name = this.tokens.value(i, 1);
    const instance = (this.target = this.open(name, true));
    instance.begin(i, end);
    instance.module = isGoto ? undefined : targetModules.get(name);
    if (instance.module !== undefined) return i + 2;
    const declared = this.chains.declared(i + 1);
    if (isGoto || declared !== undefined || !foreignTargets.has(name)) {
      instance.chain = { kind: isGoto ? "goto" : "jump", chain: declared ?? name };
      instance.declared = declared !== undefined || isGoto;
      this.current = undefined;
    }
    return i + 2;
  }

  /** Finds the match or target that an option belongs to: the last opened that knows it, as in iptables. */
  option(i: number, negation: number, protocol: ProtocolMatch | undefined): number {
    const { tokens } = this;
    const first = negation >= 0 ? negation : i;
    const name = tokens.word(i);
    const equals = name.indexOf("=");
    if (equals > 0)
      throw new BadInput(
        "unknown-option",
        `write "${name.slice(0, equals)} ${name.slice(equals + 1)}": a value stands after a blank`,
        tokens.start[i]!,
      );
    if (this.current?.knows(name) === true) return this.current.option(name, negation, i);
    for (let k = this.used - 1; k >= 0; k--) {
      const instance = this.instances[k]!;
      if (instance.knows(name)) return (this.current = instance).option(name, negation, i);
    }
    const implicit = this.openImplicit(name, protocol);
    if (implicit !== undefined)
      return implicit.module === undefined ? implicit.take(first, i + 1) : implicit.option(name, negation, i);
    for (let k = this.used - 1; k >= 0; k--) {
      const instance = this.instances[k]!;
      if (instance.acceptsAnything()) return (this.current = instance).take(first, i + 1);
    }
    throw new BadInput("unknown-option", unknownOption(name), tokens.start[i]!);
  }

  /** `-p tcp --dport 80` without `-m tcp`. */
  private openImplicit(option: string, protocol: ProtocolMatch | undefined): Instance | undefined {
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
}

function unknownOption(name: string): string {
  const owners = [...matchModules.values(), ...targetModules.values()].filter(({ options }) => options.has(name));
  if (owners.length === 0) return `unknown option "${name}"`;
  const place = owners.map((owner) => `${targetModules.get(owner.name) === owner ? "-j" : "-m"} ${owner.name}`);
  return `unknown option "${name}": it belongs to ${place.join(" or ")}, which must stand before it`;
}
