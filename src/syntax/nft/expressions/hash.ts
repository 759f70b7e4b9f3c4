import type { Expression, HashExpression } from "../../../ruleset/types.js";
import { parseNumber, UINT32 } from "../../iptables/values.js";
import { dataTypes } from "../data-types.js";
import type { Lexer } from "../lexer.js";
import type { Operand } from "../operand.js";
import { readModulus, readOffset } from "./numgen.js";

/** `jhash a . b mod N [seed S] [offset M]` (src/hash.c). */
export function readHash(lexer: Lexer, readInputs: (lexer: Lexer) => readonly Operand[]): Operand {
  lexer.next();
  const inputs = readInputs(lexer).map((input) => input.expression);
  lexer.expect("mod", "after what jhash is of");
  const mod = readModulus(lexer);
  let seed: number | undefined;
  if (lexer.accept("seed")) {
    const { start } = lexer;
    seed = parseNumber(lexer.take("a number after seed"), UINT32);
    if (seed === undefined) lexer.fail("bad-number", `seed needs a number from 0 to ${UINT32}`, start);
  }
  const offset = readOffset(lexer);
  const known = inputs.filter((input): input is Expression => input !== undefined);
  const hash: HashExpression = { kind: "hash", inputs: known, mod, offset, ...(seed === undefined ? {} : { seed }) };
  return { expression: known.length === inputs.length ? hash : undefined, type: dataTypes.integer };
}

export function printHash(
  { inputs, mod, seed, offset }: HashExpression,
  printInputs: (inputs: readonly Expression[]) => string,
): string {
  const seeded = seed === undefined ? "" : ` seed 0x${seed.toString(16)}`;
  return `jhash ${printInputs(inputs)} mod ${mod}${seeded}${offset === 0 ? "" : ` offset ${offset}`}`;
}
