import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { readRules } from "../../src/syntax/read.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { plain, printPlain, readClean } from "./round-trip.js";

const rerun = "rerun with fc.assert(..., { seed, path }) of the report above in test/syntax/law-b.test.ts";

function family(ruleset: RuleSet): "ip" | "ip6" {
  return ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
}

describe("law B: read(print(x)) is x", () => {
  it("for every rule set of the language of iptables", () => {
    fc.assert(
      fc.property(arbitraryRuleSet(), (ruleset) => {
        const text = printPlain(ruleset);
        expect(plain(readClean(text, { family: family(ruleset) })), `${text}\n${rerun}`).toEqual(plain(ruleset));
      }),
      { numRuns: 200 },
    );
  });

  it("and such rule sets resolve without problems", () => {
    fc.assert(
      fc.property(arbitraryRuleSet(), (ruleset) => {
        expect(resolve(ruleset).problems, rerun).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("for a spelling nobody prints: options in any order, -m before -p, extra blanks, blank lines", () => {
    fc.assert(
      fc.property(arbitraryRuleSet({ family: "ip" }), fc.integer(), (ruleset, seed) => {
        let state = seed | 1;
        const random = (n: number): number => (state = Math.imul(state, 48271) >>> 0) % n;
        const shuffled = printPlain(ruleset)
          .split("\n")
          .map((line) => (line.startsWith("-A") ? shuffle(line, random) : line))
          .join(random(2) === 0 ? "\n" : "\n\n");
        const read = readClean(shuffled);
        expect(plain(readClean(printPlain(read))), `${shuffled}\n${rerun}`).toEqual(plain(read));
        expect(plain(read), `${shuffled}\n${rerun}`).toEqual(plain(readClean(printPlain(ruleset))));
      }),
      { numRuns: 100 },
    );
  });
});

/** Moves the options of the rule itself behind its matches and target, which all stay in their order. */
function shuffle(line: string, random: (n: number) => number): string {
  const header = / (! )?(-[sdiop] \S+|-f)(?= |$)/g;
  const end = line.search(/ -[mjg] /);
  const head = end < 0 ? line : line.slice(0, end);
  const options = [...head.matchAll(header)].map(([option]) => option);
  if (end < 0 || options.length === 0) return line;
  const name = head.replace(header, "");
  const rest = line.slice(end);
  const first = rest.indexOf(" -m ", 1);
  const at = first > 0 && !rest.slice(0, first).includes('"') ? first : rest.length;
  const moved = options.map((option) => `${" ".repeat(random(3))}${option}`).sort(() => random(3) - 1);
  return name + rest.slice(0, at) + moved.join("") + rest.slice(at);
}

describe("comment lines and listings", () => {
  const text = [
    "# first",
    "*nat",
    "# in the table",
    ":PREROUTING ACCEPT [1:2]",
    "# before a rule",
    "# and another",
    "-A PREROUTING -j ACCEPT",
    "# at the end",
    "COMMIT",
    "# Completed on a day",
    "# Generated again",
    "*filter",
    ":INPUT DROP [0:0]",
    "# Completed inside",
    "COMMIT",
    "# last",
    "",
  ].join("\n");

  it("keep their place, or find one from which they read back the same", () => {
    const read = readClean(text);
    expect(read.tables[0]!.chains[0]!.rules[0]!.remarks).toEqual([
      "# in the table",
      "# before a rule",
      "# and another",
    ]);
    expect(read.tables[0]!.remarks).toEqual({ before: ["# first"], after: ["# at the end", "# Completed on a day"] });
    expect(read.remarks).toEqual(["# Completed inside", "# last"]);
    expect(plain(readClean(printPlain(read)))).toEqual(plain(read));
  });

  it("a bare listing prints back line for line", () => {
    const listing = [
      '-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "default/nginx: cluster IP" -m tcp --dport 80 -j KUBE-SVC-A',
      "# endpoints",
      "-A KUBE-SVC-A -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A",
      "-A KUBE-SVC-A -j KUBE-SEP-B",
      "# end",
      "",
    ].join("\n");
    const read = readClean(listing);
    expect(read.tables[0]).toMatchObject({ name: "nat", family: "ip", partial: true });
    expect(printPlain(read)).toBe(listing);
    expect(readRules(listing).format).toBe("iptables-listing");
  });

  it("-I inserts, -c counts, lists of addresses make several rules, -4 and -6 choose", () => {
    const read = readRules(
      "*filter\n-A INPUT -j ACCEPT\n-I INPUT -j DROP\n-I INPUT 2 -s 1.2.3.4,5.6.7.8 -c 3 4 -j RETURN\n-A INPUT -6 -j DROP\n-A INPUT -4\nCOMMIT\n",
    );
    expect(read.problems.map((problem) => [problem.code, problem.span?.line])).toEqual([["other-family", 5]]);
    expect(printPlain(read.ruleset!)).toBe(
      "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n[3:4] -A INPUT -s 1.2.3.4/32 -j RETURN\n[3:4] -A INPUT -s 5.6.7.8/32 -j RETURN\n-A INPUT -j ACCEPT\n-A INPUT\nCOMMIT\n",
    );
  });

  it("lines that end in CR LF read the same", () => {
    expect(plain(readClean(text.replaceAll("\n", "\r\n")))).toEqual(plain(readClean(text)));
  });

  it("spans say where tables, chains and rules stand", () => {
    const { tables } = readClean("# c\n*nat\n:OUTPUT ACCEPT [0:0]\n  [1:1] -A OUTPUT -j ACCEPT\nCOMMIT\n");
    expect(tables[0]!.span).toEqual({ line: 2, column: 1 });
    expect(tables[0]!.chains[0]!.span).toEqual({ line: 3, column: 1 });
    expect(tables[0]!.chains[0]!.rules[0]!.span).toEqual({ line: 4, column: 3 });
  });
});
