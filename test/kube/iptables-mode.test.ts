import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION, type ProxyConfiguration } from "../../src/kube/configuration.js";
import { LAYOUTS, type LayoutName } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";
import { webService, webSlice } from "./objects.js";

const node = { name: "here", addresses: [parseAddress("192.168.0.2")!, parseAddress("192.168.1.2")!] };
const layouts = Object.keys(LAYOUTS) as LayoutName[];

function generate(
  objects: readonly KubernetesObject[],
  configuration: Partial<ProxyConfiguration> = {},
  layout: LayoutName = "v1.30",
): RuleSet {
  const all = { ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8", ...configuration };
  return generateIptables(objects, all, node, "ip", LAYOUTS[layout]);
}

/** The rules of a chain as text, without `-A CHAIN`. */
function rulesOf(ruleset: RuleSet, table: string, chain: string): string[] {
  const start = `-A ${chain} `;
  const text = printRules({ tables: ruleset.tables.filter((one) => one.name === table) });
  return text.split("\n").flatMap((line) => (line.startsWith(start) ? [line.slice(start.length)] : []));
}

function withoutSpans(ruleset: RuleSet): unknown {
  return JSON.parse(JSON.stringify(ruleset, (key, value: unknown) => (key === "span" ? undefined : value)));
}

/** The text for one service with n endpoints. */
function many(n: number): string {
  const list = Array.from({ length: n }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  return printRules(generate([webService(), webSlice(list)]));
}

describe("what kube-proxy writes in iptables mode", () => {
  it.each(layouts)(
    "laws of %s: it reads back as it was written, resolves without a problem, and reaches every chain",
    (layout) => {
      const options = fc.record({
        services: fc.integer({ min: 0, max: 25 }),
        endpoints: fc.integer({ min: 0, max: 6 }),
        seed: fc.integer(),
        affinity: fc.constantFrom(0, 0.5),
        empty: fc.constantFrom(0, 0.3),
      });
      fc.assert(
        fc.property(options, (one) => {
          const cluster = synthesizeCluster(one);
          const ruleset = generateIptables(cluster.objects, cluster.configuration, cluster.node, "ip", LAYOUTS[layout]);
          const { ruleset: again, problems } = readIptables(printRules(ruleset), {
            form: "save",
            family: "ip",
            table: "nat",
          });
          expect(problems).toEqual([]);
          expect(withoutSpans(again)).toEqual(withoutSpans(ruleset));
          const resolved = resolve(ruleset);
          expect(resolved.problems).toEqual([]);
          const targets = new Set(resolved.rules.map((rule) => rule.target));
          const idle = ["KUBE-PROXY-CANARY", "KUBE-MARK-DROP", "KUBE-MARK-MASQ"];
          for (const chain of resolved.chains)
            if (chain.base === undefined && !idle.includes(chain.name)) expect(targets).toContain(chain);
        }),
        { numRuns: 25 },
      );
    },
  );

  it("one service with three endpoints, v1.30", () => {
    const ruleset = generate([webService(), webSlice(["10.0.0.1", "10.0.0.2", "10.0.0.3"])]);
    expect(rulesOf(ruleset, "nat", "KUBE-SERVICES")).toEqual([
      '-d 172.30.0.1/32 -p tcp -m comment --comment "ns/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-HMALVVKA6APKJPPY',
      '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
    ]);
    expect(
      rulesOf(ruleset, "nat", "KUBE-SVC-HMALVVKA6APKJPPY").map((rule) => rule.replace(/KUBE-SEP-.*/, "SEP")),
    ).toEqual([
      '! -s 10.0.0.0/8 -d 172.30.0.1/32 -p tcp -m comment --comment "ns/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
      '-m comment --comment "ns/web:http -> 10.0.0.1:8080" -m statistic --mode random --probability 0.33333333349 -j SEP',
      '-m comment --comment "ns/web:http -> 10.0.0.2:8080" -m statistic --mode random --probability 0.50000000000 -j SEP',
      '-m comment --comment "ns/web:http -> 10.0.0.3:8080" -j SEP',
    ]);
  });

  it("a service without endpoints is rejected, one without local ones dropped", () => {
    const none = generate([webService()]);
    expect(rulesOf(none, "filter", "KUBE-SERVICES")).toEqual([
      '-d 172.30.0.1/32 -p tcp -m comment --comment "ns/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
    ]);
    expect(rulesOf(none, "nat", "KUBE-SERVICES")).toHaveLength(1);
    const local = generate([webService({ internalTrafficPolicy: "Local" }), webSlice(["10.0.0.1"])]);
    expect(rulesOf(local, "filter", "KUBE-SERVICES")).toEqual([
      '-d 172.30.0.1/32 -p tcp -m comment --comment "ns/web:http has no local endpoints" -m tcp --dport 80 -j DROP',
    ]);
  });

  it("above 1000 endpoints comments go from endpoint rules, and only there", () => {
    expect(many(1000).match(/ns\/web:http/g)).toHaveLength(2 + 1000 + 2000);
    expect(many(1001).match(/ns\/web:http/g)).toHaveLength(2);
  });

  it.each([
    ["masquerade all", { masqueradeAll: true }, "-d 172.30.0.1/32 -p tcp"],
    ["no detector", { clusterCIDR: "" }, undefined],
    ["a bridge", { detectLocalMode: "BridgeInterface", bridgeInterface: "cbr0" }, "-d 172.30.0.1/32 ! -i cbr0 -p tcp"],
    [
      "an interface prefix",
      { detectLocalMode: "InterfaceNamePrefix", interfaceNamePrefix: "veth" },
      "-d 172.30.0.1/32 ! -i veth+ -p tcp",
    ],
    [
      "the cluster's prefix, of two families",
      { clusterCIDR: "fd00::/48,10.1.0.0/16" },
      "! -s 10.1.0.0/16 -d 172.30.0.1/32 -p tcp",
    ],
  ] as const)("masquerade by %s", (_, configuration, match) => {
    const ruleset = generate([webService(), webSlice(["10.0.0.1"])], configuration);
    const rule = rulesOf(ruleset, "nat", "KUBE-SVC-HMALVVKA6APKJPPY").find((one) => one.endsWith("KUBE-MARK-MASQ"));
    expect(rule?.split(" -m comment")[0]).toBe(match);
  });

  it("the mark bit is one for all rules that use it", () => {
    const text = printRules(generate([webService(), webSlice(["10.0.0.1"])], { masqueradeBit: 12 }));
    expect(text).not.toContain("0x4000");
    expect(text.match(/0x1000/g)).toHaveLength(7);
  });

  it.each([
    [[], true, ['-m comment --comment "C" -m addrtype --dst-type LOCAL']],
    [[], false, ['! -d 127.0.0.0/8 -m comment --comment "C" -m addrtype --dst-type LOCAL']],
    [["192.168.0.0/24"], true, ['-d 192.168.0.2/32 -m comment --comment "C"']],
    [
      ["192.168.0.0/16"],
      true,
      ['-d 192.168.0.2/32 -m comment --comment "C"', '-d 192.168.1.2/32 -m comment --comment "C"'],
    ],
    [
      ["127.0.0.0/8", "192.168.1.0/24"],
      true,
      ['-d 127.0.0.1/32 -m comment --comment "C"', '-d 192.168.1.2/32 -m comment --comment "C"'],
    ],
    [["127.0.0.0/8"], false, []],
    [["2001:db8::/64"], true, ['-m comment --comment "C" -m addrtype --dst-type LOCAL']],
  ])("node port addresses %j, localhost node ports %s", (nodePortAddresses, localhostNodePorts, expected) => {
    const rules = rulesOf(generate([], { nodePortAddresses, localhostNodePorts }), "nat", "KUBE-SERVICES");
    const comment = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
    expect(rules.map((rule) => rule.replace(comment, "C").replace(" -j KUBE-NODEPORTS", ""))).toEqual(expected);
  });

  it("v1.17 masquerades in KUBE-SERVICES, keeps the colon of an unnamed port, the order of endpoints and duplicates", () => {
    const objects = [
      webService({ ports: [{ port: 80 }] }),
      webSlice(["10.0.0.2", "10.0.0.10", "10.0.0.2"], { ports: [{ port: 80 }] }),
    ];
    const ruleset = generate(objects, {}, "v1.17");
    const services = rulesOf(ruleset, "nat", "KUBE-SERVICES");
    expect(services[0]).toBe(
      '! -s 10.0.0.0/8 -d 172.30.0.1/32 -p tcp -m comment --comment "ns/web: cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
    );
    const chain = /KUBE-SVC-\w+/.exec(services[1]!)![0];
    const endpoints = rulesOf(ruleset, "nat", chain).map((rule) => {
      const target = /KUBE-SEP-\w+/.exec(rule)![0];
      return [rule.replace(/ ?-j .*/, ""), /\S+$/.exec(rulesOf(ruleset, "nat", target)[1]!)![0]];
    });
    expect(endpoints).toEqual([
      ["-m statistic --mode random --probability 0.33333333349", "10.0.0.2:80"],
      ["-m statistic --mode random --probability 0.50000000000", "10.0.0.10:80"],
      ["", "10.0.0.2:80"],
    ]);
  });
});
