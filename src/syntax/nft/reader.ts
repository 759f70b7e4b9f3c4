/** nftables texts: what `nft list ruleset` prints and what `nft -f` takes, into tables. */
import { error, type Problem, warning } from "../../ruleset/problem.js";
import type { BaseChain, ChainType, Hook, OpaqueTable, RuleSet, Span, TableFamily } from "../../ruleset/types.js";
import { BadInput } from "../iptables/module.js";
import { parseNumber } from "../iptables/values.js";
import { readComment } from "./comment.js";
import { Lexer, Token } from "./lexer.js";
import { readElements } from "./elements.js";
import { readNumber } from "./expression.js";
import { XT_HINT } from "./foreign.js";
import { LineIndex } from "./line-index.js";
import { priorityNames, priorityOf } from "./priority.js";
import { readRule } from "./rule-reader.js";
import { readSetBlock } from "./set-reader.js";
import { type DraftChain, TableBuilder } from "./table-builder.js";
import { checkUses } from "./uses.js";

/** Problems after which reading stops. */
const MAX_PROBLEMS = 20;

const families: ReadonlySet<string> = new Set(["ip", "ip6", "inet", "arp", "bridge", "netdev"]);
const foreignFamilies: ReadonlySet<string> = new Set(["arp", "bridge", "netdev"]);
const chainTypes: readonly ChainType[] = ["filter", "nat", "route"];
const hooks: readonly Hook[] = ["prerouting", "input", "forward", "output", "postrouting"];
const otherCommands: ReadonlySet<string> = new Set(
  "list reset rename monitor describe export import replace destroy get include".split(" "),
);
/** Objects kept as their text. */
const objects: ReadonlySet<string> = new Set(["counter", "quota", "limit", "ct", "synproxy", "secmark"]);

/** A table as a command names it. */
interface TableName {
  readonly family: string;
  readonly name: string;
  readonly at: number;
}

/**
 * Reads a whole text. The rule set is only good for anything where no problem is an error. `place` says where a place of the text stands
 * in what the text was made from.
 */
export function readNft(text: string, place?: (span: Span) => Span): { ruleset: RuleSet; problems: Problem[] } {
  return new Reader(text, place).read();
}

class Reader {
  private lexer!: Lexer;
  private readonly problems: Problem[] = [];
  private tables: TableBuilder[] = [];
  private opaque: OpaqueTable[] = [];
  private readonly spanAt: (offset: number) => Span;

  constructor(
    private readonly text: string,
    place?: (span: Span) => Span,
  ) {
    const lines = new LineIndex(text);
    this.spanAt = place === undefined ? (offset) => lines.spanAt(offset) : (offset) => place(lines.spanAt(offset));
  }

  read(): { ruleset: RuleSet; problems: Problem[] } {
    this.guarded(() => {
      this.lexer = new Lexer(this.text);
      for (this.lexer.skipBreaks(); this.lexer.kind !== Token.End; this.lexer.skipBreaks()) {
        this.readCommand();
        if (!this.lexer.ended || this.lexer.is("}")) this.lexer.unexpected("the end of the line");
      }
    });
    for (const table of this.tables) this.check(table);
    const opaque = this.opaque.length === 0 ? {} : { opaqueTables: this.opaque };
    return { ruleset: { tables: this.tables.map((table) => table.finish()), ...opaque }, problems: this.problems };
  }

  /** Makes a problem of what is thrown; whether nothing was. */
  private guarded(read: () => void): boolean {
    try {
      read();
      return true;
    } catch (problem) {
      if (!(problem instanceof BadInput)) throw problem;
      this.problems.push(error(problem.code, problem.message, this.spanAt(problem.at)));
      this.failedAt = problem.at;
      return false;
    }
  }
  private failedAt = 0;

  private check(table: TableBuilder): void {
    for (const { code, message, span } of table.conflicts()) this.problems.push(error(code, message, span));
    this.problems.push(...checkUses(table, this.spanAt));
    if (table.xtSpan !== undefined)
      this.problems.push(
        warning(
          "xt-statement",
          `nft does not show what this statement of iptables-nft holds: ${XT_HINT}`,
          table.xtSpan,
        ),
      );
  }

