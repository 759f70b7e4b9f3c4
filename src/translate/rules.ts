import type { Action, Match, Rule, Statement, Verdict } from "../ruleset/types.js";
import { translateAction } from "./actions.js";
import { isPure } from "../engine/compile/head.js";
import { asksForPorts } from "./conntrack.js";
import { isStateful, type MatchContext, translateMatch } from "./matches.js";
import type { Names } from "./names.js";
import { refuseRule } from "./refusal.js";

/** The longest comment of an nftables rule (NFTNL_UDATA_COMMENT_MAXLEN). */
const LONGEST_COMMENT = 128;

/**
 * An iptables rule as nftables rules: one, or several of which a packet matches one at most, where a test there is an alternative here; none
 * where it can never match. Throws ProblemError with the rule's line where something has no counterpart.
 */
export function translateRule(rule: Rule, context: MatchContext, names: Names): Rule[] {
  const tests = rule.statements.map((statement) =>
    isAction(statement) ? [translateAction(statement, rule, names)] : translateMatch(statement, context),
  );
  const several = tests.filter((alternatives) => alternatives.length > 1).length > 0;
  const stateful = rule.statements.find(
    (statement): statement is Match => !isAction(statement) && isStateful(statement),
  );
  if (several && stateful !== undefined)
    refuseRule(rule, `${stateful.kind} would be kept twice: its rule needs two rules in nftables`);
  const comment = commentOf(rule);
  return combine(tests).map((statements) => ({
    statements: withCounter(dropImplied(statements), rule),
    ...(comment === undefined ? {} : { comment }),
    ...(rule.span === undefined ? {} : { span: rule.span }),
  }));
}

/** Every way to take one alternative of each. */
function combine(tests: readonly (readonly (readonly Statement[])[])[]): Statement[][] {
  return tests.reduce<Statement[][]>(
    (done, alternatives) => done.flatMap((before) => alternatives.map((next) => [...before, ...next])),
    [[]],
  );
}

const ACTIONS: ReadonlySet<string> = new Set<(Action | Verdict)["kind"]>([
  "accept",
  "drop",
  "reject",
  "return",
  "continue",
  "jump",
  "goto",
  "verdict-map",
  "dnat",
  "snat",
  "masquerade",
  "redirect",
  "set-mark",
  "copy-mark",
  "assign",
  "log",
  "notrack",
  "set-update",
  "counter",
  "opaque-target",
]);

export function isAction(statement: Statement): statement is Action | Verdict {
  return ACTIONS.has(statement.kind);
}

/**
 * `meta l4proto tcp tcp dport 80` says the protocol twice: the first goes where nothing between keeps state. Where a port of the connection is
 * tested between, which nft reads only behind a protocol, the port of the packet comes first: tests without state may change places.
 */
function dropImplied(statements: readonly Statement[]): Statement[] {
  const left = [...statements];
  for (let i = 0; i < left.length; i++) {
    const statement = left[i]!;
    if (statement.kind !== "protocol" || statement.negate) continue;
    const { protocol } = statement;
    const at = left.findIndex((other, j) => j > i && readsHeader(other, protocol));
    if (left.slice(0, i).some((other) => saysProtocol(other, protocol))) left.splice(i--, 1);
    else if (at > 0 && left.slice(i + 1, at).every(isPure)) {
      const between = left.slice(i + 1, at);
      if (between.some(leansOnProtocol)) left.splice(i, at - i + 1, left[at]!, ...between);
      else left.splice(i--, 1);
    }
  }
  return left;
}

/** A test of the protocol's own header, which says the protocol too. */
function readsHeader(statement: Statement, protocol: number): boolean {
  if (statement.kind === "transport") return statement.protocol === protocol;
  return statement.kind === "compare" && statement.left.kind === "field" && statement.left.protocol === protocol;
}

/** nft must know the protocol before it. */
function leansOnProtocol(statement: Statement): boolean {
  return statement.kind === "conntrack" && asksForPorts(statement);
}

function saysProtocol(statement: Statement, protocol: number): boolean {
  return statement.kind === "protocol"
    ? !statement.negate && statement.protocol === protocol
    : readsHeader(statement, protocol);
}

/** A counter stands behind all tests. */
function withCounter(statements: Statement[], { counters }: Rule): Statement[] {
  if (counters === undefined) return statements;
  const at = statements.findLastIndex((statement) => !isAction(statement)) + 1;
  const counter: Statement = { kind: "counter", packets: counters.packets, bytes: counters.bytes };
  return [...statements.slice(0, at), counter, ...statements.slice(at)];
}

/** The first comment that nft can write: it knows no quotation marks within. */
function commentOf({ statements }: Rule): string | undefined {
  for (const statement of statements)
    if (
      statement.kind === "comment" &&
      Buffer.byteLength(statement.text) <= LONGEST_COMMENT &&
      !/["\n\\]/.test(statement.text)
    )
      return statement.text === "" ? undefined : statement.text;
  return undefined;
}
