import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

interface Answer {
  readonly name: string;
  readonly outcomes: readonly {
    readonly verdict: string;
    readonly to: string | null;
    readonly masquerade: boolean;
    readonly p: string;
  }[];
}

const FLOW = { srcIP: "172.16.1.5", srcPort: 40000, dstIP: "172.19.0.166", dstPort: 80, protocol: "TCP" };

async function explain(flows: unknown, rules = NGINX_RULES, rest = ""): Promise<Answer[]> {
  const line = words(`explain --rules ${rules} --flows f --json --node-ip 192.168.0.2 ${rest}`);
  const { stdout, stderr, exitCode } = await chainwalk(line, { f: JSON.stringify(flows) });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as Answer[];
}

const endpoint = (to: string, masquerade: boolean): object => ({ verdict: "DNAT", to, masquerade, p: "1/2" });

describe("explain", () => {
  for (const engine of ["linear", "indexed"]) {
    it(`gives exact outcomes in the documented shape (${engine})`, async () => {
      const flows = [
        { name: "pod", ...FLOW, ipFamily: "ipv4", expect: "ignored" },
        { name: "outside", ...FLOW, srcIP: "10.0.0.7", hook: "PreRouting", inInterface: "eth1", protocol: "tcp" },
        { name: "hairpin", ...FLOW, srcIP: "172.16.2.229" },
        { name: "other port", ...FLOW, dstPort: 81 },
        { name: "from the node", ...FLOW, srcIP: "192.168.0.2", hook: "OUTPUT", inInterface: "ignored" },
      ];
      const [first, second] = ["172.16.2.125:80", "172.16.2.229:80"] as const;
      expect(await explain(flows, NGINX_RULES, `--engine ${engine}`)).toEqual([
        { name: "pod", outcomes: [endpoint(first, false), endpoint(second, false)] },
        { name: "outside", outcomes: [endpoint(first, true), endpoint(second, true)] },
        { name: "hairpin", outcomes: [endpoint(first, false), endpoint(second, true)] },
        { name: "other port", outcomes: [{ verdict: "ACCEPT", to: null, masquerade: false, p: "1/1" }] },
        { name: "from the node", outcomes: [endpoint(first, true), endpoint(second, true)] },
      ]);
    });
  }

  it("adds up outcomes that differ only in what flows do not tell apart", async () => {
    const rules = [
      "*mangle",
      ":PREROUTING ACCEPT [0:0]",
      "-A PREROUTING -m statistic --mode random --probability 0.25000000000 -j MARK --set-xmark 0x1/0xffffffff",
      "-A PREROUTING -m statistic --mode random --probability 0.50000000000 -j DROP",
      "COMMIT",
    ].join("\n");
    const line = "explain --rules r --src 1.1.1.1:1 --dst 2.2.2.2:2 --proto udp --json";
    const { stdout } = await chainwalk(words(line), { r: `${rules}\n` });
    expect(JSON.parse(stdout)).toEqual([
      {
        name: "udp 1.1.1.1:1 -> 2.2.2.2:2",
        outcomes: [
          { verdict: "DROP", to: null, masquerade: false, p: "1/2" },
          { verdict: "ACCEPT", to: null, masquerade: false, p: "1/2" },
        ],
      },
    ]);
  });

  it("tells a dropped packet from one that was translated before", async () => {
    const rules = [
      "*nat",
      ":PREROUTING ACCEPT [0:0]",
      "-A PREROUTING -d 10.0.0.1/32 -p tcp -j DNAT --to-destination 10.0.0.2:80",
      "COMMIT",
      "*filter",
      ":FORWARD DROP [0:0]",
      "COMMIT",
    ].join("\n");
    const { stdout } = await chainwalk(words("explain --rules r --src 1.1.1.1:1 --dst 10.0.0.1:2 --proto tcp --json"), {
      r: `${rules}\n`,
    });
    expect((JSON.parse(stdout) as Answer[])[0]!.outcomes).toEqual([
      { verdict: "DROP", to: null, masquerade: false, p: "1/1" },
    ]);
  });

  it("writes IPv6 endpoints in brackets", async () => {
    const rules = [
      "*nat",
      ":PREROUTING ACCEPT [0:0]",
      "-A PREROUTING -d fd00::1/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00:1::2]:8080",
      "COMMIT",
    ].join("\n");
    const { stdout } = await chainwalk(
      words("explain --rules r --src [fd00::9]:1 --dst [fd00::1]:80 --proto tcp --json"),
      {
        r: `${rules}\n`,
      },
    );
    expect((JSON.parse(stdout) as Answer[])[0]!.outcomes[0]!.to).toBe("[fd00:1::2]:8080");
  });

  it("prints a table for people as it always did", async () => {
    const flows = [
      { name: "from a pod", ...FLOW },
      { name: "an endpoint itself", ...FLOW, srcIP: "172.16.2.125" },
      { name: "nobody listens", ...FLOW, dstPort: 81 },
    ];
    const line = words(`explain --rules ${NGINX_RULES} --flows - --node-ip 192.168.0.2`);
    const { stdout } = await chainwalk(line, { "-": JSON.stringify(flows) });
    await expect(stdout).toMatchFileSnapshot("../golden/cli-explain.txt");
  });
});
