import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

interface Answer {
  readonly equal: boolean;
  readonly share: number;
  readonly classes: number;
  readonly chains: readonly { readonly chain: string; readonly classes: number; readonly complete: boolean }[];
  readonly services: { readonly rows: number; readonly compared: number };
  readonly reason: string | null;
  readonly counterexample: object | null;
}

/** Rules that mark by bits of their own, each of which some later rule asks for: every draw doubles what is to be told apart. */
const ENTANGLED = [
  "*mangle",
  ":PREROUTING ACCEPT [0:0]",
  ...Array.from(
    { length: 30 },
    (_, i) =>
      `-A PREROUTING -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x${(2 ** i).toString(16)}/0x${(2 ** i).toString(16)}`,
  ),
  "COMMIT",
  "",
].join("\n");

describe("verify", () => {
  it("says what it looked at", async () => {
    const { stdout, stderr, exitCode } = await chainwalk(words(`verify --rules ${NGINX_RULES} --node-ip 192.168.0.2`));
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    await expect(stdout).toMatchFileSnapshot("../golden/cli-verify.txt");
  });

  it("gives the documented JSON", async () => {
    const { stdout, exitCode } = await chainwalk(words(`verify --rules ${NGINX_RULES} --node-ip 192.168.0.2 --json`));
    expect(exitCode).toBe(0);
    const answer = JSON.parse(stdout) as Answer;
    expect(answer).toMatchObject({ equal: true, share: 1, reason: null, counterexample: null });
    expect(answer.services).toEqual({ rows: 1, compared: 1 });
    expect(answer.chains.map(({ complete }) => complete)).toEqual(answer.chains.map(() => true));
  });

  it("never says equal when it did not look", async () => {
    const line = "verify --rules r --budget 1 --json";
    const { stdout, exitCode } = await chainwalk(words(line), { r: ENTANGLED });
    expect(exitCode).toBe(1);
    const answer = JSON.parse(stdout) as Answer;
    expect(answer).toMatchObject({ equal: false, counterexample: null });
    expect(answer.share).toBeLessThan(1);
    expect(answer.reason).toMatch(/budget of (time|memory) was used up/);
  });

  const nft = (statement: string): string =>
    [
      "table ip t {",
      "  map m { type inet_service : mark; flags timeout; timeout 1m; elements = { 80 : 0x1 } }",
      "  chain c {",
      "    type filter hook forward priority filter; policy accept;",
      `    ${statement}`,
      "  }",
      "}",
      "",
    ].join("\n");

  it("proves lookups of nftables", async () => {
    const rules = nft("tcp dport vmap { 80 : drop, 81 : accept }");
    const { stdout, exitCode } = await chainwalk(words("verify --rules r --json"), { r: rules });
    expect(exitCode).toBe(0);
    const answer = JSON.parse(stdout) as Answer;
    expect([answer.equal, answer.share]).toEqual([true, 1]);
  });

  it("has no answer for statements that cannot be proved yet", async () => {
    const rules = nft("meta mark set tcp dport map @m");
    const { stdout, exitCode } = await chainwalk(words("verify --rules r --json"), { r: rules });
    expect(exitCode).toBe(1);
    const answer = JSON.parse(stdout) as Answer;
    expect(answer.reason).toBe("the statement assign of rule t c 1 cannot be proved yet");
    expect(answer.share).toBeLessThan(1);
  });

  it("refuses a budget that is none", async () => {
    const { stderr, exitCode } = await chainwalk(words(`verify --rules ${NGINX_RULES} --budget none`));
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--budget");
  });
});
