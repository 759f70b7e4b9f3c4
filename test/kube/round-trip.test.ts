import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Address, type Family, parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION, type ProxyConfiguration } from "../../src/kube/configuration.js";
import { LAYOUTS, type Layout, layoutOf } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { objectsOfServices } from "../../src/kube/objects-of-services.js";
import { servicesOf } from "../../src/kube/read-services.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { arbitraryCluster, HERE } from "./arbitrary-cluster.js";
import { canonicalChains } from "./canonical.js";
import { webService, webSlice } from "./objects.js";

const addresses: Record<Family, Address[]> = {
  ip: [parseAddress("192.168.0.2")!],
  ip6: [parseAddress("2001:db8::2")!],
};

const configuration: ProxyConfiguration = { ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8,fd00::/16" };

function again(ruleset: RuleSet, family: Family): { objects: readonly KubernetesObject[]; problems: number } {
  const read = readIptables(printRules(ruleset), { form: "save", family, table: "nat" }).ruleset;
  const { objects, problems } = objectsOfServices(servicesOf(read, addresses[family]), read, {
    nodeName: HERE.name,
    zone: HERE.zone,
  });
  return { objects, problems: problems.length };
}

function generate(objects: readonly KubernetesObject[], family: Family, layout: Layout): RuleSet {
  const node = { ...HERE, addresses: addresses[family], nfacct: true };
  return generateIptables(objects, configuration, node, family, layout);
}

const layouts: [string, Layout][] = [
  ...Object.entries(LAYOUTS).map(([name, layout]): [string, Layout] => [name, layout]),
  ...["v1.31", "v1.32", "v1.33"].map((version): [string, Layout] => [version, layoutOf(version)]),
];

describe("objects to rules and back", () => {
  for (const family of ["ip", "ip6"] as const)
    it.each(layouts)(`law, ${family}: rules of %s -> services -> objects -> the same rules`, (_, layout) => {
      // Only the comments of v1.24 and later show how a slice spelled an address.
      const cluster = arbitraryCluster(family, layout.endpointComment === "endpoint");
      fc.assert(
        fc.property(cluster, (objects) => {
          const rules = generate(objects, family, layout);
          const back = again(rules, family);
          expect(back.problems).toBe(0);
          expect(canonicalChains(generate(back.objects, family, layout))).toEqual(canonicalChains(rules));
        }),
        { numRuns: 40 },
      );
    });

  it("a large cluster stays one, though endpoints that are not ready leave no rule", () => {
    const list = Array.from({ length: 1001 }, (_, i) => ({
      addresses: [`10.0.${i >> 8}.${i & 255}`],
      conditions: { ready: i > 600 },
    }));
    const rules = generate([webService(), webSlice(list)], "ip", LAYOUTS["v1.30"]);
    expect(printRules(rules)).not.toContain(" -> ");
    const back = again(rules, "ip");
    expect(canonicalChains(generate(back.objects, "ip", LAYOUTS["v1.30"]))).toEqual(canonicalChains(rules));
  });
});
