import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commands } from "../../src/cli/commands.js";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

describe("chainwalk", () => {
  it("lists its commands in its help", async () => {
    const { stdout, stderr, exitCode } = await chainwalk(["--help"]);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    for (const [name, { summary }] of commands) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}`, "m"));
  });

  for (const name of commands.keys()) {
    if (name === "bench") continue; // its help is the measuring program's own
    it(`${name} --help shows examples and what --json prints`, async () => {
      const { stdout, stderr, exitCode } = await chainwalk([name, "--help"]);
      expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
      expect(stdout).toContain("--json");
      expect(stdout).toMatch(/^JSON \(.*--json/m);
      const examples = stdout.slice(stdout.indexOf("\nExamples:\n")).match(/chainwalk \w+/g) ?? [];
      expect(examples.length).toBeGreaterThan(1);
      expect(examples).toContain(`chainwalk ${name}`);
      expect(await chainwalk(["help", name])).toEqual(await chainwalk([name, "--help"]));
    });
  }

  it("gives every word after bench to the studies, and their exit code back", async () => {
    const { exitCode, studies } = await chainwalk(words("bench --quick --services 100,300 --help"));
    expect(studies).toEqual([["--quick", "--services", "100,300", "--help"]]);
    expect(exitCode).toBe(7);
  });

  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect((await chainwalk(["--version"])).stdout).toBe(`${version}\n`);
  });

  it("reads standard input and gzip", async () => {
    const text = readFileSync(NGINX_RULES);
    const plain = await chainwalk(words(`services --rules ${NGINX_RULES}`));
    expect(await chainwalk(words("services --rules -"), { "-": text })).toEqual(plain);
    expect(await chainwalk(words("services --rules -"), { "-": gzipSync(text) })).toEqual(plain);
    expect(plain.stdout).toContain("nginx");
  });
});
