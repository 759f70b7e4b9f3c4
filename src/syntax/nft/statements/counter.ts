import type { CounterAction } from "../../../ruleset/types.js";
import type { StatementSyntax } from "../context.js";
import { readNumber } from "../expression.js";

/** `counter`, `counter packets 1 bytes 60`. A named counter is kept as its text. */
export const counter: StatementSyntax<CounterAction> = {
  kinds: ["counter"],
  words: ["counter"],
  read: ({ lexer }) => {
    const { text, end } = lexer;
    if (/^[ \t]+name\b/.test(text.slice(end, end + 16))) return undefined;
    lexer.next();
    if (!lexer.accept("packets")) return { kind: "counter", packets: 0, bytes: 0 };
    const packets = readNumber(lexer, "a number of packets", Number.MAX_SAFE_INTEGER);
    lexer.expect("bytes", "after the packets of a counter");
    return { kind: "counter", packets, bytes: readNumber(lexer, "a number of bytes", Number.MAX_SAFE_INTEGER) };
  },
  print: ({ packets, bytes }) => `counter packets ${packets} bytes ${bytes}`,
};
