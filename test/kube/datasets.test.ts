import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { formatEndpoint, parseAddress } from "../../src/packet/address.js";
import { complete } from "../../src/kube/complete.js";
import { LAYOUTS } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { endpointChainName, serviceChainName, servicePortName } from "../../src/kube/names.js";
import { NGINX_EXAMPLE } from "../../src/kube/nginx-example.js";
import { servicesOf } from "../../src/kube/read-services.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";
import { chainwalk } from "../cli/command-line.js";

const root = fileURLToPath(new URL("../../datasets/", import.meta.url));

function textOf(file: string): string {
  return readFileSync(root + file, "utf8");
}

function load(file: string): RuleSet {
  const form = file.endsWith(".txt") ? "listing" : "save";
  const { ruleset, problems } = readIptables(textOf(file), { form, family: "ip", table: "nat" });
  expect(problems).toEqual([]);
  return ruleset;
}

const files = readdirSync(`${root}nginx-clusterip`).map((file) => `nginx-clusterip/${file}`);
const STATIC =
  /^KUBE-(SERVICES|NODEPORTS|POSTROUTING|MARK-MASQ|MARK-DROP|FORWARD|FIREWALL|EXTERNAL-SERVICES|PROXY-CANARY|PROXY-FIREWALL)$/;

