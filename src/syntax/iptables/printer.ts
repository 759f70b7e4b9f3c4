/** A rule set as iptables-save prints it. It sees the language in the middle alone, never the source text. */
import { error, ProblemError } from "../../ruleset/problem.js";
import type { Action, Chain, Match, Rule, RuleSet, Statement, Table, Verdict } from "../../ruleset/types.js";
import { HEADER_PLACES, type HeaderMatch, headerPlace, printHeader } from "./header.js";
import type { MatchSyntax, TargetSyntax } from "./module.js";
import { type MatchKindOfIptables, matches, type TargetKindOfIptables, targets } from "./registry.js";

/** Lines of a piece: few enough to die young, many enough that writing them costs nothing. */
const PIECE = 2000;

/**
 * Prints every table: as `*table` ... `COMMIT`, or, where it was read from a bare listing, as `iptables -S` does. Throws ProblemError
 * where iptables has no words for something (sets, verdict maps, family inet).
 */
export function printRules(ruleset: RuleSet): string {
  return [...printInPieces(ruleset)].join("");
}

/** The text of `printRules` in pieces: that of a large cluster is hundreds of megabytes, and holding its lines until the end takes longer than making them. */
export function* printInPieces(ruleset: RuleSet): Generator<string> {
  for (const table of ruleset.tables) {
    if (table.family === "inet" || table.sets.length > 0 || table.maps.length > 0)
      throw new ProblemError(
        error(
          "not-iptables",
          `table ${table.name} (${table.family}) has no iptables spelling: it has sets, maps or both families`,
          table.span,
        ),
      );
    yield* table.partial === true ? printListing(table) : printTable(table);
  }
  if (ruleset.remarks) yield piece([...ruleset.remarks]);
}

/** The lines as text, and none left. */
function piece(lines: string[]): string {
  const text = lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  lines.length = 0;
  return text;
}

function* printTable(table: Table): Generator<string> {
  const lines: string[] = [...(table.remarks?.before ?? []), `*${table.name}`];
  for (const { name, base, counters } of table.chains) {
    const policy = base === undefined ? "-" : base.policy.toUpperCase();
    lines.push(`:${name} ${policy} [${counters?.packets ?? 0}:${counters?.bytes ?? 0}]`);
  }
  for (const chain of table.chains) {
    for (const rule of chain.rules) {
      if (rule.remarks) lines.push(...rule.remarks);
      const { counters } = rule;
      const line = printRule(rule, chain.name);
      lines.push(counters === undefined ? line : `[${counters.packets}:${counters.bytes}] ${line}`);
      if (lines.length >= PIECE) yield piece(lines);
    }
  }
  lines.push("COMMIT", ...(table.remarks?.after ?? []));
  yield piece(lines);
}

/** Chains are declared only where the rules alone would not say which there are, and in which order. */
function* printListing(table: Table): Generator<string> {
  const lines: string[] = [];
  if (table.chains.some((chain) => chain.rules.length === 0 || chain.base?.policy === "drop" || chain.counters))
    for (const chain of table.chains) lines.push(declaration(chain));
  for (const chain of table.chains) {
    for (const rule of chain.rules) {
      if (rule.remarks) lines.push(...rule.remarks);
      lines.push(`-A ${chain.name}${printStatements(rule, true)}`);
      if (lines.length >= PIECE) yield piece(lines);
    }
  }
  yield piece(lines);
}

function declaration({ name, base, counters }: Chain): string {
  const counted = counters === undefined ? "" : ` -c ${counters.packets} ${counters.bytes}`;
  return base === undefined ? `-N ${name}` : `-P ${name} ${base.policy.toUpperCase()}${counted}`;
}

/** `-A CHAIN ...`, without counters. */
export function printRule(rule: Rule, chain: string): string {
  return `-A ${chain}${printStatements(rule, false)}`;
}

/** With `counted`, the counters stand before the target, as `iptables -v -S` prints them. */
function printStatements(rule: Rule, counted: boolean): string {
  const header: (string | undefined)[] = [];
  let matching = "";
  let target = "";
  rule.statements.forEach((statement, i) => {
    const place = headerPlace(statement);
    if (place >= 0) {
      if (header[place] !== undefined) throw cannotSpell(rule, "two tests of the same field in one rule");
      header[place] = printHeader(statement as HeaderMatch);
    } else if (isMatch(statement)) matching += printMatch(statement, rule);
    else if (i < rule.statements.length - 1) throw cannotSpell(rule, `${statement.kind} before the end of a rule`);
    else target = printTarget(statement, rule);
  });
  let text = "";
  for (let i = 0; i < HEADER_PLACES; i++) text += header[i] ?? "";
  const { counters } = rule;
  return `${text}${matching}${counted && counters ? ` -c ${counters.packets} ${counters.bytes}` : ""}${target}`;
}

function isMatch(statement: Statement): statement is Match {
  return statement.kind === "opaque-match" || statement.kind === "lookup" || Object.hasOwn(matches, statement.kind);
}

/** One match as iptables-save prints it, with the blank before it. */
function printMatch(match: Match, rule: Rule): string {
  if (match.kind === "opaque-match") return ` ${ownText(match.text, rule)}`;
  const syntax = matches[match.kind as MatchKindOfIptables] as MatchSyntax | undefined;
  if (syntax === undefined) throw cannotSpell(rule, match.kind);
  return syntax.print(match);
}

function printTarget(statement: Statement, rule: Rule): string {
  if (statement.kind === "opaque-target") return ` ${ownText(statement.text, rule)}`;
  const syntax = targets[statement.kind as TargetKindOfIptables] as TargetSyntax | undefined;
  if (syntax === undefined) throw cannotSpell(rule, statement.kind);
  return syntax.print(statement as Action | Verdict);
}

/** A text that iptables wrote; nft keeps texts of its own. */
function ownText(text: string, rule: Rule): string {
  if (!/^(! )?-/.test(text)) throw cannotSpell(rule, `"${text}"`);
  return text;
}

function cannotSpell(rule: Rule, what: string): ProblemError {
  return new ProblemError(error("not-iptables", `iptables has no spelling for ${what}`, rule.span));
}
