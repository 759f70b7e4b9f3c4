import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_LISTING, NGINX_RULES, words } from "./command-line.js";

const trace = (rest: string, rules = NGINX_RULES): ReturnType<typeof chainwalk> =>
  chainwalk(["trace", "--rules", rules, ...words(rest)]);
const POD = "--src 172.16.1.5:40000 --dst 172.19.0.166:80 --proto tcp";
const OUTSIDE = "--src 10.0.0.7:40000 --dst 172.19.0.166:80 --proto tcp --node-ip 192.168.0.2";
const HAIRPIN = "--src 172.16.2.125:40000 --dst 172.19.0.166:80 --proto tcp --node-ip 192.168.0.2";

interface JsonTrace {
  readonly packet: object;
  readonly engine: string;
  readonly verdict: string;
  readonly to: string | null;
  readonly masquerade: boolean;
  readonly outcome: {
    readonly destination: unknown;
    readonly source: unknown;
    readonly mark: number;
    readonly work: object;
  };
  readonly steps: readonly {
    readonly kind: string;
    readonly chain?: string;
    readonly line?: number;
    readonly text?: string;
  }[];
  readonly given: readonly string[];
}

async function jsonTrace(rest: string): Promise<JsonTrace> {
  const { stdout, exitCode } = await trace(`${rest} --json`);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as JsonTrace;
}

