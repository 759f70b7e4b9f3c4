/**
 * What nft changes of a rule between reading and listing it (src/evaluate.c, netlink_delinearize.c): tests that a later one implies are
 * left out, tests that an earlier one settles are made plain, neighbours in a header stand in its order, and what a statement implies is said.
 */
import { TCP } from "../../packet/protocol.js";
import type { Expression, FieldExpression, Match, Statement, TableFamily } from "../../ruleset/types.js";
import { familyOf } from "../../packet/address.js";
import { familyOfAnswer } from "./statements/reject.js";

/** The statements in the form in which nft lists them. */
export function normalise(statements: readonly Statement[], family: TableFamily): readonly Statement[] {
  if (!statements.some(needsCare)) return statements;
  const result: Statement[] = [];
  /** Where in the result a test stands that the next header implies. */
  let transport = -1;
  let network = -1;
  /** What the rule has settled so far. */
  let protocol: number | undefined;
  let version: "ip" | "ip6" | undefined = family === "inet" ? undefined : family;
  const remove = (at: number): void => {
    result.splice(at, 1);
    if (transport > at) transport--;
    if (network > at) network--;
  };
  for (const given of statements) {
    let statement = protocol === undefined ? given : withProtocol(given, protocol);
    const used = fieldsOf(statement);
    if (transport >= 0 && protocol !== undefined && used.protocols.has(protocol)) {
      remove(transport);
      transport = -1;
    }
    if (network >= 0 && version !== undefined && used.families.has(version)) {
      remove(network);
      network = -1;
    }
    if (statement.kind === "protocol" && !statement.negate) {
      protocol = statement.protocol;
      transport = result.length;
    } else if (isVersion(statement)) {
      version = (statement.right as readonly [number, number])[0] === 2 ? "ip" : "ip6";
      network = result.length;
    } else if (statement.kind === "reject") statement = sayImplied(statement, result, family, protocol, version);
    else if (!isComparison(statement)) transport = network = -1;
    for (const one of used.protocols) protocol ??= one;
    for (const one of used.families) version ??= one;
    if (!joins(result, statement)) result.push(statement);
  }
  return result;
}

function needsCare({ kind, ...rest }: Statement): boolean {
  if (kind === "protocol" || kind === "transport" || kind === "icmp" || kind === "reject") return true;
  return kind === "compare" && fieldOf((rest as { left: Expression }).left) !== undefined;
}

const fieldOf = (left: Expression): FieldExpression | undefined =>
  left.kind === "field" && (left.field === "nfproto" || left.field === "icmp-code") ? left : undefined;

function isVersion(statement: Statement): statement is Extract<Match, { kind: "compare" }> {
  if (
    statement.kind !== "compare" ||
    statement.negate ||
    statement.left.kind !== "field" ||
    statement.left.field !== "nfproto"
  )
    return false;
  return Array.isArray(statement.right) && statement.right[0] === statement.right[1];
}

const comparisons: ReadonlySet<string> = new Set([
  "address",
  "address-range",
  "interface",
  "protocol",
  "transport",
  "icmp",
  "mark",
  "conntrack",
  "address-type",
  "random",
  "compare",
  "lookup",
  "opaque-match",
  "verdict-map",
]);
const isComparison = ({ kind }: Statement): boolean => comparisons.has(kind);

/** The protocols and families whose headers a statement reads. */
function fieldsOf(statement: Statement): { protocols: Set<number>; families: Set<"ip" | "ip6"> } {
  const protocols = new Set<number>();
  const families = new Set<"ip" | "ip6">();
  if (statement.kind === "transport" && statement.protocol !== null) protocols.add(statement.protocol);
  if (statement.kind === "icmp") protocols.add(statement.protocol);
  if (statement.kind === "address") families.add(familyOf(statement.value));
  if (statement.kind === "address-range") families.add(familyOf(statement.first));
  const add = (expression: Expression): void => {
    if (expression.kind === "field") {
      if (expression.protocol !== undefined) protocols.add(expression.protocol);
      if (expression.family !== undefined && !expression.field.startsWith("ct-") && expression.spelled === undefined)
        families.add(expression.family);
    } else if (expression.kind === "bitwise") add(expression.of);
    else if (expression.kind === "hash") expression.inputs.forEach(add);
    else if (expression.kind === "map") expression.key.forEach(add);
  };
  if (statement.kind === "compare") add(statement.left);
  if (statement.kind === "lookup" || statement.kind === "verdict-map" || statement.kind === "set-update")
    statement.key.forEach(add);
  if (statement.kind === "assign") add(statement.value);
  return { protocols, families };
}

