import type { RuleSet } from "../../src/ruleset/types.js";
import { printRule } from "../../src/syntax/iptables/printer.js";

/** kube-proxy walks a Go map: in these chains only the order of the rules of one service port counts. */
const UNORDERED = /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$/;

/** `table chain` -> lines; those of unordered chains grouped by the service port their comment names. */
export function canonicalChains(ruleset: RuleSet): Record<string, string[]> {
  return Object.fromEntries(
    ruleset.tables.flatMap((table) =>
      table.chains.map((chain) => {
        const lines = chain.rules.map((rule) => printRule(rule, chain.name));
        return [`${table.name} ${chain.name}`, UNORDERED.test(chain.name) ? lines.toSorted(byService) : lines];
      }),
    ),
  );
}

function byService(a: string, b: string): number {
  const [x, y] = [a, b].map((line) => /--comment "([^" ]+)/.exec(line)?.[1] ?? "");
  return x! < y! ? -1 : x! > y! ? 1 : 0;
}
