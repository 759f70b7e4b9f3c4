import type { LimitMatch } from "../../../ruleset/types.js";
import type { StatementSyntax } from "../context.js";
import { readNumber } from "../expression.js";

const DEFAULT_BURST = 5;
const units: readonly string[] = ["second", "minute", "hour", "day"];

/** `limit rate [over] 10/second [burst 5 packets]`. Rates of bytes, by the week and named limits are kept as their text. */
export const limit: StatementSyntax<LimitMatch> = {
  kinds: ["limit"],
  words: ["limit"],
  read: ({ lexer }) => {
    const { text, start } = lexer;
    const form = /^limit\s+rate\s+(?:over\s+)?\d+\s*\/\s*(\w+)/.exec(text.slice(start, start + 120));
    if (form === null || form[1] === "week") return undefined;
    const [whole, unitWord] = form as unknown as [string, string];
    if (!units.includes(unitWord)) {
      const message = `unknown unit of time "${unitWord}": expected ${units.join(", ")} or week`;
      lexer.fail("bad-rate", message, start + whole.length - unitWord.length);
    }
    lexer.next();
    lexer.next();
    const negate = lexer.accept("over");
    const at = lexer.start;
    const rate = readNumber(lexer, "a rate");
    if (rate === 0) lexer.fail("bad-rate", "a rate of 0 lets nothing through: nft refuses it", at);
    lexer.next();
    const unit = lexer.take("a unit of time") as LimitMatch["unit"];
    let burst = DEFAULT_BURST;
    if (lexer.accept("burst")) {
      burst = readNumber(lexer, "a burst") || DEFAULT_BURST;
      lexer.accept("packets");
    }
    return { kind: "limit", nft: true, rate, unit, burst, negate };
  },
  print: ({ rate, unit, burst, negate }) =>
    `limit rate ${negate ? "over " : ""}${rate}/${unit}${burst === DEFAULT_BURST ? "" : ` burst ${burst} packets`}`,
};
