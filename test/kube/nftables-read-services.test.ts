import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LAYOUTS } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { nftablesLayoutOf } from "../../src/kube/nftables-mode/layout.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import { type ReadService, servicesOf } from "../../src/kube/read-services.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { formatFraction, toNumber } from "../../src/engine/fraction.js";
import { formatEndpoint } from "../../src/packet/address.js";
import { sharesOfChoice } from "../../src/cli/draw/probability.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { readClean } from "../syntax/round-trip.js";

/** What both modes show of a service port. nftables does not tell a load balancer's address from an external IP, nor show health checks. */
function shown(ruleset: RuleSet): object[] {
  const ports = servicesOf(ruleset).flatMap((service: ReadService) =>
    service.ports.map((port) => ({
      service: `${service.namespace}/${service.name}:${port.name} ${port.protocol}`,
      clusterIPs: port.clusterIPs,
      port: port.port,
      nodePort: port.nodePort,
      outside: [...port.externalIPs, ...port.loadBalancerIPs].map(String).sort(),
      sourceRanges: port.sourceRanges.map(({ value, mask }) => `${String(value)}/${String(mask)}`).sort(),
      refused: port.refused,
      internalTrafficPolicy: port.internalTrafficPolicy,
      externalTrafficPolicy: port.externalTrafficPolicy,
      endpoints: port.choice.endpoints.map((one) => `${String(one.address)}:${one.port}`).sort(),
      affinity: port.choice.affinitySeconds,
      local: port.localChoice?.endpoints.map((one) => `${String(one.address)}:${one.port}`).sort(),
    })),
  );
  return ports.toSorted((a, b) => (a.service < b.service ? -1 : 1));
}

describe("services of nftables mode", () => {
  it.each(["v1.30", "v1.33", "v1.36", "v1.37"])("law: they are those of iptables mode, %s", (version) => {
    const options = fc.record({
      services: fc.integer({ min: 0, max: 20 }),
      endpoints: fc.integer({ min: 0, max: 5 }),
      seed: fc.integer(),
      affinity: fc.constantFrom(0, 0.5),
      empty: fc.constantFrom(0, 0.4),
      types: fc.constantFrom({ ClusterIP: 1 }, { ClusterIP: 1, NodePort: 1, LoadBalancer: 1 }),
      externalLocal: fc.constantFrom(0, 0.5),
    });
    fc.assert(
      fc.property(options, fc.constantFrom("ip", "ip6"), (one, family) => {
        const { objects, configuration, node } = synthesizeCluster({
          ...one,
          ...(family === "ip6" ? { podCIDR: "fd00:10::/64", serviceCIDR: "fd00:20::/108" } : {}),
        });
        const layout = nftablesLayoutOf(version);
        const nftables = shown(generateNftables(objects, configuration, node, family, layout));
        expect(nftables).toEqual(shown(generateIptables(objects, configuration, node, family, LAYOUTS["v1.30"])));
      }),
      { numRuns: 40 },
    );
  });

  it("every endpoint has the same part of one draw", () => {
    const { objects, configuration, node } = synthesizeCluster({ services: 1, endpoints: 3, seed: 1 });
    const [service] = servicesOf(generateNftables(objects, configuration, node, "ip", nftablesLayoutOf("v1.33")));
    const { choice } = service!.ports[0]!;
    expect(choice.mod).toBe(3);
    expect(choice.endpoints.map(({ probability }) => probability)).toEqual([1 / 3, 1 / 3, 1 / 3]);
  });

  it("numbers decide the part of an endpoint, also where they are ranges, moved, or lead nowhere", () => {
    const draw = (text: string): object[] => {
      const rules = readClean(`table ip kube-proxy {
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 172.30.0.1 . tcp . 80 : goto service-ABCDEFGH-ns/web/tcp/http }
  }
  chain service-ABCDEFGH-ns/web/tcp/http {
    ${text}
  }
  chain a {
    dnat to 10.0.0.1:8080
  }
  chain b {
    dnat to 10.0.0.2:8080
  }
}
`);
      const { choice } = servicesOf(rules)[0]!.ports[0]!;
      return sharesOfChoice(choice).map((share, i) => {
        const { address, port, probability } = choice.endpoints[i]!;
        expect(toNumber(share)).toBe(probability);
        return [formatEndpoint(address!, port!), formatFraction(share)];
      });
    };
    expect(draw("numgen random mod 8 vmap { 0-4 : goto a, 5 : goto b }")).toEqual([
      ["10.0.0.1:8080", "5/8"],
      ["10.0.0.2:8080", "1/8"],
    ]);
    expect(draw("numgen random mod 3 offset 10 vmap { 0 : goto a, 10 : goto a, 11-12 : goto b }")).toEqual([
      ["10.0.0.1:8080", "1/3"],
      ["10.0.0.2:8080", "2/3"],
    ]);
    expect(draw("dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }")).toEqual([
      ["10.0.0.1:80", "1/2"],
      ["10.0.0.2:81", "1/2"],
    ]);
    expect(draw("meta l4proto tcp dnat to 10.0.0.9:8080")).toEqual([["10.0.0.9:8080", "1/1"]]);
  });
});
