import type {
  AssignAction,
  BitwiseExpression,
  CopyMarkAction,
  Expression,
  SetMarkAction,
  TableFamily,
} from "../../../ruleset/types.js";
import { UINT32 } from "../../iptables/values.js";
import { printMap, readSet } from "../anonymous.js";
import type { Context } from "../context.js";
import { dataTypes } from "../data-types.js";
import { printExpression, readConcatenation } from "../expression.js";
import { printBitwise } from "../expressions/bitwise.js";
import { NoSpelling } from "../operand.js";
import { isNumbers } from "../values.js";

export type MarkAction = SetMarkAction | CopyMarkAction | AssignAction;
type MarkField = SetMarkAction["field"];

/**
 * What follows `meta mark set` and `ct mark set`. Bits of the packet's mark are a SetMarkAction, or saved a CopyMarkAction; anything else is
 * assigned, the connection's mark too: where a packet has no connection, reading it fails the rule, which those two do not. Undefined where
 * the value is outside the language.
 */
export function readMark(context: Context, field: MarkField): MarkAction | undefined {
  const { lexer, uses } = context;
  const operands = readConcatenation(lexer, dataTypes.mark);
  const key = operands.map(({ expression }) => expression);
  if (lexer.accept("map")) {
    const map = readSet<never>(
      lexer,
      operands.map(({ type }) => type),
      [dataTypes.mark],
      uses,
    );
    if (key.includes(undefined)) return undefined;
    return { kind: "assign", field, value: { kind: "map", key: key as Expression[], map } };
  }
  if (operands.length > 1) lexer.fail("wrong-type", "a mark is set to one value, not to a concatenation");
  const [value] = key;
  return value && markAction(field, value);
}

function markAction(field: MarkField, value: Expression): MarkAction {
  if (value.kind === "value" && isNumbers(value.value))
    return { kind: "set-mark", field, clear: UINT32, xor: value.value[0] };
  const { of, mask, xor } =
    value.kind === "bitwise" ? (value as BitwiseExpression) : { of: value, mask: UINT32, xor: 0 };
  if (of.kind === "field" && of.field === "mark") {
    if (field === "mark" && mask !== 0)
      return { kind: "set-mark", field, clear: ~(mask as number) >>> 0, xor: xor as number };
    if (field === "ctmark" && xor === 0)
      return { kind: "copy-mark", direction: "save", nfmask: mask as number, ctmask: UINT32 };
  }
  return { kind: "assign", field, value };
}

export function printMark(action: MarkAction, family: TableFamily): string {
  const name = (field: MarkField): string => (field === "mark" ? "meta mark" : "ct mark");
  if (action.kind === "copy-mark") {
    const restores = action.direction === "restore";
    const [kept, taken] = restores ? [action.nfmask, action.ctmask] : [action.ctmask, action.nfmask];
    if (kept !== UINT32) throw new NoSpelling("a mark of which only some bits are replaced by those of the other");
    const [to, from] = restores ? (["mark", "ctmark"] as const) : (["ctmark", "mark"] as const);
    const bits: BitwiseExpression = { kind: "bitwise", of: { kind: "field", field: from }, mask: taken, xor: 0 };
    return `${name(to)} set ${printBitwise(bits, name(from), dataTypes.mark)}`;
  }
  const left = `${name(action.field)} set`;
  if (action.kind === "set-mark") {
    const { field, clear, xor } = action;
    if (clear === UINT32) return `${left} ${dataTypes.mark.formatNumber(xor)}`;
    const bits: BitwiseExpression = { kind: "bitwise", of: { kind: "field", field }, mask: ~clear >>> 0, xor };
    return `${left} ${printBitwise(bits, name(field), dataTypes.mark)}`;
  }
  const { value } = action;
  return `${left} ${value.kind === "map" ? printMap(value, [dataTypes.mark], family) : printExpression(value, family)}`;
}
