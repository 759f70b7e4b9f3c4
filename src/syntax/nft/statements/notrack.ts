import type { NotrackAction } from "../../../ruleset/types.js";
import type { StatementSyntax } from "../context.js";

export const notrack: StatementSyntax<NotrackAction> = {
  kinds: ["notrack"],
  words: ["notrack"],
  read: ({ lexer }) => {
    lexer.next();
    return { kind: "notrack", target: "CT" };
  },
  print: () => "notrack",
};
