import { describe, expect, it } from "vitest";
import { baseChains, resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";

const save = (...lines: string[]): string =>
  ["*nat", ":PREROUTING ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", ...lines, "COMMIT", ""].join("\n");
const problems = (text: string, options = {}): string[] => {
  const { ruleset, problems: read } = readRules(text, options);
  return (ruleset === undefined ? read : resolve(ruleset).problems).map(
    (p) => `${p.severity} ${p.code} ${p.span?.line}:${p.span?.column}`,
  );
};

describe("resolve", () => {
  it.each([
    ["an undefined chain", save("-A PREROUTING -j NOWHERE"), ["error undefined-chain 4:1"]],
    ["a jump to itself", save(":a - [0:0]", "-A a -j a"), ["error jump-loop 5:1"]],
    [
      "a loop over three chains",
      save(":a - [0:0]", ":b - [0:0]", ":c - [0:0]", "-A a -j b", "-A b -g c", "-A c -j a"),
      ["error jump-loop 9:1"],
    ],
    ["a jump to a base chain", save(":a - [0:0]", "-A a -j POSTROUTING"), ["error jump-to-base-chain 5:1"]],
    [
      "DNAT in postrouting",
      save("-A POSTROUTING -p tcp -j DNAT --to-destination 10.0.0.1"),
      ["error nat-in-wrong-hook 4:1"],
    ],
    [
      "MASQUERADE reached from prerouting",
      save(":a - [0:0]", "-A PREROUTING -j a", "-A a -j MASQUERADE"),
      ["error nat-in-wrong-hook 6:1"],
    ],
    [
      "DNAT outside nat",
      "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -j DNAT --to-destination 10.0.0.1\nCOMMIT\n",
      ["error nat-outside-nat 3:1"],
    ],
    ["a rule set that is fine", save(":a - [0:0]", "-A PREROUTING -j a", "-A PREROUTING -j a", "-A a -j RETURN"), []],
  ])("%s", (_, text, want) => expect(problems(text)).toEqual(want));

  it("an undefined chain of a bare listing is a warning", () => {
    expect(problems("-A KUBE-SERVICES -j KUBE-SVC-X\n")).toEqual(["warning undefined-chain 1:1"]);
  });

  it("follows jumps as deep as there are chains", () => {
    const depth = 20_000;
    const chains = Array.from({ length: depth }, (_, i) => `:c${i} - [0:0]`);
    const jumps = Array.from({ length: depth - 1 }, (_, i) => `-A c${i} -j c${i + 1}`);
    expect(problems(save(...chains, ...jumps))).toEqual([]);
    expect(problems(save(...chains, ...jumps, `-A c${depth - 1} -j c0`))).toHaveLength(1);
  });

  it("numbers rules and orders base chains by priority", () => {
    const { ruleset } = readRules(
      `*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j LOG\nCOMMIT\n*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j LOG\nCOMMIT\n`,
    );
    const resolved = resolve(ruleset!);
    expect(baseChains(resolved, "ip", "forward").map((chain) => chain.table.name)).toEqual(["mangle", "filter"]);
    expect(resolved.rules.map((rule) => [rule.id, rule.number])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(baseChains(resolved, "ip6", "forward")).toEqual([]);
  });
});
