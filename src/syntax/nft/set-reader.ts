/** The block of a set or map: types, flags, elements. */
import { BadInput } from "../iptables/module.js";
import type { Expression, KeyType, SetDefinition, Span } from "../../ruleset/types.js";
import { readComment } from "./comment.js";
import { type DataType, dataTypes } from "./data-types.js";
import { type ElementValue, readElements } from "./elements.js";
import { readConcatenation, readNumber } from "./expression.js";
import { type Lexer, Token } from "./lexer.js";
import type { DraftSet } from "./table-builder.js";
import { readTime } from "./time.js";

/** Types nft has and the language in the middle has not: sets of them are kept as their text. */
const foreignTypes: ReadonlySet<string> = new Set(
  (
    "ether_addr ether_type arp_op nf_proto_family uid gid devgroup pkttype realm classid ct_label ct_id cgroupsv2 icmpx_code ip6_type " +
    "dscp ecn ct_event time hour day ifkind symbol string lladdr igmp_type mh_type tc_handle bitmask nfproto"
  ).split(" "),
);
const flags: readonly SetDefinition["flags"][number][] = ["constant", "dynamic", "interval", "timeout"];

/**
 * Reads `{ type ...; flags ...; elements = { ... } }`, the brace at hand. Undefined, the lexer standing where it stood, where the set is
 * outside the language and must be kept as its text.
 */
export function readSetBlock(
  lexer: Lexer,
  kind: "set" | "map",
  name: string,
  span: Span,
  spanAt: (offset: number) => Span,
): DraftSet | undefined {
  const at = lexer.start;
  const facts: DraftSet["facts"] = { name, type: [], flags: [], span };
  let types: readonly DataType[] = [];
  let value: ElementValue = "none";
  const elements: DraftSet["elements"] = [];
  lexer.expect("{", `after the name of the ${kind}`);
  for (lexer.skipBreaks(); !lexer.accept("}"); lexer.skipBreaks()) {
    if (lexer.is("type") || lexer.is("typeof")) {
      const read = readTypes(lexer, kind, facts);
      if (read === undefined) return undefined;
      [types, value] = read;
    } else if (lexer.accept("elements")) {
      lexer.expect("=", "after elements");
      if (types.length === 0) lexer.fail("missing-type", `the ${kind} ${name} needs a type before its elements`);
      for (const element of readElements(lexer, types, value, spanAt)) elements.push(element);
    } else if (!readFact(lexer, facts)) return undefined;
    if (lexer.kind !== Token.Break && !lexer.is("}"))
      lexer.unexpected(`the end of the line, or "}" to close the ${kind} ${name}`);
  }
  if (types.length === 0) throw new BadInput("missing-type", `the ${kind} ${name} has no type`, at);
  return { facts, types, value, elements };
}

/** What else may stand in the block; false where it is outside the language. */
function readFact(lexer: Lexer, facts: DraftSet["facts"]): boolean {
  if (lexer.accept("flags")) {
    do {
      const { start } = lexer;
      const word = lexer.take("a flag");
      const flag = flags.find((one) => one === word);
      if (flag === undefined) lexer.fail("bad-flag", `unknown flag "${word}": a set has ${flags.join(", ")}`, start);
      addFlag(facts, flag);
    } while (lexer.accept(","));
  } else if (lexer.accept("timeout")) {
    facts.timeout = readTime(lexer);
    addFlag(facts, "timeout");
  } else if (lexer.accept("gc-interval")) facts.gcInterval = readTime(lexer);
  else if (lexer.accept("size")) facts.size = readNumber(lexer, "a number of elements");
  else if (lexer.accept("auto-merge")) facts.autoMerge = true;
  else if (lexer.accept("comment")) facts.comment = readComment(lexer);
  else if (lexer.accept("counter")) facts.counter = true;
  else if (lexer.accept("policy")) {
    const { start } = lexer;
    const policy = lexer.take("performance or memory");
    if (policy === "memory") facts.policy = policy;
    else if (policy !== "performance")
      lexer.fail("bad-policy", `the policy of a set is performance or memory, not "${policy}"`, start);
  } else if (lexer.is("limit") || lexer.is("quota") || lexer.is("ct") || lexer.is("last")) return false;
  else
    lexer.unexpected(
      "type, typeof, flags, timeout, gc-interval, size, policy, auto-merge, counter, comment or elements",
      "unknown-keyword",
    );
  return true;
}

function addFlag(facts: DraftSet["facts"], flag: SetDefinition["flags"][number]): void {
  if (!facts.flags.includes(flag)) facts.flags = flags.filter((one) => one === flag || facts.flags.includes(one));
}

/** `type A . B [: C]` or `typeof EXPRESSION [: EXPRESSION]`; undefined where one of the types is outside the language. */
function readTypes(
  lexer: Lexer,
  kind: "set" | "map",
  facts: DraftSet["facts"],
): [readonly DataType[], ElementValue] | undefined {
  const byExpression = lexer.is("typeof");
  lexer.next();
  const expressions: Expression[] = [];
  const readList = (): DataType[] | undefined => (byExpression ? readTypeof(lexer, expressions) : readTypeNames(lexer));
  const types = readList();
  if (types === undefined) return undefined;
  let value: ElementValue = "none";
  if (kind === "map") {
    lexer.expect(":", "and the type of the values: this is a map");
    if (lexer.is("interval") || lexer.is("counter") || lexer.is("quota") || lexer.is("limit")) return undefined;
    if (lexer.accept("verdict")) value = "verdict";
    else {
      const values = readList();
      if (values === undefined) return undefined;
      value = values;
    }
  } else if (lexer.is(":")) lexer.fail("not-a-map", "a set has no values: define it as a map");
  facts.type = types.map((type) => type.name);
  if (byExpression) facts.typeof = expressions;
  return [types, value];
}

function readTypeNames(lexer: Lexer): DataType[] | undefined {
  const types: DataType[] = [];
  do {
    const { start } = lexer;
    const name = lexer.take("a type such as ipv4_addr");
    if (Object.hasOwn(dataTypes, name)) types.push(dataTypes[name as KeyType]);
    else if (foreignTypes.has(name)) return undefined;
    else
      lexer.fail(
        "unknown-type",
        `unknown type "${name}": the types of sets are ${Object.keys(dataTypes).join(", ")}`,
        start,
      );
  } while (lexer.accept("."));
  return types;
}

function readTypeof(lexer: Lexer, expressions: Expression[]): DataType[] | undefined {
  const operands = readConcatenation(lexer);
  for (const { expression } of operands) {
    if (expression === undefined) return undefined;
    expressions.push(expression);
  }
  return operands.map(({ type }) => type);
}
