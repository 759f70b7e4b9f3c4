/** Statements of `nft -j` as the words of nft. */
import { isVerdict, writeExpression, writeVerdict } from "./expressions.js";
import {
  BadJson,
  entryOf,
  isList,
  isObject,
  type Json,
  type JsonObject,
  numberOf,
  objectOf,
  plainWord,
  quoted,
} from "./shape.js";

type Write = (value: JsonObject, raw: Json) => string;

const writers: Readonly<Record<string, Write>> = {
  match: (value) => {
    const op = plainWord(value.op ?? "==", "op");
    return `${writeExpression(value.left!)}${op === "in" || (op === "==" && isFlags(value.right)) ? "" : ` ${op}`} ${writeExpression(value.right!)}`;
  },
  vmap: (value) => `${writeExpression(value.key!)} vmap ${writeExpression(value.data!)}`,
  mangle: (value) => `${writeExpression(value.key!)} set ${writeExpression(value.value!)}`,
  counter: (value, raw) => {
    if (typeof raw === "string") return `counter name ${quoted(raw, "counter")}`;
    if (value.packets === undefined) return "counter";
    return `counter packets ${numberOf(value.packets, "packets")} bytes ${numberOf(value.bytes, "bytes")}`;
  },
  limit: (value, raw) => {
    if (typeof raw === "string") return `limit name ${quoted(raw, "limit")}`;
    const unit = value.rate_unit === undefined ? "" : ` ${plainWord(value.rate_unit, "rate_unit")}`;
    let text = `limit rate ${value.inv === true ? "over " : ""}${numberOf(value.rate, "rate")}${unit}/${plainWord(value.per ?? "second", "per")}`;
    if (value.burst !== undefined && value.burst !== 0)
      text += ` burst ${numberOf(value.burst, "burst")} ${value.burst_unit === undefined ? "packets" : plainWord(value.burst_unit, "burst_unit")}`;
    return text;
  },
  quota: (value, raw) => {
    if (typeof raw === "string") return `quota name ${quoted(raw, "quota")}`;
    const used =
      value.used === undefined
        ? ""
        : ` used ${numberOf(value.used, "used")} ${plainWord(value.used_unit, "used_unit")}`;
    return `quota ${value.inv === true ? "over " : ""}${numberOf(value.val, "val")} ${plainWord(value.val_unit, "val_unit")}${used}`;
  },
  log: (value) => {
    let text = "log";
    if (value.prefix !== undefined) text += ` prefix ${quoted(value.prefix, "prefix")}`;
    for (const name of ["group", "snaplen", "queue-threshold"])
      if (value[name] !== undefined) text += ` ${name} ${numberOf(value[name], name)}`;
    if (value.level !== undefined) text += ` level ${plainWord(value.level, "level")}`;
    for (const flag of isList(value.flags) ? value.flags : value.flags === undefined ? [] : [value.flags])
      text += ` flags ${String(flag)
        .split(" ")
        .map((word) => plainWord(word, "flags"))
        .join(" ")}`;
    return text;
  },
  reject: (value) => {
    if (value.type === undefined) return "reject";
    const type = value.type === "tcp reset" ? "tcp reset" : plainWord(value.type, "type");
    return `reject with ${type}${value.expr === undefined ? "" : ` ${plainWord(value.expr, "expr")}`}`;
  },
  set: (value) => `${plainWord(value.op, "op")} ${setName(value.set)} { ${writeExpression(value.elem!)} }`,
  map: (value) =>
    `${plainWord(value.op, "op")} ${setName(value.map)} { ${writeExpression(value.elem!)} : ${writeExpression(value.data!)} }`,
  dnat: (value) => `dnat${natTarget(value)}`,
  snat: (value) => `snat${natTarget(value)}`,
  masquerade: (value) => `masquerade${natTarget(value)}`,
  redirect: (value) => `redirect${natTarget(value)}`,
  notrack: () => "notrack",
  xt: (value, raw) =>
    isObject(raw) ? `xt ${plainWord(value.type, "type")} ${plainWord(value.name, "name")}` : "xt match unknown",
  "ct helper": (_, raw) => `ct helper set ${quoted(raw, "ct helper")}`,
  "ct timeout": (_, raw) => `ct timeout set ${quoted(raw, "ct timeout")}`,
  "ct expectation": (_, raw) => `ct expectation set ${quoted(raw, "ct expectation")}`,
  "ct count": (value) => `ct count ${value.inv === true ? "over " : ""}${numberOf(value.val, "val")}`,
  queue: (value) => `queue${value.num === undefined ? "" : ` to ${writeExpression(value.num)}`}`,
};

const setName = (value: Json | undefined): string => `@${plainWord(value, "set").replace(/^@/, "")}`;

/** `ct state new` is "in", or a list; `==` of one flag is exact. */
function isFlags(right: Json | undefined): boolean {
  return isList(right);
}

function natTarget(value: JsonObject): string {
  let text = value.family === undefined ? "" : ` ${plainWord(value.family, "family")}`;
  if (value.addr !== undefined || value.port !== undefined) text += " to";
  if (value.addr !== undefined) {
    const address = writeExpression(value.addr);
    const bare = typeof value.addr === "string" && address.includes(":") && value.port !== undefined;
    text += ` ${bare ? `[${address}]` : bracketRange(value.addr, address, value.port !== undefined)}`;
  }
  if (value.port !== undefined) text += `${value.addr === undefined ? " " : ""}:${writeExpression(value.port)}`;
  const flags = isList(value.flags) ? value.flags : value.flags === undefined ? [] : [value.flags];
  return flags.length === 0 ? text : `${text} ${flags.map((flag) => plainWord(flag, "flags")).join(",")}`;
}

/** `[A]-[B]` where a port follows addresses of IPv6. */
function bracketRange(address: Json, text: string, ported: boolean): string {
  if (!ported || !isObject(address) || !isList(address.range) || !text.includes(":")) return text;
  return address.range.map((end) => `[${writeExpression(end)}]`).join("-");
}

export function writeStatement(statement: Json): string {
  const object = objectOf(statement, "a statement");
  if (isVerdict(object)) return writeVerdict(object);
  const [key, inner] = entryOf(object, "a statement");
  const write = Object.hasOwn(writers, key) ? writers[key] : undefined;
  if (write === undefined) throw new BadJson("unknown-keyword", `unknown statement "${key}"`);
  return write(isObject(inner) ? inner : {}, inner);
}
