import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { LAYOUTS, layoutOf } from "../../src/kube/iptables-mode/layout.js";
import type { ObjectProblem } from "../../src/kube/object-problem.js";
import { CURRENT_SERVICE_OPTIONS, servicePortsOf, type ServicePort } from "../../src/kube/services.js";
import { usableEndpoints } from "../../src/kube/usable-endpoints.js";
import { webService, webSlice } from "./objects.js";

function portsOf(...objects: KubernetesObject[]): ServicePort[] {
  return servicePortsOf(objects, "ip", "here");
}

function endpointsOf(...objects: KubernetesObject[]): string[] {
  return portsOf(...objects)[0]!.endpoints.map((one) => one.text);
}

describe("services", () => {
  it("law: endpoints stand in the order of their bytes, each once, whatever order the slices give", () => {
    const address = fc.tuple(fc.nat(3), fc.nat(255)).map(([a, b]) => `10.180.${a}.${b}`);
    fc.assert(
      fc.property(fc.array(address, { maxLength: 30 }), fc.nat(30), (list, cut) => {
        const texts = endpointsOf(
          webService(),
          webSlice(list.slice(0, cut)),
          webSlice(list.slice(cut), { metadata: { ...webSlice([]).metadata, name: "web-b" } }),
        );
        const expected = [...new Set(list)].map((one) => Buffer.from(`${one}:8080`)).sort(Buffer.compare);
        expect(texts).toEqual(expected.map(String));
      }),
    );
  });

  it("the order of bytes is not that of numbers", () => {
    const last = [12, 3, 1, 7, 30, 100, 9].map((n) => `10.180.2.${n}`);
    expect(endpointsOf(webService(), webSlice(last)).map((text) => text.slice(9, -5))).toEqual([
      "100",
      "12",
      "1",
      "30",
      "3",
      "7",
      "9",
    ]);
  });

  it("a slice belongs by label, family, port name and protocol", () => {
    const slice = webSlice(["10.0.0.1"]);
    const none = [
      webSlice(["10.0.0.1"], { metadata: { ...slice.metadata, labels: {} } }),
      webSlice(["10.0.0.1"], { metadata: { ...slice.metadata, namespace: "other" } }),
      webSlice(["fd00::1"], { addressType: "IPv6" }),
      webSlice(["10.0.0.1"], { ports: [{ name: "other", port: 8080, protocol: "TCP" }] }),
      webSlice(["10.0.0.1"], { ports: [{ name: "http", port: 8080, protocol: "UDP" }] }),
      webSlice(["10.0.0.1"], { ports: [{ name: "http", protocol: "TCP" }] }),
      webSlice([{ addresses: [] }]),
    ];
    for (const one of none) expect(endpointsOf(webService(), one)).toEqual([]);
    expect(endpointsOf(webService(), slice)).toEqual(["10.0.0.1:8080"]);
  });

  it("of equal endpoints the local one stays", () => {
    const elsewhere = webSlice([{ addresses: ["10.0.0.1"], nodeName: "there" }]);
    const metadata = { ...elsewhere.metadata, name: "web-b" };
    const here = webSlice([{ addresses: ["10.0.0.1"], nodeName: "here" }], { metadata });
    for (const order of [
      [elsewhere, here],
      [here, elsewhere],
    ])
      expect(portsOf(webService(), ...order)[0]!.endpoints).toMatchObject([{ text: "10.0.0.1:8080", local: true }]);
  });

  it.each([
    ["headless", webService({ clusterIP: "None" })],
    ["without a cluster IP yet", webService({ clusterIP: "" })],
    ["ExternalName", webService({ type: "ExternalName" })],
    ["of the other family", webService({ clusterIP: "fd00::1", clusterIPs: ["fd00::1"] })],
    [
      "of another proxy",
      webService({}, { metadata: { name: "web", labels: { "service.kubernetes.io/service-proxy-name": "x" } } }),
    ],
  ])("a service %s is left out", (_, service) => {
    expect(portsOf(service, webSlice(["10.0.0.1"]))).toEqual([]);
  });

  it("a service of both families has one cluster IP in each", () => {
    const service = webService({ clusterIPs: ["172.30.0.1", "fd00::1"], ipFamilies: ["IPv4", "IPv6"] });
    expect(portsOf(service)[0]!.clusterIP).toBe(parseAddress("172.30.0.1"));
    expect(servicePortsOf([service], "ip6", "here")[0]!.clusterIP).toEqual(parseAddress("fd00::1"));
  });

  it("affinity has the API's default, and a health check port counts for local load balancers only", () => {
    expect(portsOf(webService({ sessionAffinity: "ClientIP" }))[0]!.affinitySeconds).toBe(10800);
    const balancer = webService({ type: "LoadBalancer", healthCheckNodePort: 30000 });
    expect(portsOf(balancer)[0]!.healthCheckNodePort).toBe(0);
    expect(portsOf({ ...balancer, spec: { ...balancer.spec, externalTrafficPolicy: "Local" } })[0]!).toMatchObject({
      healthCheckNodePort: 30000,
      externalLocal: true,
    });
  });

  it("load-balancer addresses: ipMode Proxy and host names are skipped, leading zeros are let pass", () => {
    const service = webService(
      { type: "LoadBalancer", loadBalancerSourceRanges: [" 203.0.113.0/25", "2001:db8::/64"] },
      {
        status: {
          loadBalancer: {
            ingress: [
              { ip: "1.2.003.4" },
              { ip: "1.2.3.5", ipMode: "Proxy" },
              { hostname: "x" },
              { ip: "1.2.3.6", ipMode: "VIP" },
            ],
          },
        },
      },
    );
    const port = portsOf(service)[0]!;
    expect(port.loadBalancerIPs).toEqual([parseAddress("1.2.3.4"), parseAddress("1.2.3.6")]);
    expect(port.sourceRanges).toEqual([{ value: parseAddress("203.0.113.0"), mask: 0xffffff80 }]);
  });

  it.each([
    ["Service ns/web: spec.clusterIP: ", webService({ clusterIP: "172.30.0" })],
    [
      "Service ns/web: spec.clusterIPs[0]: ",
      webService({ clusterIP: "fd00::1", clusterIPs: ["fd00::1"], ipFamilies: ["IPv4"] }),
    ],
    ["Service ns/web: spec.ports[0].protocol: ", webService({ ports: [{ port: 80, protocol: "QUIC" as "TCP" }] })],
    [
      "Service ns/web: spec.ports[1].nodePort: ",
      webService({
        ports: [
          { name: "a", port: 80, nodePort: 30000 },
          { name: "b", port: 81, nodePort: 30000 },
        ],
      }),
    ],
    ["EndpointSlice ns/web-a: endpoints[1].addresses[0]: ", webService(), webSlice(["10.0.0.1", "10.0.0.300"])],
  ])("refuses what no rules can be written from: %s", (message, ...objects: KubernetesObject[]) => {
    expect(() => portsOf(...objects)).toThrow(ProblemError);
    expect(() => portsOf(...objects)).toThrow(message);
  });

  it("equal node ports of different protocols are two ports", () => {
    const ports = [
      { name: "a", port: 80, nodePort: 30000 },
      { name: "b", port: 81, nodePort: 30000, protocol: "UDP" as const },
    ];
    expect(portsOf(webService({ type: "NodePort", ports }))).toHaveLength(2);
  });

  it.each<[string, string, unknown, KubernetesObject[]]>([
    ["spec.externalIPs[0]", "bad-address", { externalIPs: [] }, [webService({ externalIPs: ["nonsense"] })]],
    [
      "spec.loadBalancerSourceRanges[0]",
      "bad-prefix",
      { sourceRanges: [] },
      [webService({ loadBalancerSourceRanges: ["10.0.0.1"] })],
    ],
    [
      "status.loadBalancer.ingress[1].ip",
      "bad-address",
      { loadBalancerIPs: [parseAddress("1.2.3.4")] },
      [webService({}, { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }, { ip: "1.2.3" }] } } })],
    ],
    ["spec.clusterIP", "other-family", undefined, [webService({ clusterIP: "fd00::1" })]],
    ["spec.clusterIP", "sloppy-address", { clusterIP: 0xac1e0001 }, [webService({ clusterIP: "172.030.0.1" })]],
    ["endpoints[0].addresses[0]", "other-family", { endpoints: [] }, [webService(), webSlice(["fd00::1"])]],
    [
      "endpoints[0].addresses",
      "endpoint-without-address",
      { endpoints: [] },
      [webService(), webSlice([{ addresses: [] }])],
    ],
    ["metadata", "slice-without-service", { endpoints: [] }, [webService(), webSlice([], { metadata: { name: "x" } })]],
    [": it stands twice", "duplicate-object", { port: 81 }, [webService(), webService({ ports: [{ port: 81 }] })]],
  ])("goes on as kube-proxy does, with a warning: %s %s", (path, code, expected, objects) => {
    const found: ObjectProblem[] = [];
    const ports = servicePortsOf(objects, "ip", "here", CURRENT_SERVICE_OPTIONS, (one) => found.push(one));
    expect(found.map(({ problem }) => [problem.severity, problem.code])).toEqual([["warning", code]]);
    expect(found[0]!.problem.message).toContain(path);
    if (expected === undefined) expect(ports).toEqual([]);
    else expect(ports).toMatchObject([expected as object]);
  });

  it("from v1.33 on addresses are written in their canonical form", () => {
    const options = LAYOUTS.current.services;
    const slice = webSlice(["FD00:0::1"], { addressType: "IPv6" });
    const objects = [webService({ clusterIP: "fd00::0:1" }), slice];
    expect(servicePortsOf(objects, "ip6", "here", options)[0]!.endpoints[0]!.text).toBe("[fd00::1]:8080");
    expect(servicePortsOf(objects, "ip6", "here")[0]!.endpoints[0]!.text).toBe("[FD00:0::1]:8080");
  });
});

