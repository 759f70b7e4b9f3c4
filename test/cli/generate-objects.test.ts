import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { printObjects } from "../../src/kube/manifest/print-objects.js";
import { webService, webSlice } from "../kube/objects.js";
import { chainwalk, type Files, type Ran, words } from "./command-line.js";

const before = printObjects([webService(), webSlice(["10.0.0.1"])]);
const after = printObjects([webService(), webSlice(["10.0.0.1", "10.0.0.2"])], "yaml");
const CONFIG = "kind: KubeProxyConfiguration\nclusterCIDR: 10.0.0.0/8\nhostnameOverride: node-7\n";
const files: Files = { before, after, config: CONFIG, gz: gzipSync(before), empty: '{"kind":"List","items":[]}' };

const generate = (line: string, more: Files = {}): Promise<Ran> =>
  chainwalk(words(`generate ${line}`), { ...files, ...more });

describe("generate --objects", () => {
  it("reads JSON, YAML, gzip and standard input; the node's name may come from the configuration", async () => {
    const one = await generate("--objects before --config config");
    expect(one).toMatchObject({ exitCode: 0, stderr: "" });
    expect(one.stdout.split("\n")[0]).toBe('# chainwalk: {"node":"node-7","addresses":[]}');
    expect(one.stdout).toContain(
      '! -s 10.0.0.0/8 -d 172.30.0.1/32 -p tcp -m comment --comment "ns/web:http cluster IP"',
    );
    expect((await generate("--objects gz --config config")).stdout).toBe(one.stdout);
    expect((await generate("--objects - --config config", { "-": before })).stdout).toBe(one.stdout);
    expect((await generate("--objects after --node-name n")).stdout).toContain("10.0.0.2:8080");
  });

  it("objects of a synthetic cluster read back to the same rules", async () => {
    const line =
      "--services 60 --endpoints 1-4 --types ClusterIP=3,NodePort=1,LoadBalancer=1,Headless=1 --external-local 0.5";
    const { stdout: objects } = await generate(`${line} --emit objects`);
    const { stdout: rules } = await generate(line);
    const config = "kind: KubeProxyConfiguration\nclusterCIDR: 10.0.0.0/8\n";
    const again = await generate("--objects o --config c --node-name node-0 --node-ip 192.168.0.2", {
      o: objects,
      c: config,
    });
    expect(again).toMatchObject({ stdout: rules, stderr: "" });
    const back = await chainwalk(words("services --rules r -o objects"), { r: rules });
    const more = await generate("--objects o --config c --node-name node-0 --node-ip 192.168.0.2", {
      o: back.stdout,
      c: config,
    });
    expect(more.stdout.split("\n").toSorted()).toEqual(rules.split("\n").toSorted());
  });

  it("--since prints the partial sync and says its size", async () => {
    const { stdout, stderr, exitCode } = await generate("--since before --objects after --node-name n");
    expect(exitCode).toBe(0);
    const lines = stdout.split("\n").length - 1;
    expect(stderr).toBe(`partial sync: 1 services changed, ${lines} lines, ${stdout.length} bytes\n`);
    const json = JSON.parse((await generate("--since before --objects after --node-name n --json")).stdout) as object;
    expect(json).toEqual({ kind: "partial", changed: ["ns/web"], lines, bytes: stdout.length, text: stdout });
  });

  it("an empty List gives the static rules and a warning", async () => {
    const { exitCode, stderr, stdout } = await generate("--objects empty --node-name n");
    expect(exitCode).toBe(0);
    expect(stderr).toContain("empty:1:1: warning: there is no Service");
    expect(stdout).toContain("-A KUBE-SERVICES");
  });

  it.each<[string, string, Files, RegExp]>([
    ["neither objects nor services", "--node-name n", {}, /^chainwalk: required option '--services <n>' or '--objects/],
    ["both", "--objects before --services 3 --node-name n", {}, /^chainwalk: --services is for a synthetic cluster/],
    [
      "a flag of the other kind",
      "--objects before --external-local 0.5",
      {},
      /^chainwalk: --external-local is for a synthetic/,
    ],
    ["no name of the node", "--objects before", {}, /^chainwalk: required option '--node-name/],
    ["--since alone", "--since before --services 3", {}, /^chainwalk: --since needs --objects/],
    [
      "an unknown mode",
      "--objects before --config c",
      { c: "kind: KubeProxyConfiguration\nmode: fancy\n" },
      /^c:2:7: mode: unknown mode "fancy"/,
    ],
    [
      "a mode that is not written",
      "--objects before --config c",
      { c: `${CONFIG}mode: ipvs\n` },
      /^chainwalk: the configuration's mode is ipvs, which is not written; --mode iptables or nftables/,
    ],
    [
      "nftables mode before there was one",
      "--objects before --node-name n --node-ip 1.2.3.4 --mode nftables --kube-proxy-version v1.26",
      {},
      /^chainwalk: kube-proxy v1\.26 has no nftables mode; the oldest with it is v1\.29/,
    ],
    [
      "a partial sync of nftables",
      "--since before --objects after --node-name n --mode nftables",
      {},
      /^chainwalk: --since .* is for --mode iptables/,
    ],
    [
      "a detector nft refuses",
      "--objects before --config c --node-ip 1.2.3.4",
      {
        c: `${CONFIG}mode: nftables\ndetectLocalMode: InterfaceNamePrefix\ndetectLocal:\n  interfaceNamePrefix: veth\n`,
      },
      /^chainwalk: detectLocalMode InterfaceNamePrefix .* nft refuses iif "veth\*"/,
    ],
    [
      "a ServiceCIDR that is none",
      "--objects o --node-name n --node-ip 1.2.3.4 --mode nftables",
      { o: `apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata:\n  name: a\nspec:\n  cidrs: [10.0.0.0]\n` },
      /o:6:11: ServiceCIDR a: spec\.cidrs\[0\]: "10\.0\.0\.0" is no prefix/,
    ],
    ["a tab", "--objects o --node-name n", { o: "kind: List\nitems:\n\t- a\n" }, /^o:3:1: this is no YAML: Tabs/],
    [
      "a bad address",
      "--objects o --node-name n",
      { o: after.replace("10.0.0.2", "10.0.0.256") },
      /^o:\d+:7: EndpointSlice ns\/web-a: endpoints\[1\]\.addresses\[0\]: "10\.0\.0\.256"/,
    ],
    ["a bad prefix", "--objects before --node-name n --pod-cidr 10.0.0.0", {}, /Expected address\/length/],
    ["a bad distribution", "--services 2 --endpoints 8-2", {}, /heavy-tail:5/],
    ["families that differ", "--services 2 --pod-cidr 10.0.0.0/8 --ip-family ipv6", {}, /different families/],
  ])("refuses %s", async (_, line, more, message) => {
    const { exitCode, stderr, stdout } = await generate(line, more);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });
});
