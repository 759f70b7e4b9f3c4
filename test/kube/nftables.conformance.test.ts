import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { NodeFacts, ProxyConfiguration } from "../../src/kube/configuration.js";
import { readConfiguration } from "../../src/kube/manifest/read-configuration.js";
import { readObjects } from "../../src/kube/manifest/read-objects.js";
import { type NftablesLayout, nftablesLayoutOf } from "../../src/kube/nftables-mode/layout.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import type { EndpointChoice } from "../../src/kube/read-endpoints.js";
import { servicesOf } from "../../src/kube/read-services.js";
import { type Endpoint, type ServicePort, servicePortsOf } from "../../src/kube/services.js";
import { usableEndpoints, usesClusterEndpoints, usesLocalEndpoints } from "../../src/kube/usable-endpoints.js";
import { type Address, formatEndpoint, parseAddress } from "../../src/packet/address.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { readRules } from "../../src/syntax/read.js";
import { canonicalBlocks } from "./canonical-nft.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const rerun =
  "rerun: CHAINWALK_CONFORMANCE=... npx vitest run --config test/vitest.config.ts test/kube/nftables.conformance.test.ts";

function read(dir: string, name: string): string {
  const path = join(root!, dir, name);
  return existsSync(path) ? readFileSync(path, "utf8") : gunzipSync(readFileSync(`${path}.gz`)).toString();
}

interface Case {
  readonly objects: readonly KubernetesObject[];
  readonly configuration: ProxyConfiguration;
  readonly node: NodeFacts;
  readonly family: "ip" | "ip6";
  readonly layout: NftablesLayout;
}

function load(dir: string): Case {
  const facts = JSON.parse(read(dir, "case.json")) as {
    ipFamily: string;
    kubeProxyVersion: string;
    nodeName: string;
    nodeIPs: string[];
    zone: string | null;
  };
  const { configuration, problems } = readConfiguration(read(dir, "kube-proxy-config.yaml"));
  const { objects, problems: found } = readObjects(read(dir, "objects.json"));
  expect([...problems, ...found].filter((one) => one.severity === "error")).toEqual([]);
  const node = {
    name: facts.nodeName,
    addresses: facts.nodeIPs.map((text) => parseAddress(text)!),
    ...(facts.zone === null ? {} : { zone: facts.zone }),
  };
  const family = facts.ipFamily === "IPv6" ? "ip6" : "ip";
  return { objects, configuration, node, family, layout: nftablesLayoutOf(facts.kubeProxyVersion) };
}

function generated(dir: string): string {
  const { objects, configuration, node, family, layout } = load(dir);
  return printNft(generateNftables(objects, configuration, node, family, layout));
}

const addressesOf = (...lists: readonly (readonly Address[])[]): string[] => lists.flat().map(String).toSorted();
const places = (endpoints: readonly Pick<Endpoint, "address" | "port">[]): string[] =>
  endpoints.map(({ address, port }) => formatEndpoint(address, port));
const drawn = (choice: EndpointChoice | undefined): string[] =>
  places((choice?.endpoints ?? []) as readonly Pick<Endpoint, "address" | "port">[]);

/** What kube-proxy's rules tell of a service port on this node. */
function expectedOf(port: ServicePort, node: NodeFacts): Record<string, unknown> & { endpoints: string[] } {
  const usable = usableEndpoints(port, node);
  const local = usesLocalEndpoints(port) ? usable.local : [];
  const chosen = usesClusterEndpoints(port) && usable.cluster.length > 0 ? usable.cluster : local;
  const isOutside = port.nodePort !== 0 || port.externalIPs.length + port.loadBalancerIPs.length > 0;
  const isRefused =
    !usable.hasAny || ((port.internalLocal || (port.externalLocal && isOutside)) && usable.local.length === 0);
  return {
    clusterIPs: [port.clusterIP],
    port: port.port,
    nodePort: port.nodePort,
    outside: addressesOf(port.externalIPs, port.loadBalancerIPs),
    affinitySeconds: chosen.length > 0 ? port.affinitySeconds : 0,
    endpoints: places(chosen),
    local: places(local),
    even: true,
    refused: isRefused ? (usable.hasAny ? "drop" : "reject") : undefined,
  };
}

describe.runIf(root)("what the real kube-proxy wrote in nftables mode", () => {
  const dirs = root
    ? ["cases", "features", "bench"]
        .flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(kind, name)))
        .filter((dir) => dir.includes("nftables"))
    : [];

  it("there is some", () => expect(dirs.length).toBeGreaterThan(20));

  it.each(dirs)("is generated from the objects of %s", { timeout: 60_000 }, (dir) => {
    const [expected, actual] = [canonicalBlocks(read(dir, "rules.nft")), canonicalBlocks(generated(dir))];
    expect([...actual.keys()].toSorted(), rerun).toEqual([...expected.keys()].toSorted());
    for (const [block, lines] of expected)
      if (lines.join("\n") !== actual.get(block)!.join("\n"))
        expect(actual.get(block), `${block}; ${rerun}`).toEqual(lines);
  });

  it.each(dirs)("is read back as the services of %s", { timeout: 60_000 }, (dir) => {
    const { objects, node, family, layout } = load(dir);
    const found = new Map(
      servicesOf(readRules(read(dir, "rules.nft")).ruleset!).flatMap((service) =>
        service.ports.map((port) => [`${service.namespace}/${service.name}:${port.name} ${port.protocolName}`, port]),
      ),
    );
    const ports = servicePortsOf(objects, family, node.name, layout.services);
    expect(found.size, rerun).toBe(ports.length);
    for (const port of ports) {
      const name = `${port.namespace}/${port.service}:${port.portName} ${port.protocolName}`;
      const one = found.get(name)!;
      const expected = expectedOf(port, node);
      expect(
        {
          clusterIPs: one.clusterIPs,
          port: one.port,
          nodePort: one.nodePort,
          // The maps do not tell an external IP from an address of a load balancer.
          outside: addressesOf(one.externalIPs, one.loadBalancerIPs),
          affinitySeconds: one.choice.affinitySeconds,
          endpoints: drawn(one.choice),
          local: drawn(one.localChoice),
          even: one.choice.endpoints.every(({ probability }) => probability === 1 / expected.endpoints.length),
          refused: one.refused,
        },
        `${name}; ${rerun}`,
      ).toEqual(expected);
    }
  });
});