const at = (
  n: number,
  conditions: object,
  nodeName = "there",
): { addresses: string[]; conditions: object; nodeName: string } => ({
  addresses: [`10.0.0.${n}`],
  conditions,
  nodeName,
});

const node = { name: "here", addresses: [] };

const texts = (some: readonly { text: string }[]): string => some.map((one) => one.text.slice(7, -5)).join(" ");

const usable = (spec: object, ...list: ReturnType<typeof at>[]): unknown => {
  const found = usableEndpoints(portsOf(webService(spec), webSlice(list))[0]!, node);
  return {
    cluster: texts(found.cluster),
    local: texts(found.local),
    reachable: texts(found.reachable),
    hasAny: found.hasAny,
  };
};

const hinted = (n: number, ...zones: string[]): object => ({
  addresses: [`10.0.0.${n}`],
  hints: zones.length === 0 ? undefined : { forZones: zones.map((name) => ({ name })) },
});

const cluster = (zone: string | undefined, annotation: string, ...list: object[]): string[] => {
  const service = webService(
    {},
    {
      metadata: {
        namespace: "ns",
        name: "web",
        annotations: { "service.kubernetes.io/topology-mode": annotation },
      },
    },
  );
  const port = portsOf(service, webSlice(list as never))[0]!;
  const facts = { name: "here", addresses: [], ...(zone === undefined ? {} : { zone }) };
  return usableEndpoints(port, facts).cluster.map((one) => one.text.slice(7, -5));
};

