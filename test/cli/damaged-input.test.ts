/** No damage to a rule text makes the program itself fail: it is carried out, or refused with its place. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

const rerun =
  "rerun: npx vitest run --config test/vitest.config.ts test/cli/damaged-input.test.ts, with {seed, path} of the report in fc.assert";
const PACKET = "--src 10.0.0.7:40000 --dst 172.19.0.166:80 --proto tcp --node-ip 192.168.0.2";
const lines = [
  "print --rules r",
  "services --rules r",
  "services --rules r nginx",
  `trace --rules r ${PACKET}`,
  `trace --rules r ${PACKET} --engine indexed --json`,
  `explain --rules r ${PACKET}`,
  "compile --rules r --node-ip 192.168.0.2 --json",
  "check --rules r --service nginx --samples 100",
];
const text = readFileSync(NGINX_RULES, "utf8");

/** Words that mean something in rules: put into a text they make new mistakes. */
const pieces = [
  "",
  "!",
  "-j",
  "-g KUBE-SERVICES",
  "-m statistic --mode nth --every 3 --packet 0",
  "--probability 0.33333333349",
  "-m recent --name x --set",
  "-j REJECT --reject-with icmp-port-unreachable",
  "-p udp",
  "172.19.0.166/32",
  "-m addrtype --dst-type LOCAL",
  '"',
  "\n",
  "COMMIT",
  "*filter",
  "-m unheard-of --of it",
  "KUBE-SEP-H2XFNPZ6MLIHFOVM",
  "RETURN",
];

const damage = fc.record({ at: fc.nat(400), cut: fc.nat(4), put: fc.constantFrom(...pieces) });

describe("damaged rule texts", () => {
  it("are carried out or refused with file, line and column", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { maxLength: 3 }), fc.constantFrom(...lines), async (damages, line) => {
        const parts = text.split(" ");
        for (const { at, cut, put } of damages) parts.splice(at % parts.length, cut, put);
        const { exitCode, stdout, stderr } = await chainwalk(words(line), { r: parts.join(" ") });
        expect([0, 1, 2], `${line}; ${rerun}`).toContain(exitCode);
        if (exitCode !== 2) return;
        expect(stdout, rerun).toBe("");
        expect(stderr, rerun).toMatch(/^(r:\d+:\d+|chainwalk): /);
      }),
      { numRuns: 150 },
    );
  });

  it("cut anywhere, they are refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: text.lastIndexOf("COMMIT") }), async (length) => {
        // A cut after the first table's COMMIT leaves a text that is whole.
        const cut = text.slice(0, length);
        const { exitCode, stderr } = await chainwalk(words("print --rules r"), { r: cut });
        const whole = /COMMIT\n?(#.*\n?)*$/.test(cut);
        expect(exitCode, `${length} characters; ${rerun}`).toBe(whole ? 0 : 2);
        if (!whole) expect(stderr, rerun).toMatch(/^r:\d+:\d+: /);
      }),
      { numRuns: 60 },
    );
  });
});
