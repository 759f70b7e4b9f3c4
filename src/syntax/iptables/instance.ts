import type { Family } from "../../packet/address.js";
import type { Statement } from "../../ruleset/types.js";
import type { Read } from "./clause-cache.js";
import { BadInput, Options, type OptionUse } from "./module.js";
import { matchModules, type Module, targetModules } from "./registry.js";
import type { Tokens } from "./tokens.js";

/** One `-m`, `-j` or `-g` of a rule while it is read: which words belong to it. Reused from rule to rule. */
export class Instance {
  private given: string | undefined;
  isTarget = false;
  /** Undefined for a match or target that is not known here, and for chains. */
  module: Module | undefined;
  /** Brought in by `-p`, without a word of its own. */
  implicit = false;
  /** The jump or goto it is. */
  chain: Statement | undefined;
  declared = false;
  /** The words from its own name on that nothing else parts. */
  from = 0;
  end = 0;
  private contiguousEnd = 0;
  /** Stretches of words elsewhere in the rule that belong to it too. */
  private strays: [from: number, to: number][] = [];
  private uses: OptionUse[] = [];
  private opaque = false;
  private cached: Read | undefined;

  constructor(private readonly tokens: Tokens) {}

  reset(name: string | undefined, isTarget: boolean): void {
    this.given = name;
    this.isTarget = isTarget;
    this.module = this.chain = this.cached = undefined;
    this.implicit = this.declared = this.opaque = false;
    this.from = this.end = this.contiguousEnd = 0;
    if (this.strays.length > 0) this.strays = [];
    if (this.uses.length > 0) this.uses = [];
  }

  /** Its name stands at index `from` + 1; `end`: where its options end if nothing is out of the ordinary. */
  begin(from: number, end: number): void {
    this.from = from;
    this.end = end;
    this.contiguousEnd = from + 2;
  }

  /** It reads the same as an earlier one. Should an option turn up that belongs to it, the words are gone through after all. */
  resume(from: number, end: number, cached: Read): void {
    this.begin(from, end);
    this.contiguousEnd = end;
    this.cached = cached;
  }

  /** What stands after its `-m` or `-j`, or the name of the protocol it was brought in for. */
  get name(): string {
    return this.given ?? this.tokens.word(this.from + 1);
  }

  knows(option: string): boolean {
    return this.lookUp()?.options.has(option) === true;
  }

  /** Known only by its name, so that every option may be its own. */
  acceptsAnything(): boolean {
    return this.lookUp() === undefined && (this.chain === undefined || !this.declared) && this.cached === undefined;
  }

  private lookUp(): Module | undefined {
    return this.module ?? (this.cached === undefined ? undefined : this.reopen());
  }

  /** What a resumed instance is, found out only when it is asked for. */
  private reopen(): Module | undefined {
    const { kind } = this.cached as Statement;
    if (kind === "jump" || kind === "goto") return undefined;
    return (this.module = (this.isTarget ? targetModules : matchModules).get(this.name));
  }

  /** Takes an option it knows, at index i; `negation` is the index of the `!` before it, or -1. Gives the index after it. */
  option(name: string, negation: number, i: number): number {
    if (this.cached !== undefined) this.replay();
    const { tokens } = this;
    const spec = this.module!.options.get(name)!;
    let negate = negation >= 0;
    let to = i + 1;
    if (spec.negate === true && spec.values > 0 && !negate && to < tokens.count && tokens.isNegation(to)) {
      negate = true; // `--dport ! 80`, as iptables before 1.4.3 printed it
      to++;
    }
    if (negate && spec.negate !== true)
      throw new BadInput("not-negatable", `${name} cannot be inverted with "!"`, tokens.start[i]!);
    if (to + spec.values > tokens.count)
      throw new BadInput(
        "missing-value",
        `${name} needs ${spec.values === 1 ? "a value" : `${spec.values} values`}`,
        tokens.start[i]!,
      );
    const at = tokens.start[spec.values > 0 ? to : i]!;
    const values: string[] = [];
    for (let n = 0; n < spec.values; n++) values.push(tokens.word(to++));
    const canonical = spec.as ?? name;
    for (const use of this.uses)
      if (use.name === canonical)
        throw new BadInput(
          "duplicate-option",
          `${name} can be used once in a ${this.isTarget ? "target" : "match"}`,
          tokens.start[i]!,
        );
    this.uses.push({ name: canonical, negate, values, at });
    if (spec.opaque === true) this.opaque = true;
    return this.extend(negation >= 0 ? negation : i, to);
  }

  /** Takes words unseen: it is not known what they mean. */
  take(from: number, to: number): number {
    this.cached = this.chain = undefined;
    return this.extend(from, to);
  }

  private extend(from: number, to: number): number {
    const last = this.strays[this.strays.length - 1];
    if (last !== undefined && last[1] === from) last[1] = to;
    else if (last === undefined && !this.implicit && this.contiguousEnd === from) this.contiguousEnd = to;
    else this.strays.push([from, to]);
    return to;
  }

  private replay(): void {
    this.cached = undefined;
    this.contiguousEnd = this.from + 2;
    for (let i = this.from + 2; i < this.end;) {
      const negation = this.tokens.isNegation(i) ? i++ : -1;
      i = this.option(this.tokens.word(i), negation, i);
    }
  }

  /** The statements it is. */
  finish(family: Family): Read {
    if (this.cached !== undefined) return this.cached;
    if (this.chain !== undefined) return this.chain;
    if (this.module === undefined || this.opaque) return this.asOpaque();
    const options = new Options(this.name, family, this.uses, this.place());
    return this.module.syntax.parse(options) ?? this.asOpaque();
  }

  /** Whether the words from `from` to `end` say all there is of it, whatever stands around them. */
  isCacheable(): boolean {
    return (
      this.cached === undefined &&
      !this.implicit &&
      this.strays.length === 0 &&
      this.contiguousEnd === this.end &&
      (this.chain === undefined || this.declared)
    );
  }

  /** Offset of its first word. */
  place(): number {
    return this.tokens.start[this.implicit ? (this.strays[0]?.[0] ?? 0) : this.from]!;
  }

  private asOpaque(): Statement {
    const { tokens } = this;
    const source = (from: number, to: number): string => tokens.text.slice(tokens.start[from], tokens.end[to - 1]);
    const own = this.implicit ? `-m ${this.name}` : source(this.from, this.contiguousEnd);
    const text = [own, ...this.strays.map(([from, to]) => source(from, to))].join(" ");
    return this.isTarget
      ? { kind: "opaque-target", target: this.name, text }
      : { kind: "opaque-match", module: this.name, text };
  }
}