/** `th dport` after `meta l4proto tcp` is `tcp dport`. */
function withProtocol(statement: Statement, protocol: number): Statement {
  const named = (expression: Expression): Expression =>
    expression.kind === "field" &&
    (expression.field === "sport" || expression.field === "dport") &&
    expression.protocol === undefined
      ? { ...expression, protocol }
      : expression;
  if (statement.kind === "transport" && statement.protocol === null) return { ...statement, protocol };
  if (
    (statement.kind === "lookup" || statement.kind === "verdict-map") &&
    statement.key.some((part) => named(part) !== part)
  )
    return { ...statement, key: statement.key.map(named) };
  return statement;
}

/** Two exact tests of neighbouring bytes of one header are one test to the kernel, and come back in the header's order. */
function joins(result: Statement[], statement: Statement): boolean {
  const last = result[result.length - 1];
  if (last === undefined) return false;
  if (statement.kind === "transport" && last.kind === "transport" && last.protocol === statement.protocol) {
    if (!isExact(last.dport) || !isExact(statement.sport)) return false;
    result.splice(-1, 1, statement, last);
    return true;
  }
  const [type, code] = last.kind === "icmp" ? [last, statement] : [statement, last];
  if (type.kind !== "icmp" || type.negate || type.codes[1] !== 255 || code.kind !== "compare" || code.negate)
    return false;
  const { left, right } = code;
  if (left.kind !== "field" || left.field !== "icmp-code" || left.protocol !== type.protocol) return false;
  if (!Array.isArray(right) || right[0] !== right[1]) return false;
  result[result.length - 1] = { ...type, codes: [right[0] as number, right[0] as number] };
  return true;
}

function isExact(
  test:
    | { readonly ranges: readonly (readonly [number, number])[]; readonly negate: boolean; readonly spelled?: string }
    | undefined,
): boolean {
  return (
    test !== undefined &&
    !test.negate &&
    test.spelled === undefined &&
    test.ranges.length === 1 &&
    test.ranges[0]![0] === test.ranges[0]![1]
  );
}

/** A reset answers TCP alone, an ICMP code its own family: nft puts the test before the reject (stmt_evaluate_reject), where it is not there. */
function sayImplied(
  statement: Extract<Statement, { kind: "reject" }>,
  result: Statement[],
  family: TableFamily,
  protocol: number | undefined,
  version: "ip" | "ip6" | undefined,
): Statement {
  const answered = familyOfAnswer(statement.with);
  if (statement.with === "tcp-reset" && protocol === undefined)
    result.push({ kind: "protocol", protocol: TCP, negate: false });
  else if (family === "inet" && answered !== undefined && version === undefined)
    result.push({
      kind: "compare",
      left: { kind: "field", field: "nfproto" },
      right: answered === "ip" ? [2, 2] : [10, 10],
      negate: false,
    });
  return statement;
}

/** What the listing leaves out again: in a table of one family the test of TCP before a reset, in both families that of the family before an ICMP answer. */
export function withoutImplied(statements: readonly Statement[], family: TableFamily): readonly Statement[] {
  const reject = statements[statements.length - 1];
  if (reject?.kind !== "reject" || statements.length < 2) return statements;
  const leaves = (statement: Statement): boolean => {
    if (reject.with === "tcp-reset")
      return family !== "inet" && statement.kind === "protocol" && !statement.negate && statement.protocol === TCP;
    return family === "inet" && familyOfAnswer(reject.with) !== undefined && isVersion(statement);
  };
  for (let i = statements.length - 2; i >= 0 && isComparison(statements[i]!); i--)
    if (leaves(statements[i]!)) return statements.toSpliced(i, 1);
  return statements;
}
