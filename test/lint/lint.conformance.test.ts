import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lint } from "../../src/lint/lint.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const files =
  root === undefined || !existsSync(root)
    ? []
    : readdirSync(root, { recursive: true, encoding: "utf8" })
        .filter((path) => /rules\.(ip6?tables-save|nft)(\.gz)?$/.test(path))
        .sort();

/**
 * kube-proxy v1.17 was given one endpoint in two slices, and wrote it twice: it gets half of the packets, and its chain has its rules twice.
 * Every way to that chain asks for TCP, which its rule 2 takes.
 */
const TRUE_ALARMS: Readonly<Record<string, readonly string[]>> = {
  "features/features-iptables-v1.17/rules.iptables-save": [
    "warning shadowed-rule: rule 3 of KUBE-SEP-4TJ2LZRLYOMMESWO never matches: rule 2 (line 233) takes every packet it asks for",
    "warning shadowed-rule: rule 4 of KUBE-SEP-4TJ2LZRLYOMMESWO never matches: rule 2 (line 233) takes every packet it asks for",
    "warning uneven-choice: KUBE-SVC-GTEQWQMYRTP3JEEH (f/dup-eps:http): 10.180.29.2:8080 is listed twice; 10.180.29.2:8080 gets 50 %, 10.180.29.3:8080 25 %",
  ],
};

describe.runIf(root)("lint of genuine dumps", () => {
  it.each(files)("%s: no false alarm, in seconds", (path) => {
    const { ruleset } = readRules(readFileSync(join(root!, path)));
    const resolved = resolve(ruleset!);
    const began = performance.now();
    const findings = lint(resolved);
    expect(performance.now() - began).toBeLessThan(10_000);
    const alarms = findings.filter(({ severity }) => severity !== "info");
    expect(alarms.map(({ severity, code, message }) => `${severity} ${code}: ${message}`)).toEqual(
      TRUE_ALARMS[path] ?? [],
    );
    // What is for information is that services have no endpoints here.
    expect(new Set(findings.filter(({ severity }) => severity === "info").map(({ code }) => code)).size).toBeLessThan(
      2,
    );
    for (const { code, severity } of findings) if (severity === "info") expect(code).toBe("no-endpoints");
  });
});
