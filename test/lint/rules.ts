import { expect } from "vitest";
import { lint } from "../../src/lint/lint.js";
import type { Finding } from "../../src/lint/types.js";
import { resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";

/** A nat table of kube-proxy's: jumps to KUBE-SERVICES, then the given rules. Chains are declared by their use. */
export function nat(...lines: readonly string[]): string {
  return save({ nat: ["-A PREROUTING -j KUBE-SERVICES", ...lines] });
}

/** A service on 172.30.0.N:80 whose KUBE-SVC chain has these rules; endpoint K has address 10.0.0.K and chain KUBE-SEP-K. */
export function service(
  number: number,
  rules: readonly (readonly [probability: string | null, endpoint: number])[],
): string[] {
  const chain = `KUBE-SVC-${"ABCDEFGHIJKLMNOP"[number]!.repeat(16)}`;
  const endpoints = [...new Set(rules.map(([, endpoint]) => endpoint))];
  return [
    `-A KUBE-SERVICES -d 172.30.0.${number}/32 -p tcp -m comment --comment "ns/s${number}:http cluster IP" -m tcp --dport 80 -j ${chain}`,
    ...rules.map(
      ([p, k]) => `-A ${chain}${p === null ? "" : ` -m statistic --mode random --probability ${p}`} -j KUBE-SEP-${k}`,
    ),
    ...endpoints.map((k) => `-A KUBE-SEP-${k} -p tcp -m tcp -j DNAT --to-destination 10.0.0.${k}:8080`),
  ];
}

const BUILTIN: Readonly<Record<string, readonly string[]>> = {
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

/** An iptables-save text. User chains are declared by their use: as a name after -A or -N, or as the target of a jump in capitals with a dash. */
export function save(tables: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(tables)
    .map(([table, lines]) => {
      const own = BUILTIN[table]!;
      const used = lines.flatMap((line) => [
        /^-[AN] (\S+)/.exec(line)![1]!,
        ...(/ -[jg] ([A-Z]+-\S+)/.exec(line)?.slice(1) ?? []),
      ]);
      const user = [...new Set(used)].filter((chain) => !own.includes(chain));
      return [
        `*${table}`,
        ...own.map((chain) => `:${chain} ACCEPT [0:0]`),
        ...user.map((chain) => `:${chain} - [0:0]`),
        ...lines.filter((line) => line.startsWith("-A")),
        "COMMIT\n",
      ].join("\n");
    })
    .join("");
}

export function resolved(text: string): ResolvedRuleSet {
  const { ruleset, problems } = readRules(text);
  expect(problems.filter((problem) => problem.severity === "error")).toEqual([]);
  return resolve(ruleset!);
}

/** What lint finds in a text; each finding must name a line that is there. */
export function findingsIn(text: string): Finding[] {
  const findings = lint(resolved(text));
  const lines = text.split("\n");
  for (const { place, related } of findings)
    for (const one of [place, ...related]) expect(lines[one.span!.line - 1]).toContain(one.chain);
  return findings;
}

/** The findings of one code as `severity line-text-part`, for tables. */
export function summaries(text: string, code: string): string[] {
  return findingsIn(text)
    .filter((finding) => finding.code === code)
    .map(({ severity, message }) => `${severity}: ${message}`);
}
