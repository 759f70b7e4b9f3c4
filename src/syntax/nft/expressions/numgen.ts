import type { NumgenExpression } from "../../../ruleset/types.js";
import { parseNumber, UINT32 } from "../../iptables/values.js";
import type { Lexer } from "../lexer.js";

/** `numgen random|inc mod N [offset M]` (src/numgen.c). */
export function readNumgen(lexer: Lexer): NumgenExpression {
  lexer.next();
  const mode = lexer.is("inc")
    ? "inc"
    : lexer.is("random")
      ? "random"
      : lexer.unexpected("random or inc", "bad-numgen");
  lexer.next();
  lexer.expect("mod", "after the way numgen draws");
  const mod = readModulus(lexer);
  return { kind: "numgen", mode, mod, offset: readOffset(lexer) };
}

export function printNumgen({ mode, mod, offset }: NumgenExpression): string {
  return `numgen ${mode} mod ${mod}${offset === 0 ? "" : ` offset ${offset}`}`;
}

export function readModulus(lexer: Lexer): number {
  const { start } = lexer;
  const mod = parseNumber(lexer.take("a number after mod"), UINT32);
  if (mod === undefined || mod === 0) lexer.fail("bad-modulus", `mod needs a number from 1 to ${UINT32}`, start);
  return mod;
}

export function readOffset(lexer: Lexer): number {
  if (!lexer.accept("offset")) return 0;
  const { start } = lexer;
  const offset = parseNumber(lexer.take("a number after offset"), UINT32);
  if (offset === undefined) lexer.fail("bad-number", `offset needs a number from 0 to ${UINT32}`, start);
  return offset;
}
