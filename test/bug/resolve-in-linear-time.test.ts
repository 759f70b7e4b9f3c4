import { expect, it } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import type { Chain, RuleSet } from "../../src/ruleset/types.js";

/** Every DNAT once asked whether its table is one of iptables, and each answer looked at all chains of the table. */
it("a table of 100,000 endpoint chains is resolved in seconds", () => {
  const chains = Array.from({ length: 100_000 }, (_, i): Chain => {
    const to = { addresses: [i, i] as const, ports: [80, 80] as const };
    return { name: `KUBE-SEP-${i}`, rules: [{ statements: [{ kind: "dnat", to }] }] };
  });
  const ruleset: RuleSet = { tables: [{ family: "ip", name: "nat", chains, sets: [], maps: [] }] };
  const began = performance.now();
  expect(resolve(ruleset).problems).toEqual([]);
  expect(performance.now() - began).toBeLessThan(4000);
});