  private readCommand(): void {
    const lexer: Lexer = this.lexer;
    const { start, word } = lexer;
    if (lexer.kind !== Token.Word) lexer.unexpected('a command such as "table ip NAME {" or "add rule ..."');
    if (word === "define" || word === "redefine") return this.define();
    if (word === "undefine") {
      lexer.next();
      lexer.definitions.delete(lexer.take("the name of a definition"));
      return;
    }
    if (word === "include")
      lexer.fail(
        "include",
        "other files are not included: give one text that holds everything (nft list ruleset prints it)",
        start,
      );
    if (otherCommands.has(word))
      lexer.fail(
        "unsupported-command",
        `the command ${word} makes no rule set: only add, create, insert, delete, flush and define are read`,
        start,
      );
    if (word === "flush") return this.flush();
    if (word === "delete") return this.delete();
    const verb = word === "add" || word === "create" || word === "insert" ? word : "add";
    if (verb === word) lexer.next();
    const at = lexer.start;
    const what = lexer.take("table, chain, rule, set, map or element");
    switch (what) {
      case "table":
        return this.table(verb, start);
      case "chain":
        return this.chain(this.tableNamed(this.readTableName()), verb, at);
      case "set":
      case "map":
        return this.set(this.tableNamed(this.readTableName()), what, at, verb);
      case "element":
        return this.element();
      case "rule":
        return this.rule(verb, start);
      case "flowtable":
        return this.refuseFlowtable(at);
      default:
        if (objects.has(what))
          lexer.fail("unsupported-command", `named objects (${what}) are read inside the block of a table only`, at);
        return lexer.fail(
          "unknown-command",
          `unknown command "${what}": expected table, add, create, insert, delete, flush or define`,
          at,
        );
    }
  }

  private refuseFlowtable(at: number): never {
    return this.lexer.fail(
      "flowtable",
      "flowtables are not modelled: packets would pass by the chains; leave it out to see what the chains do",
      at,
    );
  }

  private define(): void {
    const lexer: Lexer = this.lexer;
    lexer.next();
    const name = lexer.take("a name after define");
    lexer.expect("=", "after the name of a definition");
    lexer.define(name);
  }

  private readTableName(): TableName {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    let family = "ip";
    if (lexer.kind === Token.Word && families.has(lexer.word)) {
      family = lexer.word;
      lexer.next();
    }
    return { family, name: lexer.take("the name of a table"), at };
  }

  private tableNamed({ family, name, at }: TableName): TableBuilder {
    if (foreignFamilies.has(family))
      this.lexer.fail(
        "foreign-family",
        `tables of family ${family} are kept as a whole: write their block in one piece`,
        at,
      );
    const table = this.find(family, name);
    return (
      table ??
      this.lexer.fail(
        "undefined-table",
        `table ${family} ${name} is not defined: "add table ${family} ${name}" must come first`,
        at,
      )
    );
  }

  private find(family: string, name: string): TableBuilder | undefined {
    return this.tables.find((table) => table.family === family && table.name === name);
  }

  private table(verb: string, start: number): void {
    const lexer: Lexer = this.lexer;
    const named = this.readTableName();
    if (lexer.kind === Token.Word)
      lexer.fail("unknown-family", `unknown family "${named.name}": expected ${[...families].join(", ")}`, named.at);
    if (foreignFamilies.has(named.family)) return this.foreignTable(named, start);
    let table = this.find(named.family, named.name);
    if (table !== undefined && verb === "create")
      lexer.fail("duplicate-table", `table ${named.family} ${named.name} is there already`, named.at);
    if (table === undefined)
      this.tables.push((table = new TableBuilder(named.family as TableFamily, named.name, this.spanAt(start))));
    if (!lexer.is("{")) return;
    lexer.next();
    for (lexer.skipBreaks(); !lexer.accept("}"); lexer.skipBreaks()) {
      this.tableItem(table);
      if (this.problems.length >= MAX_PROBLEMS)
        lexer.fail("too-many-problems", "reading stops here: there are too many problems");
      if (lexer.kind !== Token.Break && !lexer.is("}"))
        lexer.unexpected(`the end of the line, or "}" to close table ${named.name}`);
    }
  }