describe("usable endpoints", () => {
  const ready = { ready: true };
  const draining = { ready: false, serving: true, terminating: true };
  const gone = { ready: false, serving: false, terminating: true };
  const local = { internalTrafficPolicy: "Local" };
  const nodePort = {
    type: "NodePort",
    externalTrafficPolicy: "Local",
    ports: [{ name: "http", port: 80, nodePort: 30080 }],
  };

  it.each([
    [
      "ready ones before terminating ones",
      {},
      [at(1, ready), at(2, draining)],
      { cluster: "1", local: "", reachable: "1", hasAny: true },
    ],
    [
      "terminating ones that serve, if no other is there",
      {},
      [at(1, gone), at(2, draining)],
      { cluster: "2", local: "", reachable: "2", hasAny: true },
    ],
    ["none at all", {}, [at(1, gone)], { cluster: "", local: "", reachable: "", hasAny: false }],
    [
      "internal Local: this node's",
      local,
      [at(1, ready), at(2, ready, "here")],
      { cluster: "", local: "2", reachable: "2", hasAny: true },
    ],
    ["internal Local: none here", local, [at(1, ready)], { cluster: "", local: "", reachable: "", hasAny: true }],
    [
      "external Local: both lists",
      nodePort,
      [at(1, ready), at(2, ready, "here")],
      { cluster: "1 2", local: "2", reachable: "1 2", hasAny: true },
    ],
    [
      "external Local: a terminating one here beside ready ones elsewhere",
      nodePort,
      [at(1, ready), at(2, draining, "here")],
      { cluster: "1", local: "2", reachable: "1 2", hasAny: true },
    ],
  ])("%s", (_, spec, list, expected) => {
    expect(usable(spec, ...list)).toEqual(expected);
  });

  it("topology hints keep to the zone only where all ready endpoints have some and one is for it", () => {
    const both = [hinted(1, "a"), hinted(2, "b")];
    expect(cluster("a", "auto", ...both)).toEqual(["1"]);
    expect(cluster("c", "auto", ...both)).toEqual(["1", "2"]);
    expect(cluster(undefined, "auto", ...both)).toEqual(["1", "2"]);
    expect(cluster("a", "disabled", ...both)).toEqual(["1", "2"]);
    expect(cluster("a", "auto", ...both, hinted(3))).toEqual(["1", "2", "3"]);
  });

  it.each([
    ["v1.30", ["1", "2"]],
    ["v1.31", ["1"]],
    ["v1.33", ["1"]],
    ["v1.34", ["2"]],
  ])("hints without an annotation, for this zone and for this node: %s", (version, expected) => {
    const hints = (zone: string, nodeName: string): object => ({
      hints: { forZones: [{ name: zone }], forNodes: [{ name: nodeName }] },
    });
    const slice = webSlice([
      { addresses: ["10.0.0.1"], ...hints("a", "there") },
      { addresses: ["10.0.0.2"], ...hints("b", "here") },
    ]);
    const [port] = servicePortsOf([webService(), slice], "ip", "here", layoutOf(version).services);
    const found = usableEndpoints(port!, { name: "here", addresses: [], zone: "a" }).cluster;
    expect(found.map((one) => one.text.slice(7, -5))).toEqual(expected);
  });
});
