import { describe, expect, it } from "vitest";
import { readRules } from "../../src/syntax/read.js";
import { printInPieces, printRules } from "../../src/syntax/iptables/printer.js";

describe("a text in pieces", () => {
  it.each([0, 1, 1999, 2000, 2001, 9000])("%i rules: the pieces make the text, and none is long", (count) => {
    const rules = Array.from({ length: count }, (_, i) => `-A INPUT -s 10.0.${i >> 8}.${i & 255}/32 -j ACCEPT`);
    const text = [
      "*filter",
      ":INPUT ACCEPT [0:0]",
      ":FORWARD ACCEPT [0:0]",
      ":OUTPUT ACCEPT [0:0]",
      ...rules,
      "COMMIT",
      "",
    ].join("\n");
    const pieces = [...printInPieces(readRules(text).ruleset!)];
    expect(pieces.join("")).toBe(text);
    expect(printRules(readRules(text).ruleset!)).toBe(text);
    for (const piece of pieces) expect(piece.split("\n").length).toBeLessThanOrEqual(2002);
  });
});