  private tableItem(table: TableBuilder): void {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    const word =
      lexer.kind === Token.Word
        ? lexer.word
        : lexer.unexpected(`"}" to close table ${table.name}, or a chain, set or map`);
    lexer.next();
    if (word === "chain") return this.chain(table, "add", at);
    if (word === "set" || word === "map") return this.set(table, word, at, "add");
    if (word === "flowtable") return this.refuseFlowtable(at);
    if (word === "comment") {
      table.comment = readComment(lexer);
      return;
    }
    if (word === "flags") {
      if (lexer.is("dormant"))
        lexer.fail(
          "dormant-table",
          "this table is dormant: no packet meets its chains; leave it out, or take the flag away",
        );
      lexer.take("a flag of the table");
      return;
    }
    if (!objects.has(word)) lexer.fail("unknown-keyword", `a table holds chains, sets and maps, not "${word}"`, at);
    const name =
      word === "ct" ? `${lexer.take("helper, timeout or expectation")} ${lexer.take("a name")}` : lexer.take("a name");
    table.addOpaque({ name, text: this.skipBlock(at) });
  }

  /** The text from an offset to the end of the block whose brace is at hand. */
  private skipBlock(start: number): string {
    const lexer: Lexer = this.lexer;
    if (!lexer.is("{")) lexer.unexpected('"{"');
    let depth = 0;
    do {
      if (lexer.is("{")) depth++;
      else if (lexer.is("}")) depth--;
      else if (lexer.kind === Token.End) lexer.unexpected('"}"');
      lexer.next();
    } while (depth > 0);
    return this.text.slice(start, lexer.before);
  }

  private foreignTable({ family, name }: TableName, start: number): void {
    const text = this.lexer.is("{") ? this.skipBlock(start) : this.text.slice(start, this.lexer.before);
    this.opaque.push({ family, name, text, after: this.tables.length });
  }

  private chain(table: TableBuilder, verb: string, at: number): void {
    const lexer: Lexer = this.lexer;
    const name = lexer.take("the name of a chain");
    let chain = table.chains.get(name);
    if (chain !== undefined && verb === "create")
      lexer.fail("duplicate-chain", `chain ${name} is defined twice in table ${table.name}`, at);
    const isNew = chain === undefined;
    if (chain === undefined) table.chains.set(name, (chain = { name, rules: [], span: this.spanAt(at) }));
    if (!lexer.accept("{")) return;
    for (lexer.skipBreaks(); !lexer.accept("}"); lexer.skipBreaks()) {
      if (lexer.kind === Token.End) lexer.unexpected(`"}" to close chain ${name}`);
      if (lexer.is("type")) {
        if (!isNew && chain.base === undefined)
          lexer.fail("duplicate-chain", `chain ${name} is there already, and is no base chain`);
        this.baseChain(chain, table);
      } else if (lexer.is("policy")) this.policy(chain);
      else if (lexer.is("comment")) {
        lexer.next();
        chain.comment = readComment(lexer);
      } else this.appendRule(table, chain);
      if (!lexer.ended) lexer.unexpected("the end of the rule");
    }
  }

  /** A rule that cannot be read is a problem; reading goes on in the next line. */
  private appendRule(table: TableBuilder, chain: DraftChain): void {
    const lexer: Lexer = this.lexer;
    const span = this.spanAt(lexer.start);
    const good = this.guarded(() => {
      chain.rules.push({ ...this.readOneRule(table, span), span });
    });
    if (good) return;
    lexer.skipLine(this.failedAt);
    if (this.problems.length >= MAX_PROBLEMS)
      lexer.fail("too-many-problems", "reading stops here: there are too many problems");
  }

