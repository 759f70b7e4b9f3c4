import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { servicePortsOf, type ServicePort } from "../../src/kube/services.js";
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
    const here = webSlice([{ addresses: ["10.0.0.1"], nodeName: "here" }]);
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
    const service = webService({ clusterIPs: ["172.30.0.1", "fd00::1"] });
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
    [webService({ clusterIP: "172.30.0" })],
    [webService({ externalIPs: ["nonsense"] })],
    [webService({ loadBalancerSourceRanges: ["10.0.0.1"] })],
    [webService({ ports: [{ port: 80, protocol: "QUIC" as "TCP" }] })],
  ])("refuses what cannot be read, naming the service", (service) => {
    expect(() => portsOf(service)).toThrow(ProblemError);
    expect(() => portsOf(service)).toThrow(/Service ns\/web: /);
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
});
