import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Address, familyOf, formatAddress, parseAddress } from "../../src/packet/address.js";
import { contains, parsePrefix } from "../../src/packet/prefix.js";
import type { EndpointSlice, Service } from "../../src/kube/objects.js";
import { servicePortsOf } from "../../src/kube/services.js";
import { type Cluster, synthesizeCluster, type SyntheticOptions } from "../../src/kube/synthetic.js";

function services(cluster: Cluster): Service[] {
  return cluster.objects.filter((one): one is Service => one.kind === "Service");
}

function podAddresses(cluster: Cluster): Address[] {
  return cluster.objects
    .filter((one): one is EndpointSlice => one.kind === "EndpointSlice")
    .flatMap((slice) => slice.endpoints!.map((one) => parseAddress(one.addresses[0]!)!));
}

describe("the synthetic cluster", () => {
  const options = fc.record({
    services: fc.integer({ min: 0, max: 300 }),
    endpoints: fc.integer({ min: 0, max: 12 }),
    seed: fc.integer(),
    podCIDR: fc.constantFrom("10.0.0.0/8", "10.244.0.0/16", "fd00:10::/64"),
  });

  it("laws: the numbers asked for, unique names and addresses inside their ranges, the same again for the same seed", () => {
    fc.assert(
      fc.property(options, (one) => {
        const serviceCIDR = one.podCIDR.includes(":") ? "fd00:172:30::/112" : "172.30.0.0/16";
        const cluster = synthesizeCluster({ ...one, serviceCIDR });
        expect(synthesizeCluster({ ...one, serviceCIDR })).toEqual(cluster);
        const list = services(cluster);
        expect(list).toHaveLength(one.services);
        expect(new Set(list.map((s) => `${s.metadata.namespace}/${s.metadata.name}`)).size).toBe(one.services);
        const clusterIPs = list.map((s) => s.spec.clusterIP!);
        expect(new Set(clusterIPs).size).toBe(one.services);
        for (const ip of clusterIPs) expect(contains(parsePrefix(serviceCIDR)!, parseAddress(ip)!)).toBe(true);
        const pods = podAddresses(cluster);
        expect(pods).toHaveLength(one.services * one.endpoints);
        expect(new Set(pods.map(formatAddress)).size).toBe(pods.length);
        for (const pod of pods) expect(contains(parsePrefix(one.podCIDR)!, pod)).toBe(true);
        const family = familyOf(parsePrefix(serviceCIDR)!.value);
        const ports = servicePortsOf(cluster.objects, family, cluster.node.name);
        expect(ports.map((port) => port.endpoints.length)).toEqual(list.map(() => one.endpoints));
      }),
      { numRuns: 40 },
    );
  });

  it("another seed gives another cluster", () => {
    const [one, two] = [1, 2].map((seed) => synthesizeCluster({ services: 50, endpoints: 2, seed }).objects);
    expect(one).not.toEqual(two);
  });

  it("names are legal DNS labels (RFC 1123)", () => {
    for (const { metadata } of services(synthesizeCluster({ services: 3000, endpoints: 0, seed: 4 })))
      for (const name of [metadata.name, metadata.namespace!])
        expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  it("protocol mix, affinity and empty services come in about the shares asked for", () => {
    const mix = { protocols: { tcp: 1, udp: 2, sctp: 1 }, affinity: 0.25, empty: 0.1 };
    const cluster = synthesizeCluster({ services: 4000, endpoints: 1, seed: 9, ...mix });
    const list = services(cluster);
    const share = (test: (service: Service) => boolean): number => list.filter(test).length / list.length;
    // 5 standard deviations of a share of 4000 are at most 0.04.
    expect(Math.abs(share((s) => s.spec.ports![0]!.protocol === "UDP") - 0.5)).toBeLessThan(0.04);
    expect(Math.abs(share((s) => s.spec.ports![0]!.protocol === "SCTP") - 0.25)).toBeLessThan(0.04);
    expect(Math.abs(share((s) => s.spec.sessionAffinity === "ClientIP") - 0.25)).toBeLessThan(0.04);
    expect(Math.abs(1 - podAddresses(cluster).length / 4000 - 0.1)).toBeLessThan(0.04);
  });

  it("uses a range up to its end", () => {
    const cluster = synthesizeCluster({
      services: 239,
      endpoints: 1,
      seed: 1,
      serviceCIDR: "172.30.0.0/24",
      podCIDR: "10.0.0.0/22",
    });
    expect(new Set(services(cluster).map((s) => s.spec.clusterIP)).size).toBe(239);
  });

  it.each<[string, Partial<SyntheticOptions>, RegExp]>([
    [
      "service range",
      { services: 240, serviceCIDR: "172.30.0.0/24" },
      /service CIDR is too small: 240 services need 257 addresses, it has 256/,
    ],
    [
      "pod range",
      { services: 100, endpoints: 10, podCIDR: "10.0.0.0/22" },
      /pod CIDR is too small: 1000 endpoints on 13 nodes need 3328 addresses, it has 1024/,
    ],
    ["overlap", { podCIDR: "172.16.0.0/16" }, /overlap/],
    ["families", { podCIDR: "fd00::/64" }, /families/],
    ["prefix", { podCIDR: "10.0.0.0" }, /pod CIDR 10.0.0.0 is no prefix/],
    ["count", { services: 1.5 }, /services must be a whole number/],
    ["negative count", { endpoints: -1 }, /endpoints must be a whole number/],
    ["mix", { protocols: { tcp: 0 } }, /protocol mix/],
  ])("refuses a bad %s", (_, bad, message) => {
    expect(() => synthesizeCluster({ services: 10, endpoints: 2, seed: 1, ...bad })).toThrow(message);
  });

  it("types come in about the shares asked for; node ports and balancers' addresses are given out once", () => {
    const types = { ClusterIP: 4, NodePort: 2, LoadBalancer: 1, Headless: 2, ExternalName: 1 };
    const cluster = synthesizeCluster({ services: 4000, endpoints: 1, seed: 3, types, externalLocal: 0.5 });
    const list = services(cluster);
    const share = (test: (service: Service) => boolean): number => list.filter(test).length / list.length;
    // 5 standard deviations of a share of 4000 are at most 0.04.
    expect(Math.abs(share((s) => s.spec.type === "NodePort") - 0.2)).toBeLessThan(0.04);
    expect(Math.abs(share((s) => s.spec.type === "LoadBalancer") - 0.1)).toBeLessThan(0.04);
    expect(Math.abs(share((s) => s.spec.type === "ExternalName") - 0.1)).toBeLessThan(0.04);
    expect(Math.abs(share((s) => s.spec.clusterIP === "None") - 0.2)).toBeLessThan(0.04);
    const outside = list.filter((s) => s.spec.type === "NodePort" || s.spec.type === "LoadBalancer");
    const local = outside.filter((s) => s.spec.externalTrafficPolicy === "Local").length / outside.length;
    expect(Math.abs(local - 0.5)).toBeLessThan(0.08);
    const given = outside.flatMap((s) => [s.spec.ports![0]!.nodePort!, s.spec.healthCheckNodePort ?? []].flat());
    expect(new Set(given).size).toBe(given.length);
    for (const port of given) expect(port >= 30000 && port <= 32767).toBe(true);
    const balanced = list.flatMap((s) => s.status?.loadBalancer?.ingress?.map((one) => one.ip) ?? []);
    expect(new Set(balanced).size).toBe(balanced.length);
    const ports = servicePortsOf(cluster.objects, "ip", cluster.node.name);
    expect(ports).toHaveLength(
      list.filter((s) => s.spec.type !== "ExternalName" && s.spec.clusterIP !== "None").length,
    );
  });

  it("endpoint counts: uniform between two numbers, heavy-tailed about a mean with a few very large ones", () => {
    const countsOf = (endpoints: SyntheticOptions["endpoints"]): number[] =>
      servicePortsOf(synthesizeCluster({ services: 5000, endpoints, seed: 2 }).objects, "ip", "").map(
        (port) => port.endpoints.length,
      );
    const uniform = countsOf({ kind: "uniform", least: 2, most: 5 });
    for (const n of [2, 3, 4, 5]) {
      const share = uniform.filter((count) => count === n).length / uniform.length;
      expect(Math.abs(share - 0.25)).toBeLessThan(0.04);
    }
    expect(uniform.filter((count) => count < 2 || count > 5)).toEqual([]);
    const heavy = countsOf({ kind: "heavy-tail", mean: 6 }).sort((a, b) => a - b);
    const mean = heavy.reduce((sum, count) => sum + count, 0) / heavy.length;
    // The tail is so heavy that a sample's mean strays: a factor of 1.5 either way, a median of about half the mean.
    expect(mean > 4 && mean < 9).toBe(true);
    expect(heavy[2500]! < mean).toBe(true);
    expect(heavy.at(-1)! > 20 * mean && heavy.at(-1)! <= 1200).toBe(true);
  });

  it.each<[string, Partial<SyntheticOptions>, RegExp]>([
    ["mix of types", { types: { NodePort: 0 } }, /type mix/],
    ["number of node ports", { services: 3000, types: { NodePort: 1 } }, /only 2768 node ports/],
    [
      "range of balancers",
      { types: { LoadBalancer: 1 }, loadBalancerCIDR: "198.18.0.0/31" },
      /load balancer CIDR is too small/,
    ],
    ["uniform", { endpoints: { kind: "uniform", least: 3, most: 2 } }, /2 is less than 3/],
    ["mean", { endpoints: { kind: "heavy-tail", mean: 0 } }, /mean of endpoints/],
  ])("refuses a bad %s", (_, bad, message) => {
    expect(() => synthesizeCluster({ services: 10, endpoints: 2, seed: 1, ...bad })).toThrow(message);
  });
});
