/** iptables-save texts and `iptables -S` listings, line by line, into tables. */
import type { Family } from "../../packet/address.js";
import { error, type Problem, warning } from "../../ruleset/problem.js";
import type { Chain, Counters, Rule, RuleSet, Span, Statement } from "../../ruleset/types.js";
import { builtinBase, isTable, tableNames } from "./builtin.js";
import { bracketCounters, parseCounters, ZERO_COUNTERS } from "./counters.js";
import { BadInput } from "./module.js";
import { RuleReader } from "./rule-reader.js";
import { TableBuilder } from "./table-builder.js";
import { Tokens } from "./tokens.js";

/** Longest line read, in characters; iptables-restore itself reads lines of 10,240. */
export const MAX_LINE = 65_536;
/** Problems after which reading stops. */
const MAX_PROBLEMS = 20;

export interface IptablesText {
  readonly form: "save" | "listing";
  readonly family: Family;
  /** The table of a listing. */
  readonly table: string;
  /** The characters of the text, where they are at hand. */
  readonly codes?: Uint8Array;
}

/** Reads a whole text. The rule set is only good for anything where no problem is an error. */
export function readIptables(text: string, options: IptablesText): { ruleset: RuleSet; problems: Problem[] } {
  return new Reader(text, options).read();
}

class Reader {
  private readonly tables: TableBuilder[] = [];
  private readonly problems: Problem[] = [];
  private readonly tokens: Tokens;
  private readonly rules: RuleReader;
  /** The table whose lines are being read. */
  private table: TableBuilder | undefined;
  /** Comment lines whose place is not known yet. */
  private remarks: string[] = [];
  private line = 0;
  private lineStart = 0;

  constructor(
    private readonly text: string,
    private readonly options: IptablesText,
  ) {
    this.tokens = new Tokens(text, options.codes);
    this.rules = new RuleReader(this.tokens, options.family, { declared: () => undefined });
  }

  read(): { ruleset: RuleSet; problems: Problem[] } {
    const { text } = this;
    const listing = this.options.form === "listing";
    if (listing) this.enter(this.options.table, { line: 1, column: 1 });
    for (let from = 0; from < text.length && this.problems.length < MAX_PROBLEMS;) {
      let end = text.indexOf("\n", from);
      if (end < 0) end = text.length;
      this.line++;
      this.lineStart = from;
      const to = end > from && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
      try {
        this.readLine(from, to);
      } catch (problem) {
        if (!(problem instanceof BadInput)) throw problem;
        this.problems.push(error(problem.code, problem.message, this.spanAt(problem.at)));
      }
      from = end + 1;
    }
    if (this.table !== undefined && !listing && this.problems.length < MAX_PROBLEMS)
      this.problems.push(
        error("truncated", `the text ends inside the table ${this.table.name}: its COMMIT line is missing`, {
          line: this.line,
          column: text.length - this.lineStart + (text.endsWith("\n") ? 0 : 1),
        }),
      );
    const remarks = this.remarks.length > 0 ? { remarks: this.remarks } : {};
    return { ruleset: { tables: this.tables.map((table) => table.finish()), ...remarks }, problems: this.problems };
  }

  private spanAt(offset: number): Span {
    return { line: this.line, column: offset - this.lineStart + 1 };
  }

  private readLine(from: number, to: number): void {
    if (to - from > MAX_LINE)
      throw new BadInput(
        "line-too-long",
        `this line has ${to - from} characters: at most ${MAX_LINE} are read`,
        from + MAX_LINE,
      );
    const { text } = this;
    let i = from;
    let c = 0;
    while (i < to && ((c = text.charCodeAt(i)) === 32 || c === 9)) i++;
    if (i >= to) return;
    if (c === 35) {
      this.remarks.push(text.slice(i, to));
      return;
    }
    if (this.options.form === "listing") {
      this.tokens.scan(i, to);
      return this.listingLine();
    }
    if (c === 42) return this.tableLine(i, text.slice(i + 1, to).trim());
    if (this.table === undefined)
      throw new BadInput("outside-table", 'this line stands outside a table: a line such as "*nat" must come first', i);
    if (c === 67 && text.slice(i, to).trim() === "COMMIT") return this.leave();
    this.tokens.scan(i, to);
    if (c === 58) return this.chainLine(this.table);
    return this.ruleLine(this.table);
  }

  private enter(name: string, span: Span): void {
    this.table = new TableBuilder(this.options.family, name, span, this.options.form === "listing", this.tokens);
    this.tables.push(this.table);
    this.rules.enter(this.table);
  }

  private tableLine(at: number, name: string): void {
    if (this.table !== undefined)
      throw new BadInput("truncated", `the table ${this.table.name} has no COMMIT line before this one`, at);
    const again = this.tables.some((table) => table.name === name);
    this.splitRemarks();
    this.enter(name, this.spanAt(at));
    this.table!.before = this.remarks;
    this.remarks = [];
    if (again)
      throw new BadInput(
        "duplicate-table",
        `the table ${name} stands twice in the text; the second would replace the first`,
        at,
      );
    if (!isTable(name))
      throw new BadInput("unknown-table", `unknown table "${name}": iptables has ${tableNames.join(", ")}`, at + 1);
  }

  /** Comment lines up to `# Completed on ...` belong after the last table, what follows them before the next. */
  private splitRemarks(): void {
    const last = this.tables[this.tables.length - 1];
    const completed = this.remarks.findIndex((remark) => remark.startsWith("# Completed"));
    if (last === undefined || completed < 0) return;
    last.after = this.remarks.slice(0, completed + 1);
    this.remarks = this.remarks.slice(completed + 1);
  }

  private leave(): void {
    this.table = undefined;
  }

