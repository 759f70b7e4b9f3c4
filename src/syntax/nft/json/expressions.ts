/** Expressions and values of `nft -j` (libnftables-json(5)) as the words of nft. */
import {
  BadJson,
  entryOf,
  isList,
  isObject,
  type Json,
  type JsonObject,
  listOf,
  numberOf,
  objectOf,
  plainWord,
  quoted,
  stringOf,
} from "./shape.js";

type Write = (value: JsonObject, raw: Json) => string;

const bitOperators: ReadonlySet<string> = new Set(["&", "|", "^", "<<", ">>"]);

const writers: Readonly<Record<string, Write>> = {
  payload: (value) => {
    if (value.base !== undefined)
      return `@${plainWord(value.base, "base")},${numberOf(value.offset, "offset")},${numberOf(value.len, "len")}`;
    return `${plainWord(value.protocol, "protocol")} ${plainWord(value.field, "field")}`;
  },
  meta: (value) => `meta ${plainWord(value.key, "key of meta")}`,
  ct: (value) =>
    `ct ${value.dir === undefined ? "" : `${plainWord(value.dir, "dir")} `}${words(value.key, "key of ct")}`,
  fib: (value) =>
    `fib ${listOrOne(value.flags)
      .map((flag) => plainWord(flag, "flags of fib"))
      .join(" . ")} ${plainWord(value.result, "result of fib")}`,
  numgen: (value) => `numgen ${plainWord(value.mode, "mode")} mod ${numberOf(value.mod, "mod")}${offsetOf(value)}`,
  jhash: (value) => {
    const seed = value.seed === undefined ? "" : ` seed ${numberOf(value.seed, "seed")}`;
    return `jhash ${writeExpression(value.expr!)} mod ${numberOf(value.mod, "mod")}${seed}${offsetOf(value)}`;
  },
  symhash: (value) => `symhash mod ${numberOf(value.mod, "mod")}${offsetOf(value)}`,
  concat: (_, raw) => listOf(raw, "concat").map(writeExpression).join(" . "),
  prefix: (value) => `${writeExpression(value.addr!)}/${numberOf(value.len, "len of a prefix")}`,
  range: (_, raw) => listOf(raw, "range").map(writeExpression).join("-"),
  set: (_, raw) => writeElements(raw),
  map: (value) => `${writeExpression(value.key!)} map ${writeExpression(value.data!)}`,
  elem: (value) => writeElement(value),
  exthdr: (value) =>
    `exthdr ${plainWord(value.name, "name")}${value.field === undefined ? "" : ` ${plainWord(value.field, "field")}`}`,
  "tcp option": (value) =>
    `tcp option ${plainWord(value.name ?? value.base, "name")}${value.field === undefined ? "" : ` ${plainWord(value.field, "field")}`}`,
  "ip option": (value) =>
    `ip option ${plainWord(value.name, "name")}${value.field === undefined ? "" : ` ${plainWord(value.field, "field")}`}`,
  rt: (value) =>
    `rt ${value.family === undefined ? "" : `${plainWord(value.family, "family")} `}${plainWord(value.key, "key of rt")}`,
  socket: (value) => `socket ${words(value.key, "key of socket")}`,
  osf: (value) => `osf ${words(value.key, "key of osf")}`,
};

const listOrOne = (value: Json | undefined): readonly Json[] =>
  isList(value) ? value : value === undefined ? [] : [value];
const offsetOf = (value: JsonObject): string =>
  value.offset === undefined ? "" : ` offset ${numberOf(value.offset, "offset")}`;
const words = (value: Json | undefined, what: string): string =>
  stringOf(value, what)
    .split(" ")
    .map((word) => plainWord(word, what))
    .join(" ");

/** One expression or value. */
export function writeExpression(value: Json, depth = 0): string {
  if (depth > 64) throw new BadJson("too-deep", "expressions are nested too deep");
  if (typeof value === "number") return String(numberOf(value, "a value"));
  if (typeof value === "string") return /^[\w.:/*@+-]+$/.test(value) ? value : quoted(value, "a value");
  if (isList(value)) return value.map((one) => writeExpression(one, depth + 1)).join(",");
  if (!isObject(value))
    throw new BadJson("bad-json", `an expression is a value or an object, not ${JSON.stringify(value)}`);
  const [key, inner] = entryOf(value, "an expression");
  if (bitOperators.has(key)) return writeBits(key, listOf(inner, key), depth);
  const write = Object.hasOwn(writers, key) ? writers[key] : undefined;
  if (write === undefined) throw new BadJson("unknown-keyword", `unknown expression "${key}"`);
  return write(isObject(inner) ? inner : {}, inner);
}

function writeBits(operator: string, operands: readonly Json[], depth: number): string {
  const parts = operands.map((one) => {
    if (isList(one)) return `(${one.map((flag) => writeExpression(flag, depth + 1)).join(" | ")})`;
    const text = writeExpression(one, depth + 1);
    return isObject(one) && bitOperators.has(Object.keys(one)[0] ?? "") ? `(${text})` : text;
  });
  return parts.join(` ${operator} `);
}

/** The elements of a set or map: values, or pairs of a key and a value. */
export function writeElements(value: Json): string {
  return `{ ${listOrOne(value).map(writeMember).join(", ")} }`;
}

function writeMember(member: Json): string {
  if (!isList(member)) return writeKey(member);
  const [key, value] = member;
  if (key === undefined || value === undefined || member.length !== 2)
    throw new BadJson("bad-json", "an element of a map is a list of its key and its value");
  return `${writeKey(key)} : ${isObject(value) && isVerdict(value) ? writeVerdict(value) : writeExpression(value)}`;
}

/** A key; several bits of one value are alternatives in JSON and one sum in text. */
function writeKey(key: Json): string {
  return writeExpression(key);
}

function writeElement(value: JsonObject): string {
  let text = writeExpression(value.val!);
  if (isObject(value.counter))
    text += ` counter packets ${numberOf(value.counter.packets, "packets")} bytes ${numberOf(value.counter.bytes, "bytes")}`;
  else if (value.counter !== undefined) text += " counter";
  if (value.timeout !== undefined) text += ` timeout ${numberOf(value.timeout, "timeout")}s`;
  if (value.expires !== undefined) text += ` expires ${numberOf(value.expires, "expires")}s`;
  if (value.comment !== undefined) text += ` comment ${quoted(value.comment, "comment")}`;
  return text;
}

const verdicts: ReadonlySet<string> = new Set(["accept", "drop", "continue", "return", "jump", "goto"]);

export function isVerdict(value: JsonObject): boolean {
  const [key] = Object.keys(value);
  return key !== undefined && verdicts.has(key);
}

export function writeVerdict(value: JsonObject): string {
  const [key, inner] = entryOf(value, "a verdict");
  if (key !== "jump" && key !== "goto") return key;
  return `${key} ${plainWord(objectOf(inner, key).target, "target")}`;
}
