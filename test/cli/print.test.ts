import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { RuleSet } from "../../src/ruleset/types.js";
import { chainwalk, NGINX_LISTING, NGINX_RULES, words } from "./command-line.js";

const print = (rest: string, files = {}): ReturnType<typeof chainwalk> =>
  chainwalk(words(`print --rules ${rest}`), files);

describe("print", () => {
  it("gives a save file back line for line", async () => {
    const { stdout, stderr, exitCode } = await print(NGINX_RULES);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toBe(readFileSync(NGINX_RULES, "utf8"));
  });

  it("gives a listing back, and names the chains it does not define in warnings", async () => {
    const { stdout, stderr, exitCode } = await print(NGINX_LISTING);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(readFileSync(NGINX_LISTING, "utf8"));
    expect(stderr).toMatch(/listing\.txt:1:1: warning: chain KUBE-FW-SI6MMWWVN6LUBWIY is not defined/);
    expect(stderr).toMatch(/listing\.txt:3:1: warning: chain KUBE-MARK-MASQ is not defined .*\(and 3 more lines\)/);
    expect(stderr.match(/warning/g)).toHaveLength(2);
  });

  it("completes a listing with the static chains, and says so", async () => {
    const { stdout, stderr } = await print(`${NGINX_LISTING} --complete`);
    expect(stderr).toContain("completed with kube-proxy's static chains:\n  -N KUBE-MARK-MASQ\n");
    expect(stdout).toContain("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000");
    const again = await print("l --complete", { l: stdout });
    expect(again.stdout).toBe(stdout);
    expect(again.stderr).toContain("nothing to complete");
  });

  it("prints nftables as nft does, from its text and its JSON, and iptables rules in its words", async () => {
    const listed = "table inet t {\n\tchain c {\n\t\tct state new tcp dport 80 accept\n\t}\n}\n";
    const typed =
      "add table inet t\nadd chain inet t c\nadd rule inet t c ct state new meta l4proto tcp tcp dport http accept\n";
    const json = `{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t", "name": "c"}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}},
      {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}, {"accept": null}]}}]}`;
    for (const text of [listed, typed, json]) expect((await print("r", { r: text })).stdout).toBe(listed);
    const saved = {
      r: "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n",
    };
    expect((await print("r --format nft", saved)).stdout).toBe(
      "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n" +
        "\t\tip saddr 10.0.0.0/8 tcp dport 80 accept\n\t}\n}\n",
    );
  });

  it("says where a rule has no words in the other language", async () => {
    const recent = await print("r --format nft", {
      r: "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m recent --set --name A -j ACCEPT\nCOMMIT\n",
    });
    expect(recent).toMatchObject({ exitCode: 2, stdout: "" });
    expect(recent.stderr).toMatch(/^r:3:1: nft has no spelling for the match recent/);
    const map = await print("r --format iptables", {
      r: "table ip t {\n\tchain c {\n\t\ttcp dport vmap { 80 : accept }\n\t}\n}\n",
    });
    expect(map.stderr).toMatch(/^r:3:3: iptables has no spelling for verdict-map/);
  });

  it("prints the rule set itself as JSON, either way it is asked for", async () => {
    const { stdout } = await print(`${NGINX_RULES} --format JSON`);
    expect((await print(`${NGINX_RULES} --json`)).stdout).toBe(stdout);
    const { tables } = JSON.parse(stdout) as RuleSet;
    expect(tables.map((table) => [table.name, table.family, table.chains.length])).toEqual([
      ["nat", "ip", 12],
      ["filter", "ip", 7],
    ]);
  });

  it("reads a listing as of the table it is told", async () => {
    const files = { l: "-P INPUT DROP\n-A INPUT -s 10.0.0.0/8 -j ACCEPT\n" };
    const { tables } = JSON.parse((await print("l --table FILTER --json", files)).stdout) as RuleSet;
    expect(tables).toMatchObject([{ name: "filter", chains: [{ name: "INPUT", base: { policy: "drop" } }] }]);
  });

  it("takes the format it is told", async () => {
    const files = { r: "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n" };
    const { tables } = JSON.parse((await print("r --from ip6tables-save --json", files)).stdout) as RuleSet;
    expect(tables[0]!.family).toBe("ip6");
  });
});