describe("trace", () => {
  it("goes the article's way chain by chain", async () => {
    const { steps } = await jsonTrace(POD);
    const chains = steps.flatMap((step) => (step.kind === "chain" ? [step.chain!] : []));
    expect(chains.slice(0, 3)).toEqual(["PREROUTING", "KUBE-SERVICES", "KUBE-SVC-4N57TFCL4MD7ZTDA"]);
    expect(["KUBE-SEP-ZWDBLNQ3XRBMUP33", "KUBE-SEP-H2XFNPZ6MLIHFOVM"]).toContain(chains[3]);
    expect(chains.slice(4)).toEqual(["FORWARD", "KUBE-FORWARD", "KUBE-SERVICES", "POSTROUTING", "KUBE-POSTROUTING"]);
  });

  for (const [name, line] of [
    ["pod", POD],
    ["outside", OUTSIDE],
    ["outside-indexed", `${OUTSIDE} --engine indexed`],
    ["node-port", "--src 10.0.0.7:40000 --dst 192.168.0.2:30080 --proto tcp --node-ip 192.168.0.2 --mark 0x8000"],
    ["output", "--hook output --src 192.168.0.2:5000 --dst 172.19.0.166:80 --proto tcp --node-ip 192.168.0.2 --seed 3"],
    ["invalid", `${POD} --ct-state invalid`],
    ["ping", "--src 172.16.1.5 --dst 172.16.2.229 --proto icmp --node-ip 192.168.0.2"],
  ] as const) {
    it(`prints ${name} as it always did`, async () => {
      const { stdout, stderr, exitCode } = await trace(line);
      expect(exitCode).toBe(0);
      expect(stderr).toBe("");
      for (const one of stdout.split("\n")) expect(one.length, one).toBeLessThanOrEqual(100);
      await expect(stdout).toMatchFileSnapshot(`../golden/cli-trace-${name}.txt`);
    });
  }

  it("prints a completed listing as it always did", async () => {
    const { stdout, stderr, exitCode } = await trace(`${POD.replace("0.166", "15.240")} --complete`, NGINX_LISTING);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("completed with kube-proxy's static chains");
    await expect(stdout).toMatchFileSnapshot("../golden/cli-trace-listing.txt");
  });

  for (const engine of ["linear", "indexed"] as const) {
    it(`prints a way by verdict maps in nft's words, by ${engine}`, async () => {
      const rules = "datasets/features/session-affinity/rules.nft";
      const line = `trace --rules ${rules} --src 10.1.9.9:40000 --dst 10.96.0.10:80 --proto tcp --engine ${engine}`;
      const { stdout, stderr, exitCode } = await chainwalk(words(line));
      expect(exitCode).toBe(0);
      expect(stderr).toBe("");
      await expect(stdout).toMatchFileSnapshot(`../golden/cli-trace-nft-${engine}.txt`);
      const { steps } = JSON.parse((await chainwalk(words(`${line} --json`))).stdout) as JsonTrace;
      const texts = steps.flatMap((step) => (step.kind === "rule" ? [step.text] : []));
      expect(texts).toContain("ip daddr . meta l4proto . th dport vmap @service-ips");
    });
  }

  it("marks and masquerades what comes from outside the pods' range, and nothing else", async () => {
    const [outside, pod] = [await jsonTrace(OUTSIDE), await jsonTrace(POD)];
    expect(outside).toMatchObject({ verdict: "DNAT", masquerade: true, outcome: { mark: 0x4000 } });
    expect(outside.outcome.source).toMatchObject({ kind: "masquerade", addresses: ["192.168.0.2", "192.168.0.2"] });
    expect(pod).toMatchObject({ verdict: "DNAT", masquerade: false, outcome: { mark: 0, source: null } });
  });

  it("masquerades an endpoint that draws itself (hairpin), and only then", async () => {
    const seen = new Map<string, boolean>();
    for (let seed = 1; seed <= 12; seed++) {
      const { to, masquerade } = await jsonTrace(`${HAIRPIN} --seed ${seed}`);
      seen.set(to!, masquerade);
    }
    expect(Object.fromEntries(seen)).toEqual({ "172.16.2.125:80": true, "172.16.2.229:80": false });
  });

  it("gives the same decision under both engines for a seed", async () => {
    for (let seed = 1; seed <= 8; seed++)
      for (const packet of [POD, OUTSIDE, HAIRPIN]) {
        const line = `${packet} --seed ${seed}`;
        const [linear, indexed] = [await jsonTrace(line), await jsonTrace(`${line} --engine INDEXED`)];
        const { work: _linear, ...want } = linear.outcome;
        const { work: _indexed, ...got } = indexed.outcome;
        expect(got, line).toEqual(want);
      }
  });

  it("names the line and text of every rule that matched", async () => {
    const { readFile } = await import("node:fs/promises");
    const lines = (await readFile(NGINX_RULES, "utf8")).split("\n");
    const rules = (await jsonTrace(OUTSIDE)).steps.filter((step) => step.kind === "rule");
    expect(rules.length).toBeGreaterThan(5);
    for (const { line, text } of rules) expect(lines[line! - 1]).toBe(text);
  });

  it("warns where local addresses matter and none were given, and only there", async () => {
    const unknown = await trace("--src 172.16.1.5:4 --dst 172.19.0.166:81 --proto tcp");
    expect(unknown.stderr).toContain("no --node-ip was given");
    expect((await trace("--src 172.16.1.5:4 --dst 172.19.0.166:81 --proto tcp --node-ip 10.0.0.1")).stderr).toBe("");
    expect((await trace(POD)).stderr).toBe("");
  });

  it("does not mind letters' case in hooks, protocols and states", async () => {
    const [upper, lower] = await Promise.all([
      trace(`${OUTSIDE.replace("tcp", "TCP")} --hook PREROUTING --ct-state NEW`),
      trace(`${OUTSIDE} --hook prerouting --ct-state new`),
    ]);
    expect(upper).toEqual(lower);
  });

  it("stops at an undefined chain of a listing, naming it, exit code 2", async () => {
    const { exitCode, stdout, stderr } = await trace(
      "--src 1.1.1.1:1 --dst 39.96.133.156:4444 --proto tcp --complete",
      NGINX_LISTING,
    );
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/listing\.txt:1:1: chain KUBE-FW-SI6MMWWVN6LUBWIY is not defined/);
  });

  it("assumes of an unknown match what it is told", async () => {
    const rules = `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m bpf --bytecode "1,6 0 0 0" -j DROP\nCOMMIT\n`;
    const ask = (rest: string): ReturnType<typeof chainwalk> =>
      chainwalk(
        [
          "trace",
          "--rules",
          "r",
          ...words(`--src 10.0.0.1:1 --dst 10.0.0.2:2 --proto udp --node-ip 10.0.0.2 --json ${rest}`),
        ],
        { r: rules },
      );
    expect((await ask("--assume 3=yes")).stdout).toContain('"verdict": "DROP"');
    expect((await ask("--assume 3=no")).stdout).toContain('"verdict": "ACCEPT"');
    const refused = await ask("");
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/^r:3:1: the match "bpf" is not known.*--assume 3=yes\|no/);
  });

  it("looks into the ipsets it is given", async () => {
    const rules = `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m set --match-set blocked src -j DROP\nCOMMIT\n`;
    const ipsets = "create blocked hash:ip family inet hashsize 1024 maxelem 65536\nadd blocked 10.0.0.1\n";
    const ask = async (src: string): Promise<unknown> => {
      const line = `trace --rules r --ipsets s --src ${src}:1 --dst 10.0.0.9:2 --proto udp --node-ip 10.0.0.9 --json`;
      return (JSON.parse((await chainwalk(words(line), { r: rules, s: ipsets })).stdout) as JsonTrace).verdict;
    };
    expect([await ask("10.0.0.1"), await ask("10.0.0.2")]).toEqual(["DROP", "ACCEPT"]);
  });

  it("routes by the table it is given", async () => {
    const { stdout } = await trace(`${POD} --route 172.16.2.0/24=cni0 --route 172.16.2.128/25=cni1`);
    expect(stdout).toMatch(/leaves by cni[01] to 172\.16\.2\./);
  });
});
