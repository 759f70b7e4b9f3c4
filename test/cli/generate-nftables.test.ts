import { describe, expect, it } from "vitest";
import { printObjects } from "../../src/kube/manifest/print-objects.js";
import { webService, webSlice } from "../kube/objects.js";
import { chainwalk, type Ran, words } from "./command-line.js";

const objects = printObjects([webService(), webSlice(["10.0.0.1", "10.0.0.2"])]);
const generate = (line: string): Promise<Ran> =>
  chainwalk(words(`generate --objects o --node-name n ${line}`), { o: objects });

describe("generate --mode nftables", () => {
  it("writes one table after the node's remark, and reads back to the same", async () => {
    const one = await generate("--mode nftables --node-ip 192.168.0.2 --pod-cidr 10.0.0.0/24");
    expect(one).toMatchObject({ exitCode: 0, stderr: "" });
    const [remark, table] = one.stdout.split("\n");
    expect(remark).toBe('# chainwalk: {"node":"n","addresses":["192.168.0.2"]}');
    expect(table).toBe("table ip kube-proxy {");
    expect(one.stdout).toContain("elements = { 172.30.0.1 . tcp . 80 : goto service-");
    const again = await chainwalk(words("print --rules r"), { r: one.stdout });
    expect(again).toMatchObject({ exitCode: 0, stdout: one.stdout.split("\n").slice(1).join("\n"), stderr: "" });
  });

  it.each([
    ["v1.30", ["priority -90", "tcp dport 80 ip saddr"], ["pre-dnat", "hairpin"]],
    ["v1.34", ["filter-output-pre-dnat", "jump mark-for-masquerade"], ["priority -90", "tcp dport 80 ip saddr"]],
    ["v1.36", ["hairpin-connections", "map { 0 : 10.0.0.1 . 8080, 1 :"], ["chain endpoint-", "mark-for-masquerade"]],
  ])("generation of %s", async (version, there, absent) => {
    const { stdout, stderr, exitCode } = await chainwalk(
      words(`generate --objects o --config c --node-name n --node-ip 192.168.0.2 --kube-proxy-version ${version}`),
      { o: objects, c: "kind: KubeProxyConfiguration\nmode: nftables\nclusterCIDR: 10.0.0.0/8\n" },
    );
    expect(exitCode).toBe(0);
    for (const text of there) expect(stdout).toContain(text);
    for (const text of absent) expect(stdout).not.toContain(text);
    expect(stderr === "").toBe(version !== "v1.36");
  });

  it("says where node ports are served without an address of the node, and which flags do nothing", async () => {
    const { stdout, stderr } = await generate("--mode nftables --nfacct --conntrack-be-liberal");
    expect(stdout).toContain(
      "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports",
    );
    expect(stderr.split("\n").filter((line) => line.startsWith("chainwalk: warning: "))).toHaveLength(3);
  });

  it("says that two services want one address", async () => {
    const services = ["a", "b"].flatMap((name) => [
      { ...webService(), metadata: { name, namespace: "ns" } },
      {
        ...webSlice(["10.0.0.1"]),
        metadata: { name, namespace: "ns", labels: { "kubernetes.io/service-name": name } },
      },
    ]);
    const { stderr, exitCode } = await chainwalk(
      words("generate --objects o --node-name n --node-ip 1.2.3.4 --mode nftables"),
      {
        o: printObjects(services),
      },
    );
    expect(exitCode).toBe(0);
    expect(stderr).toContain("two services want 172.30.0.1 . tcp . 80 in service-ips: nft refuses");
  });
});
