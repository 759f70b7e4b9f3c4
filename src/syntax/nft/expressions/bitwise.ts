/** `&`, `|` and `^`: all are `(of & mask) ^ xor` to the kernel (src/netlink_linearize.c), and come back from it in one form. */
import { type Address, addressWords } from "../../../packet/address.js";
import type { BitwiseExpression, Expression } from "../../../ruleset/types.js";
import type { DataType } from "../data-types.js";
import { printMasked } from "../values.js";
import { hostPrefix } from "../../../packet/prefix.js";

export type BitOperator = "&" | "|" | "^";
type Bits = number | Address;

const ONES = 0xffffffff;

function eachWord(a: Bits, b: Bits, operate: (a: number, b: number) => number): Bits {
  const others = addressWords(b);
  const words = addressWords(a).map((word, i) => operate(word, others[i] ?? 0) >>> 0);
  return words.length === 1 ? words[0]! : (words as unknown as Address);
}

const and = (a: Bits, b: Bits): Bits => eachWord(a, b, (x, y) => x & y);
const or = (a: Bits, b: Bits): Bits => eachWord(a, b, (x, y) => x | y);
const xor = (a: Bits, b: Bits): Bits => eachWord(a, b, (x, y) => x ^ y);
const not = (a: Bits): Bits => eachWord(a, a, (x) => ~x);
const isAll = (a: Bits, word: number): boolean => addressWords(a).every((one) => one === word);

/** The expression after one more operator; two constants make a constant. */
export function applyBits(of: Expression, operator: BitOperator, by: Bits): Expression {
  if (of.kind === "value" && Array.isArray(of.value) && typeof by === "number") {
    const value = (of.value as readonly [number, number])[0];
    const result = (operator === "&" ? value & by : operator === "|" ? value | by : value ^ by) >>> 0;
    return { kind: "value", value: [result, result] };
  }
  const old = of.kind === "bitwise" ? of : { of, mask: not(and(by, not(by))), xor: and(by, not(by)) };
  const { mask: m, xor: x } = old;
  const [mask, flipped] =
    operator === "&"
      ? [and(m, by), and(x, by)]
      : operator === "^"
        ? [m, xor(x, by)]
        : [and(m, not(by)), or(and(x, not(by)), by)];
  return { kind: "bitwise", of: old.of, mask, xor: flipped };
}

/** As nft prints what the kernel holds (netlink_parse_bitwise_bool). `left` is the operand as text. */
export function printBitwise({ mask, xor: flipped }: BitwiseExpression, left: string, type: DataType): string {
  const show = (bits: Bits): string =>
    type.prefixes && type.name !== "mark" ? printMasked(hostPrefix(bits)) : type.formatNumber(bits as number);
  const ored = and(flipped, not(mask));
  const xored = and(flipped, mask);
  const anded = or(mask, ored);
  let text = left;
  if (!isAll(anded, ONES)) text += ` & ${show(anded)}`;
  if (!isAll(xored, 0)) text += ` ^ ${show(xored)}`;
  if (!isAll(ored, 0)) text += ` | ${show(ored)}`;
  return text;
}
