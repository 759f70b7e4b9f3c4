import { describe, expect, it } from "vitest";
import { CHECKS } from "../../src/lint/lint.js";
import { nat, service } from "../lint/rules.js";
import { chainwalk, NGINX_LISTING, NGINX_RULES, words } from "./command-line.js";

const WRONG = nat(
  ...service(1, [
    ["0.33333333349", 1],
    ["0.33333333349", 2],
    [null, 3],
  ]),
  ...service(2, [["0.50000000000", 4]]),
  "-A KUBE-SEP-9 -p tcp -m tcp -j DNAT --to-destination 10.0.0.9:8080",
  "-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT",
  "-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j RETURN",
);
const lint = (rest: string): ReturnType<typeof chainwalk> =>
  chainwalk(words(`lint --rules wrong.save ${rest}`), { "wrong.save": WRONG });

describe("lint", () => {
  it("says what is wrong, the worst first, with the line and what would be right", async () => {
    const { exitCode, stdout, stderr } = await lint("");
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
    await expect(stdout).toMatchFileSnapshot("../golden/cli-lint.txt");
  });

  it("exits with 0 where nothing is at warning or above, with 2 on bad input", async () => {
    expect(await chainwalk(words(`lint --rules ${NGINX_RULES}`))).toMatchObject({ exitCode: 0, stderr: "" });
    const listing = await chainwalk(words(`lint --rules ${NGINX_LISTING}`));
    expect(listing).toMatchObject({ exitCode: 0, stderr: "" });
    expect(listing.stdout).toContain("the listing does not show chain KUBE-MARK-MASQ");
    const undefinedChain = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j NOWHERE\nCOMMIT\n";
    const bad = await chainwalk(words("lint --rules bad.save"), { "bad.save": undefinedChain });
    expect({ exitCode: bad.exitCode, stdout: bad.stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(bad.stderr).toContain("bad.save:3:1: chain NOWHERE is not defined");
    expect((await lint("--format xml")).exitCode).toBe(2);
    expect((await lint("--json --format sarif")).exitCode).toBe(2);
  });

  it("shows some of many findings of one kind, and counts the rest", async () => {
    const chains = Array.from(
      { length: 30 },
      (_, i) => `-A KUBE-SEP-${i} -p tcp -m tcp -j DNAT --to-destination 10.0.0.${i}:80`,
    );
    const { stdout } = await chainwalk(words("lint --rules many.save"), { "many.save": nat(...chains) });
    expect(stdout.match(/\[dangling-endpoint\]/g)).toHaveLength(10);
    expect(stdout).toContain("and 20 more of dangling-endpoint warning: --json shows all");
  });

  it("JSON of the documented schema", async () => {
    const { stdout } = await lint("--json");
    const report = JSON.parse(stdout) as {
      file: string;
      counts: Record<string, number>;
      findings: Record<string, unknown>[];
    };
    expect(Object.keys(report)).toEqual(["file", "counts", "findings"]);
    expect(report.counts).toEqual({ error: 1, warning: 3, info: 0 });
    const keys = [
      "code",
      "severity",
      "message",
      "right",
      "family",
      "table",
      "chain",
      "rule",
      "line",
      "column",
      "related",
    ];
    for (const finding of report.findings) expect(Object.keys(finding)).toEqual(keys);
    expect((await lint("--format json")).stdout).toBe(stdout);
  });
});

/** The properties SARIF 2.1.0 requires, and the kinds of those used (sarif-schema-2.1.0.json of OASIS). */
interface Sarif {
  readonly $schema: string;
  readonly version: "2.1.0";
  readonly runs: readonly {
    readonly tool: {
      readonly driver: { readonly name: string; readonly version: string; readonly rules: readonly SarifRule[] };
    };
    readonly columnKind: string;
    readonly artifacts: readonly { readonly location: { readonly uri: string } }[];
    readonly results: readonly SarifResult[];
  }[];
}
interface SarifRule {
  readonly id: string;
  readonly shortDescription: { readonly text: string };
  readonly defaultConfiguration: { readonly level: string };
}
interface SarifResult {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly SarifLocation[];
  readonly relatedLocations?: readonly (SarifLocation & {
    readonly id: number;
    readonly message: { readonly text: string };
  })[];
}
interface SarifLocation {
  readonly physicalLocation: {
    readonly artifactLocation: { readonly uri: string; readonly index: number };
    readonly region?: { readonly startLine: number; readonly startColumn: number };
  };
  readonly logicalLocations: readonly { readonly name: string; readonly fullyQualifiedName: string }[];
}

const LEVELS = ["none", "note", "warning", "error"];

function expectLocation(location: SarifLocation, run: Sarif["runs"][number]): void {
  const { artifactLocation, region } = location.physicalLocation;
  expect(run.artifacts[artifactLocation.index]!.location.uri).toBe(artifactLocation.uri);
  expect(artifactLocation.uri).toMatch(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/);
  expect(Number.isInteger(region!.startLine) && region!.startLine >= 1 && region!.startColumn >= 1).toBe(true);
  expect(region!.startLine).toBeLessThanOrEqual(WRONG.split("\n").length);
  expect(location.logicalLocations[0]!.fullyQualifiedName).toMatch(/^ip nat \S+( \d+)?$/);
}

describe("lint --format sarif", () => {
  it("has what SARIF 2.1.0 requires, and every finding", async () => {
    const { stdout, exitCode } = await lint("--format sarif");
    expect(exitCode).toBe(1);
    const log = JSON.parse(stdout) as Sarif;
    expect(log.version).toBe("2.1.0");
    expect(log.$schema).toMatch(/^https:.*sarif.*2\.1\.0.*\.json$/);
    const [run] = log.runs;
    expect(log.runs).toHaveLength(1);
    const { driver } = run!.tool;
    expect(driver.name).toBe("chainwalk");
    expect(driver.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(["utf16CodeUnits", "unicodeCodePoints"]).toContain(run!.columnKind);
    expect(driver.rules.map((rule) => rule.id)).toEqual(CHECKS.map((check) => check.code));
    for (const rule of driver.rules) {
      expect(rule.shortDescription.text).not.toBe("");
      expect(LEVELS).toContain(rule.defaultConfiguration.level);
    }
    expect(run!.results).toHaveLength(
      (JSON.parse((await lint("--json")).stdout) as { findings: unknown[] }).findings.length,
    );
    for (const result of run!.results) {
      expect(driver.rules[result.ruleIndex]!.id).toBe(result.ruleId);
      expect(LEVELS).toContain(result.level);
      expect(result.message.text).not.toBe("");
      expect(result.locations).toHaveLength(1);
      for (const location of [...result.locations, ...(result.relatedLocations ?? [])]) expectLocation(location, run!);
      const ids = (result.relatedLocations ?? []).map((location) => location.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it("names the file as a URI", async () => {
    const uriOf = async (name: string): Promise<string> => {
      const { stdout } = await chainwalk(["lint", "--rules", name, "--format", "sarif"], { [name]: WRONG });
      return (JSON.parse(stdout) as Sarif).runs[0]!.artifacts[0]!.location.uri;
    };
    expect(await uriOf("rules/my node #1.save")).toBe("rules/my%20node%20%231.save");
    expect(await uriOf("/tmp/my node.save")).toBe("file:///tmp/my%20node.save");
    expect(await uriOf("-")).toBe("%3Cstdin%3E");
  });
});
