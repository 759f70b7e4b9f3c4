import { expect, test } from "vitest";
import { readRules } from "../../src/syntax/read.js";

// It was taken for what Number makes of it: a fraction, which nft refuses, or no number at all, which orders no chains.
test.each(["0.33333333349", "1e3", "12x", "2147483648"])("a priority of %s is refused at its place", (priority) => {
  const text = `table ip t {\n\tchain c {\n\t\ttype filter hook input priority ${priority}; policy accept;\n\t}\n}\n`;
  const { ruleset, problems } = readRules(text);
  expect(ruleset).toBeUndefined();
  expect(problems[0]).toMatchObject({ span: { line: 3, column: 35 } });
});

// It was read, but its print was refused.
test("a name whose offset leads beyond 32 bits is refused at its place", () => {
  const text = (priority: string): string =>
    `table ip t {\n\tchain c {\n\t\ttype filter hook input priority ${priority}; policy accept;\n\t}\n}\n`;
  const { ruleset, problems } = readRules(text("raw - 2147483647"));
  expect(ruleset).toBeUndefined();
  expect(problems[0]).toMatchObject({ code: "bad-priority", span: { line: 3, column: 35 } });
  expect(readRules(text("raw + 2147483647")).ruleset?.tables[0]!.chains[0]!.base?.priority).toBe(2147483347);
});
