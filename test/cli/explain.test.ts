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
  readonly given?: readonly string[];
}

const FLOW = { srcIP: "172.16.1.5", srcPort: 40000, dstIP: "172.19.0.166", dstPort: 80, protocol: "TCP" };

async function explain(flows: unknown, rules = NGINX_RULES, rest = ""): Promise<Answer[]> {
  const line = words(`explain --rules ${rules} --flows f --json --node-ip 192.168.0.2 ${rest}`);
  const { stdout, stderr, exitCode } = await chainwalk(line, { f: JSON.stringify(flows) });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return (JSON.parse(stdout) as Answer[]).map(({ name, outcomes }) => ({ name, outcomes }));
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

  for (const engine of ["linear", "indexed"]) {
    it(`shows every way to each outcome (${engine})`, async () => {
      const line = `explain --rules ${NGINX_RULES} --src 172.16.2.125:40000 --dst 172.19.0.166:80 --proto tcp`;
      const rest = `--node-ip 192.168.0.2 --paths --engine ${engine}`;
      const { stdout, stderr, exitCode } = await chainwalk(words(`${line} ${rest}`));
      expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
      for (const one of stdout.split("\n")) expect(one.length, one).toBeLessThanOrEqual(100);
      await expect(stdout).toMatchFileSnapshot(`../golden/cli-explain-paths-${engine}.txt`);
    });
  }

  describe("with tests of state", () => {
    const AFFINITY = "datasets/features/session-affinity/rules.iptables-save";
    const line = `explain --rules ${AFFINITY} --src 10.1.9.9:40000 --dst 10.96.0.10:80 --proto tcp --json`;
    const first = { verdict: "DNAT", to: "10.1.1.5:8080", masquerade: false, p: "1/2" };
    const second = { ...first, to: "10.1.2.7:8080" };

    for (const engine of ["linear", "indexed"]) {
      it(`starts from a fresh state and names it (${engine})`, async () => {
        const [answer] = JSON.parse((await chainwalk(words(`${line} --engine ${engine}`))).stdout) as Answer[];
        expect(answer!.outcomes).toEqual([first, second]);
        expect(answer!.given).toContain("the source is not on the recent list KUBE-SEP-NN5YX4D5ZSDRU4FZ");
      });

      it(`takes a test of state as it is told (${engine})`, async () => {
        const told = `${line} --engine ${engine} --assume 29=no --assume 30=yes`;
        const [answer] = JSON.parse((await chainwalk(words(told))).stdout) as Answer[];
        expect(answer!.outcomes).toEqual([{ ...second, p: "1/1" }]);
        expect(answer!.given).toEqual(
          expect.arrayContaining([
            "the recent of rule nat KUBE-SVC-67NZLRHBNDSAWJRO 2 is taken to fail",
            "the recent of rule nat KUBE-SVC-67NZLRHBNDSAWJRO 3 is taken to hold",
          ]),
        );
      });
    }
  });

  it("does not hang where draws make ways without end", async () => {
    const draw = "-A PREROUTING -m statistic --mode random --probability 0.50000000000 -j MARK --set-xmark 0x1/0x1";
    const text = ["*mangle", ":PREROUTING ACCEPT [0:0]", ...Array<string>(40).fill(draw), "COMMIT", ""].join("\n");
    const line = "explain --rules r --src 1.1.1.1:1 --dst 2.2.2.2:2 --proto udp";
    const { exitCode, stdout, stderr } = await chainwalk(words(line), { r: text });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("more than 100000 different ways");
  });

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
        given: [],
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