describe("datasets", () => {
  it("there are some", () => {
    expect(files.toSorted()).toEqual(["nginx-clusterip/listing.txt", "nginx-clusterip/rules.iptables-save"]);
  });

  it.each(files)("every KUBE- name in %s is the hash of what it stands for", (file) => {
    const known = new Set<string>();
    for (const service of servicesOf(load(file)))
      for (const port of service.ports) {
        const name = servicePortName(service.namespace, service.name, port.name, true);
        for (const kind of ["SVC", "FW", "XLB"] as const) known.add(serviceChainName(kind, name, port.protocolName));
        for (const one of port.choice.endpoints)
          known.add(endpointChainName(name, port.protocolName, formatEndpoint(one.address!, one.port!)));
      }
    const names = new Set(textOf(file).match(/\bKUBE-[A-Z0-9-]+/g));
    expect([...names].filter((name) => !STATIC.test(name) && !known.has(name))).toEqual([]);
    expect(names.size).toBeGreaterThan(4);
  });

  it("nginx-clusterip/rules.iptables-save is what the generator writes, and prints back as it is", () => {
    const { objects, configuration, node } = NGINX_EXAMPLE;
    const written = printRules(generateIptables(objects, configuration, node, "ip", LAYOUTS["v1.12"]));
    const text = textOf("nginx-clusterip/rules.iptables-save");
    expect(text.replaceAll(/^#.*\n/gm, "")).toBe(written);
    expect(printRules(load("nginx-clusterip/rules.iptables-save"))).toBe(text);
    expect(resolve(load("nginx-clusterip/rules.iptables-save")).problems).toEqual([]);
  });
});

describe("completing a listing", () => {
  const listing = load("nginx-clusterip/listing.txt");

  it("the listing names chains it does not define", () => {
    const missing = resolve(listing).problems.map((one) => `${one.severity} ${/KUBE-\S+/.exec(one.message)![0]}`);
    expect(new Set(missing)).toEqual(new Set(["warning KUBE-MARK-MASQ", "warning KUBE-FW-SI6MMWWVN6LUBWIY"]));
  });

  it("adds the static chains, says so, and makes up no chain of a service", () => {
    const { ruleset, added } = complete(listing);
    expect(added).toEqual([
      "-N KUBE-MARK-MASQ",
      "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
      "-N KUBE-POSTROUTING",
      '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully',
      "-N KUBE-NODEPORTS",
      '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
      '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
    ]);
    const missing = resolve(ruleset).problems.map((one) => /KUBE-\S+/.exec(one.message)![0]);
    expect(missing).toEqual(["KUBE-FW-SI6MMWWVN6LUBWIY"]);
    expect(ruleset.tables[0]!.chains.map((chain) => chain.base?.hook).filter(Boolean)).toEqual([
      "prerouting",
      "output",
      "postrouting",
    ]);
  });

  it("law: completing once more adds nothing, and what was there stays", () => {
    const { ruleset } = complete(listing);
    expect(complete(ruleset)).toEqual({ ruleset, added: [] });
    for (const chain of listing.tables[0]!.chains) {
      const after = ruleset.tables[0]!.chains.find((one) => one.name === chain.name)!;
      expect(after.rules.slice(0, chain.rules.length)).toEqual(chain.rules);
    }
  });

  it("a whole rule set is left alone", () => {
    const whole = load("nginx-clusterip/rules.iptables-save");
    expect(complete(whole)).toEqual({ ruleset: whole, added: [] });
  });

  it("takes the mark bit from the listing, and newer chains where nothing older shows", () => {
    const text = `-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x1000/0x1000`;
    const { added } = complete(readIptables(text, { form: "listing", family: "ip", table: "nat" }).ruleset);
    expect(added).toContain("-A KUBE-POSTROUTING -m mark ! --mark 0x1000/0x1000 -j RETURN");
    expect(added).not.toContain("-N KUBE-MARK-MASQ");
  });

  it("a chain that marks packets for drop needs the one that drops them", () => {
    const text = "-A KUBE-FW-AAAAAAAAAAAAAAAA -j KUBE-MARK-DROP";
    const { ruleset, added } = complete(readIptables(text, { form: "listing", family: "ip", table: "nat" }).ruleset);
    expect(added).toContain("-N KUBE-MARK-DROP");
    expect(added).toContain("-t filter -A INPUT -j KUBE-FIREWALL");
    expect(ruleset.tables.map((table) => table.name)).toEqual(["nat", "filter"]);
    expect(resolve(ruleset).problems).toEqual([]);
  });

  it("finds both services and their addresses", () => {
    expect(servicesOf(listing)).toMatchObject([
      {
        name: "wrinkled-crocodile-selenium-hub",
        type: "LoadBalancer",
        ports: [{ name: "hub", port: 4444, loadBalancerIPs: [parseAddress("39.96.133.156")] }],
      },
      {
        name: "nginx",
        type: "ClusterIP",
        ports: [{ clusterIPs: [parseAddress("172.19.0.166"), parseAddress("172.19.15.240")], port: 80 }],
      },
    ]);
  });
});

interface Feature {
  readonly name: string;
  readonly shows: string;
  readonly config: string;
  readonly options: readonly string[];
}

interface Large {
  readonly name: string;
  readonly options: readonly string[];
  readonly objects: string;
  readonly rules: string;
}

async function generated(...words: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await chainwalk(["generate", ...words]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

describe("features", () => {
  const features = JSON.parse(textOf("features/index.json")) as Feature[];

  it("every folder is in the index", () => {
    const folders = readdirSync(`${root}features`, { withFileTypes: true }).filter((one) => one.isDirectory());
    expect(folders.map((one) => one.name).toSorted()).toEqual(features.map((one) => one.name).toSorted());
  });

  it.each(features)("$name is what the generator writes, and comes back out of its rules", async (feature) => {
    const dir = `${root}features/${feature.name}`;
    const target = ["--config", `${root}features/${feature.config}`, ...feature.options];
    const rules = textOf(`features/${feature.name}/rules.iptables-save`);
    expect(await generated("--objects", `${dir}/objects.yaml`, ...target)).toBe(rules);
    const { stdout: objects } = await chainwalk(["services", "--rules", `${dir}/rules.iptables-save`, "-o", "yaml"]);
    const again = await chainwalk(["generate", "--objects", "-", ...target], { "-": objects });
    const lines = (text: string): string[] => text.split("\n").toSorted();
    expect(lines(again.stdout)).toEqual(lines(rules));
  });
});

describe("features in nftables mode", () => {
  const features = (JSON.parse(textOf("features/index.json")) as Feature[]).filter(({ name }) => name !== "v1.17");

  it.each(features)("$name is what the generator writes", async ({ name, config, options }) => {
    const node = options.filter((option) => option !== "--nfacct");
    const target = ["--config", `${root}features/${config}`, ...node, "--mode", "nftables"];
    const rules = textOf(`features/${name}/rules.nft`);
    expect(await generated("--objects", `${root}features/${name}/objects.yaml`, ...target)).toBe(rules);
    const { stdout, stderr } = await chainwalk(["print", "--rules", `${root}features/${name}/rules.nft`]);
    expect({ stdout, stderr }).toEqual({ stdout: rules.replace(/^#.*\n/, ""), stderr: "" });
  });
});

describe("large clusters", () => {
  const large = JSON.parse(textOf("large.json")) as Large[];
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

  it.each(large)("$name is made again, byte by byte", async ({ options, objects, rules }) => {
    expect(sha256(await generated(...options, "--emit", "objects"))).toBe(objects);
    expect(sha256(await generated(...options))).toBe(rules);
  });
});
