import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION } from "../../src/kube/configuration.js";
import { LAYOUTS, type LayoutName } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { type ReadService, servicesOf } from "../../src/kube/read-services.js";
import { servicePortsOf } from "../../src/kube/services.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { webService, webSlice } from "./objects.js";

const node = { name: "here", addresses: [parseAddress("192.168.0.2")!] };
const layouts = Object.keys(LAYOUTS) as LayoutName[];

function read(objects: readonly KubernetesObject[], layout: LayoutName = "v1.30"): ReadService[] {
  const configuration = { ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8" };
  return servicesOf(generateIptables(objects, configuration, node, "ip", LAYOUTS[layout]));
}

function withoutComments(ruleset: RuleSet): RuleSet {
  return JSON.parse(
    JSON.stringify(ruleset, (key, value: unknown) =>
      key === "statements" ? (value as { kind: string }[]).filter((one) => one.kind !== "comment") : value,
    ),
  ) as RuleSet;
}

function byName(a: { service: string }, b: { service: string }): number {
  return a.service < b.service ? -1 : 1;
}

describe("services of a rule set", () => {
  it.each(layouts)("law: what was written in %s is found again", (layout) => {
    const options = fc.record({
      services: fc.integer({ min: 0, max: 20 }),
      endpoints: fc.integer({ min: 0, max: 5 }),
      seed: fc.integer(),
      affinity: fc.constantFrom(0, 0.5),
      empty: fc.constantFrom(0, 0.4),
    });
    fc.assert(
      fc.property(options, (one) => {
        const { objects, configuration, node } = synthesizeCluster(one);
        const { services } = LAYOUTS[layout];
        const written = servicePortsOf(objects, "ip", node.name, services).map((port) => ({
          service: `${port.namespace}/${port.service}`,
          port: port.portName,
          address: [port.clusterIP],
          number: port.port,
          protocol: port.protocolName,
          endpoints: port.endpoints.map(({ address, port }) => [address, port]),
          affinity: port.endpoints.length > 0 ? port.affinitySeconds : 0,
          refused: port.endpoints.length > 0 ? undefined : "reject",
        }));
        const found = servicesOf(generateIptables(objects, configuration, node, "ip", LAYOUTS[layout])).flatMap(
          (service) =>
            service.ports.map((port) => ({
              service: `${service.namespace}/${service.name}`,
              port: port.name,
              address: port.clusterIPs,
              number: port.port,
              protocol: port.protocolName,
              endpoints: port.choice.endpoints.map(({ address, port }) => [address, port]),
              affinity: port.choice.affinitySeconds,
              refused: port.refused,
            })),
        );
        expect(found.toSorted(byName)).toEqual(written.toSorted(byName));
      }),
      { numRuns: 25 },
    );
  });

  it("thresholds as the kernel stores them, and the shares they make", () => {
    const [web] = read([webService(), webSlice(["10.0.0.1", "10.0.0.2", "10.0.0.3"])]);
    const { endpoints } = web!.ports[0]!.choice;
    expect(endpoints.map((one) => one.threshold)).toEqual([715827883, 1073741824, 2147483648]);
    expect(endpoints[0]!.probability).toBe(715827883 / 2 ** 31);
    expect(endpoints.reduce((sum, one) => sum + one.probability, 0)).toBeCloseTo(1, 15);
  });

  it("node ports, external IPs and load balancers, in all layouts", () => {
    const balancer = webService(
      {
        type: "LoadBalancer",
        externalIPs: ["192.168.99.30"],
        loadBalancerSourceRanges: ["203.0.113.0/25"],
        ports: [{ name: "http", port: 80, nodePort: 30080 }],
        sessionAffinity: "ClientIP",
        externalTrafficPolicy: "Local",
      },
      { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } },
    );
    const slice = webSlice(["10.0.0.1", { addresses: ["10.0.0.2"], nodeName: "here" }]);
    for (const layout of layouts) {
      const [web] = read([balancer, slice], layout);
      expect(web).toMatchObject({ namespace: "ns", name: "web", type: "LoadBalancer" });
      const port = web!.ports[0]!;
      expect(port).toMatchObject({
        nodePort: 30080,
        port: 80,
        clusterIPs: [parseAddress("172.30.0.1")],
        externalIPs: [parseAddress("192.168.99.30")],
        loadBalancerIPs: [parseAddress("1.2.3.4")],
        sourceRanges: [{ value: parseAddress("203.0.113.0"), mask: 0xffffff80 }],
        internalTrafficPolicy: "Cluster",
        externalTrafficPolicy: "Local",
      });
      expect(port.choice).toMatchObject({ affinitySeconds: 10800, endpoints: [{ port: 8080 }, { port: 8080 }] });
      expect(port.localChoice!.endpoints.map((one) => one.address)).toEqual([parseAddress("10.0.0.2")]);
    }
  });

  it("policies, and services that are refused", () => {
    const local = { internalTrafficPolicy: "Local" as const };
    const here = webSlice([{ addresses: ["10.0.0.2"], nodeName: "here" }, "10.0.0.1"]);
    const [policy] = read([webService(local), here]);
    expect(policy!.ports[0]).toMatchObject({ internalTrafficPolicy: "Local", externalTrafficPolicy: undefined });
    expect(policy!.ports[0]!.choice.endpoints).toHaveLength(1);
    expect(read([webService(local), webSlice(["10.0.0.1"])])[0]!.ports[0]).toMatchObject({
      refused: "drop",
      internalTrafficPolicy: "Local",
    });
    const empty = webService({
      type: "NodePort",
      ports: [{ name: "http", port: 80, nodePort: 30080 }],
      externalIPs: ["192.168.99.23"],
    });
    for (const layout of layouts)
      expect(read([empty], layout)).toMatchObject([
        {
          type: "NodePort",
          ports: [
            {
              refused: "reject",
              nodePort: 30080,
              externalIPs: [parseAddress("192.168.99.23")],
              clusterIPs: [parseAddress("172.30.0.1")],
            },
          ],
        },
      ]);
  });

  it("without comments a service is known by its chain", () => {
    const configuration = { ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8" };
    const ruleset = generateIptables([webService(), webSlice(["10.0.0.1"])], configuration, node);
    expect(servicesOf(withoutComments(ruleset))).toMatchObject([
      {
        namespace: "",
        name: "KUBE-SVC-HMALVVKA6APKJPPY",
        ports: [
          {
            name: "",
            clusterIPs: [parseAddress("172.30.0.1")],
            choice: { endpoints: [{ address: parseAddress("10.0.0.1") }] },
          },
        ],
      },
    ]);
  });

  it("a rule set of something else holds none", () => {
    expect(servicesOf({ tables: [] })).toEqual([]);
  });
});