  private readOneRule(table: TableBuilder, span: Span): ReturnType<typeof readRule> {
    const rule = readRule({ lexer: this.lexer, family: table.family, uses: table.uses });
    if (table.xtSpan === undefined && rule.statements.some((s) => "text" in s && s.text.startsWith("xt ")))
      table.xtSpan = span;
    return rule;
  }

  private baseChain(chain: DraftChain, table: TableBuilder): void {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    lexer.next();
    const type = this.oneOf(chainTypes, "a type of chain");
    lexer.expect("hook", "after the type of the chain");
    const hookAt = lexer.start;
    const name = lexer.take("a hook");
    const hook = hooks.find((one) => one === name);
    if (hook === undefined) {
      const what =
        name === "ingress" || name === "egress" ? `the hook ${name} is not modelled` : `unknown hook "${name}"`;
      lexer.fail("bad-hook", `${what}: expected one of ${hooks.join(", ")}`, hookAt);
    }
    if (lexer.is("device") || lexer.is("devices")) lexer.fail("bad-hook", "only hooks of netdev tables have a device");
    lexer.expect("priority", "after the hook");
    const priority = this.priority(hook);
    const base: BaseChain = { type, hook, priority, policy: "accept" };
    if (type === "nat" && (hook === "forward" || priority <= -200))
      lexer.fail(
        "bad-chain",
        hook === "forward"
          ? "there is no nat at the hook forward"
          : "a nat chain has a priority above -200: conntrack comes first",
        at,
      );
    if (type === "route" && hook !== "output") lexer.fail("bad-chain", "a route chain stands at the hook output", at);
    if (chain.base !== undefined && JSON.stringify({ ...chain.base, policy: "accept" }) !== JSON.stringify(base))
      lexer.fail(
        "duplicate-chain",
        `chain ${chain.name} is a base chain of table ${table.name} already, of another type, hook or priority`,
        at,
      );
    chain.base ??= base;
  }

  private policy(chain: DraftChain): void {
    const lexer: Lexer = this.lexer;
    if (chain.base === undefined) lexer.fail("bad-policy", `chain ${chain.name} is no base chain: it has no policy`);
    lexer.next();
    chain.base = { ...chain.base, policy: this.oneOf(["accept", "drop"] as const, "a policy") };
  }

  private oneOf<T extends string>(choices: readonly T[], what: string): T {
    const lexer: Lexer = this.lexer;
    const found = choices.find((one) => lexer.is(one));
    if (found === undefined) lexer.unexpected(`${what} (${choices.join(", ")})`, "unknown-keyword");
    lexer.next();
    return found;
  }

  /** A number, or a name with an offset. */
  private priority(hook: Hook): number {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    if (lexer.accept("-")) return -readNumber(lexer, "a priority", 0x7fffffff);
    const word = lexer.take("a priority");
    const number = parseNumber(word, 0x7fffffff);
    if (number !== undefined) return number;
    const base = priorityOf(word, hook);
    if (base === undefined)
      lexer.fail(
        "bad-priority",
        `"${word}" is no priority at the hook ${hook}: use a number or one of ${priorityNames.join(", ")}`,
        at,
      );
    const sign = lexer.accept("+") ? 1 : lexer.accept("-") ? -1 : 0;
    const priority = sign === 0 ? base : base + sign * readNumber(lexer, "an offset", 0x7fffffff);
    // nft goes round to the other end here, which nobody means.
    if (Math.abs(priority) > 0x7fffffff)
      lexer.fail("bad-priority", `"${word}" with this offset is beyond 32 bits: use a smaller offset`, at);
    return priority;
  }

  private set(table: TableBuilder, kind: "set" | "map", at: number, verb: string): void {
    const lexer: Lexer = this.lexer;
    const name = lexer.take(`the name of a ${kind}`);
    const open = lexer.place();
    const set = readSetBlock(lexer, kind, name, this.spanAt(at), this.spanAt);
    if (set === undefined) {
      lexer.returnTo(open);
      table.addOpaque({ name, text: this.skipBlock(at) });
      return;
    }
    const old = table.sets.get(name);
    if (old === undefined) table.addSet(set);
    else if (verb === "create" || String(old.facts.type) !== String(set.facts.type))
      lexer.fail("duplicate-set", `the name ${name} is defined twice in table ${table.name}`, at);
    else old.elements.push(...set.elements);
  }

