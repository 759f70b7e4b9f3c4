/** Flows of genuine rule sets, each proved by a real kernel: CHAINWALK_CONFORMANCE names the directory. Needs python3. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chainwalk } from "./command-line.js";

const root = process.env.CHAINWALK_CONFORMANCE ?? "";

/** The outcomes of each flow with their fractions, in an order of their own. */
function fractionsOf(stdout: string): string {
  const flows = JSON.parse(stdout) as { name: string; outcomes: object[] }[];
  return JSON.stringify(flows.map(({ name, outcomes }) => [name, outcomes.map((one) => JSON.stringify(one)).sort()]));
}

describe.runIf(root !== "")("explain agrees with every flow", () => {
  const cases = ["cases", "features"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))
    .filter((path) => /iptables|nftables/.test(path) && existsSync(join(path, "flows.json")));

  it("has cases", () => expect(cases.length).toBeGreaterThan(50));

  for (const path of cases) {
    const name = path.slice(root.length);
    const rules = ["rules.iptables-save", "rules.ip6tables-save", "rules.nft"]
      .map((file) => join(path, file))
      .find(existsSync);
    const { nodeIPs } = JSON.parse(readFileSync(join(path, "case.json"), "utf8")) as { nodeIPs: string[] };
    const answers: string[] = [];
    for (const engine of ["linear", "indexed"]) {
      it(`${name}, ${engine}`, async () => {
        const words = ["--rules", rules!, "--flows", join(path, "flows.json"), "--json", "--engine", engine];
        const local = nodeIPs.flatMap((ip) => ["--node-ip", ip]);
        const { stdout, stderr, exitCode } = await chainwalk(["explain", ...words, ...local]);
        expect(exitCode, stderr).toBe(0);
        const judge = spawnSync("python3", [join(root, "tools/flows.py"), path, "-"], {
          input: stdout,
          encoding: "utf8",
        });
        expect(judge.status, `${judge.stdout}${judge.stderr}`).toBe(0);
        expect(judge.stdout).toMatch(/^(\d+) of \1 flows agree\n$/);
        answers.push(fractionsOf(stdout));
      });
    }
    it(`${name}, fractions of both engines equal`, () => expect(answers[1]).toBe(answers[0]));
  }
});
