import { expect, test } from "vitest";
import { readRules } from "../../src/syntax/read.js";

// "constructor" is a property of every object: a table of words that is an object knows it.
const cases = [
  ["a table", "*constructor\n:INPUT ACCEPT [0:0]\nCOMMIT\n", { line: 1, column: 2 }],
  [
    "a level",
    "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j LOG --log-level constructor\nCOMMIT\n",
    { line: 3, column: 29 },
  ],
  ["an operator", "table ip t {\n\tchain c {\n\t\ttcp dport constructor 80 accept\n\t}\n}\n", { line: 3, column: 13 }],
] as const;

test.each(cases)("constructor is no name of %s", (_, text, span) => {
  const { problems } = readRules(text);
  expect(problems.map((problem) => problem.span)).toContainEqual(span);
});