  private element(): void {
    const lexer: Lexer = this.lexer;
    const table = this.tableNamed(this.readTableName());
    const set = this.setNamed(table);
    for (const element of readElements(lexer, set.types, set.value, this.spanAt)) set.elements.push(element);
  }

  private setNamed(table: TableBuilder): ReturnType<TableBuilder["sets"]["get"]> & object {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    const name = lexer.take("the name of a set or map");
    return table.sets.get(name) ?? lexer.fail("undefined-set", `${name} is no set or map of table ${table.name}`, at);
  }

  private chainNamed(table: TableBuilder): DraftChain {
    const lexer: Lexer = this.lexer;
    const at = lexer.start;
    const name = lexer.take("the name of a chain");
    return (
      table.chains.get(name) ?? lexer.fail("undefined-chain", `chain ${name} is not defined in table ${table.name}`, at)
    );
  }

  /** `add rule T C ...`, `insert rule T C [index N] ...`. */
  private rule(verb: string, start: number): void {
    const lexer: Lexer = this.lexer;
    const table = this.tableNamed(this.readTableName());
    const chain = this.chainNamed(table);
    if (lexer.is("handle") || lexer.is("position"))
      lexer.fail("handle", "rules have no handles here: use index, or the place in the text");
    let place = verb === "insert" ? 0 : chain.rules.length;
    if (lexer.is("index")) {
      const at = lexer.start;
      lexer.next();
      const index = readNumber(lexer, "the number of a rule, from 0");
      if (index >= chain.rules.length)
        lexer.fail(
          "bad-position",
          `${chain.name} has ${chain.rules.length} rules so far: there is none with index ${index}`,
          at,
        );
      place = verb === "insert" ? index : index + 1;
    }
    const span = this.spanAt(start);
    chain.rules.splice(place, 0, { ...this.readOneRule(table, span), span });
  }

  private flush(): void {
    const lexer: Lexer = this.lexer;
    lexer.next();
    const at = lexer.start;
    const what = lexer.take("ruleset, table, chain, set or map");
    if (what === "ruleset") {
      const family = lexer.kind === Token.Word && families.has(lexer.word) ? lexer.take("a family") : undefined;
      this.tables = this.tables.filter((table) => family !== undefined && table.family !== family);
      this.opaque = this.opaque.filter((table) => family !== undefined && table.family !== family);
      return;
    }
    if (!["table", "chain", "set", "map"].includes(what))
      lexer.fail("unknown-command", `flush takes ruleset, table, chain, set or map, not "${what}"`, at);
    const table = this.tableNamed(this.readTableName());
    if (what === "table") for (const chain of table.chains.values()) chain.rules.length = 0;
    else if (what === "chain") this.chainNamed(table).rules.length = 0;
    else this.setNamed(table).elements = [];
  }

  private delete(): void {
    const lexer: Lexer = this.lexer;
    lexer.next();
    const at = lexer.start;
    const what = lexer.take("table, chain, set, map or element");
    if (what === "rule") lexer.fail("handle", "rules have no handles here: a rule cannot be deleted by one", at);
    if (!["table", "chain", "set", "map", "element"].includes(what))
      lexer.fail("unknown-command", `delete takes table, chain, set, map or element, not "${what}"`, at);
    const named = this.readTableName();
    const table = this.tableNamed(named);
    if (what === "table") this.tables = this.tables.filter((one) => one !== table);
    else if (what === "chain") table.chains.delete(this.chainNamed(table).name);
    else if (what === "element") {
      const set = this.setNamed(table);
      const gone = new Set(readElements(lexer, set.types, "none").map(({ key }) => JSON.stringify(key)));
      set.elements = set.elements.filter(({ key }) => !gone.has(JSON.stringify(key)));
    } else table.removeSet(this.setNamed(table).facts.name);
  }
}
