import { expect, test } from "vitest";
import { printNft } from "../../src/syntax/nft/printer.js";
import { readRules } from "../../src/syntax/read.js";
import { plain, readClean } from "../syntax/round-trip.js";

const places: readonly (readonly [name: string, text: (comment: string) => string])[] = [
  ["a rule", (comment) => `table ip t {\n\tchain c {\n\t\taccept comment "${comment}"\n\t}\n}\n`],
  ["a chain", (comment) => `table ip t {\n\tchain c {\n\t\tcomment "${comment}"\n\t}\n}\n`],
  ["a table", (comment) => `table ip t {\n\tcomment "${comment}"\n}\n`],
  ["a set", (comment) => `table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\tcomment "${comment}"\n\t}\n}\n`],
  [
    "an element",
    (comment) =>
      `table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1 comment "${comment}" }\n\t}\n}\n`,
  ],
];

// A longer one was read, and cut where it was printed: what came back was another rule set. nft counts bytes, not characters.
test.each(places)("the comment of %s has 128 bytes at most, as nft says", (_, text) => {
  for (const comment of ["a".repeat(128), "\u00e4".repeat(64)]) {
    const read = readClean(text(comment));
    expect(plain(readClean(printNft(read)))).toEqual(plain(read));
  }
  for (const comment of ["a".repeat(129), "\u00e4".repeat(65)])
    expect(readRules(text(comment)).problems.map(({ code }) => code)).toContain("long-comment");
});

test("a longer comment of iptables is cut between characters, to what nft takes", () => {
  const save = `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment "a${"\u00e4".repeat(100)}" -j ACCEPT\nCOMMIT\n`;
  const printed = printNft(readClean(save));
  expect(printed).toContain(`comment "a${"\u00e4".repeat(63)}"`);
  expect(readRules(printed).problems).toEqual([]);
});