  private chainLine(table: TableBuilder): void {
    const { tokens } = this;
    const name = tokens.word(0).slice(1);
    const at = tokens.start[0]!;
    if (name === "" || tokens.isQuoted(0))
      throw new BadInput("bad-chain", 'a chain line is ":NAME POLICY [PACKETS:BYTES]"', at);
    const policy = tokens.count > 1 ? tokens.word(1) : "";
    const counters = tokens.count > 2 ? bracketCounters(tokens.word(2), tokens.start[2]!) : ZERO_COUNTERS;
    const base = builtinBase(table.name, name, policy === "DROP" ? "drop" : "accept");
    if (!(policy === "-" || (base !== undefined && (policy === "ACCEPT" || policy === "DROP"))))
      throw new BadInput(
        "bad-policy",
        base === undefined
          ? `${name} is not a built-in chain of table ${table.name}: its policy is written "-"`
          : `the policy of ${name} is ACCEPT or DROP, not "${policy}"`,
        tokens.start[Math.min(1, tokens.count - 1)]!,
      );
    const span = this.spanAt(at);
    table.declare(
      base === undefined ? { name, rules: [], counters, span } : { name, base, rules: [], counters, span },
      at + 1,
    );
  }

  private ruleLine(table: TableBuilder): void {
    const { tokens } = this;
    const at = tokens.start[0]!;
    let first = 0;
    let counters: Counters | undefined;
    if (this.text.charCodeAt(at) === 91) {
      counters = bracketCounters(tokens.word(0), at);
      first = 1;
    }
    const letter = first < tokens.count ? tokens.shortOption(first) : 0;
    const long = letter === 0 && first < tokens.count ? tokens.word(first) : "";
    if (letter === 65 || long === "--append") return this.addRule(table, first, counters, false);
    if (letter === 73 || long === "--insert") return this.addRule(table, first, counters, true);
    throw new BadInput(
      "bad-line",
      'expected a rule ("-A CHAIN ..."), a chain (":NAME POLICY [0:0]"), "*TABLE", "COMMIT" or a "#" comment',
      tokens.start[Math.min(first, tokens.count - 1)]!,
    );
  }

  private addRule(table: TableBuilder, first: number, given: Counters | undefined, insert: boolean): void {
    const { tokens, rules } = this;
    if (first + 1 >= tokens.count)
      throw new BadInput("missing-value", `${tokens.word(first)} needs the name of a chain`, tokens.start[first]!);
    let next = first + 2;
    let position: number | undefined;
    if (insert) position = next < tokens.count && /^\d+$/.test(tokens.word(next)) ? Number(tokens.word(next++)) : 1;
    const chain = table.chainOf(first + 1, this.line);
    rules.read(next);
    if (rules.foreign) {
      const other = this.options.family === "ip" ? "IPv6" : "IPv4";
      this.problems.push(
        warning(
          "other-family",
          `this rule is for ${other} alone and is left out, as iptables-restore does`,
          this.spanAt(tokens.start[first]!),
        ),
      );
      return;
    }
    const counters = rules.counters ?? given;
    const span = this.spanAt(tokens.start[0]!);
    for (const statements of rules.rules) {
      const rule = makeRule(statements, counters, this.remarks, span);
      if (this.remarks.length > 0) this.remarks = [];
      if (position === undefined) chain.rules.push(rule);
      else if (position >= 1 && position <= chain.rules.length + 1) chain.rules.splice(position++ - 1, 0, rule);
      else
        throw new BadInput(
          "bad-position",
          `${chain.name} has ${chain.rules.length} rules so far: there is no place ${position}`,
          tokens.start[first + 2]!,
        );
    }
  }

  /** `-P CHAIN POLICY`, `-N CHAIN` or a rule. */
  private listingLine(): void {
    const { tokens } = this;
    const table = this.table!;
    const letter = tokens.shortOption(0);
    if (letter !== 80 && letter !== 78) return this.ruleLine(table);
    const at = tokens.start[0]!;
    const name = tokens.count > 1 ? tokens.word(1) : "";
    if (name === "") throw new BadInput("missing-value", `${tokens.word(0)} needs the name of a chain`, at);
    if (tokens.isQuoted(1))
      throw new BadInput("bad-chain", "the name of a chain stands without quotes", tokens.start[1]!);
    if (letter === 78) {
      const chain: Chain = { name, rules: [], span: this.spanAt(at) };
      return table.declare(chain, tokens.start[1]!);
    }
    const policy = tokens.count > 2 ? tokens.word(2) : "";
    if (policy !== "ACCEPT" && policy !== "DROP")
      throw new BadInput(
        "bad-policy",
        `the policy of ${name} is ACCEPT or DROP`,
        tokens.start[Math.min(2, tokens.count - 1)]!,
      );
    const counted = tokens.count === 6 && tokens.shortOption(3) === 99;
    if (tokens.count > 3 && !counted)
      throw new BadInput("stray-argument", 'a policy line is "-P CHAIN POLICY [-c PACKETS BYTES]"', tokens.start[3]!);
    const base = builtinBase(table.name, name, policy === "DROP" ? "drop" : "accept");
    if (base === undefined) throw table.notBuiltin(name, tokens.start[1]!);
    const counters = counted ? parseCounters(tokens.word(4), tokens.word(5), tokens.start[4]!) : undefined;
    table.declare({ name, base, rules: [], ...(counters && { counters }), span: this.spanAt(at) }, tokens.start[1]!);
  }
}

/** Dumps hold hundreds of thousands of rules: each is one small object, without spare room. */
function makeRule(statements: Statement[], counters: Counters | undefined, remarks: string[], span: Span): Rule {
  if (counters === undefined) return remarks.length === 0 ? { statements, span } : { statements, remarks, span };
  return remarks.length === 0 ? { statements, counters, span } : { statements, counters, remarks, span };
}
