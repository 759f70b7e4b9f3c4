import * as fc from "fast-check";
import type {
  EndpointSlice,
  KubernetesObject,
  Service,
  ServiceSpecPort,
  SliceEndpoint,
} from "../../src/kube/objects.js";
import { SERVICE_NAME_LABEL } from "../../src/kube/objects.js";
import type { Family } from "../../src/packet/address.js";

/** Name and zone the hints and endpoints of these clusters are made for. */
export const HERE = { name: "here", zone: "zone-a" };

interface ServiceDraw {
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly kind: "plain" | "headless" | "external-name";
  readonly ports: readonly { readonly protocol: "TCP" | "UDP" | "SCTP"; readonly sameEndpoints: boolean }[];
  readonly named: boolean;
  readonly externalIPs: number;
  readonly ingress: number;
  readonly ranges: readonly string[];
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  readonly affinity: number;
  readonly hints: "none" | "some" | "all";
  readonly endpoints: readonly EndpointDraw[];
}

interface EndpointDraw {
  readonly state: "ready" | "draining" | "gone" | "open";
  readonly local: boolean;
  readonly zone: string;
  readonly node: string;
  readonly targetPort: number;
  readonly twice: boolean;
}

const endpoint: fc.Arbitrary<EndpointDraw> = fc.record({
  state: fc.constantFrom("ready", "ready", "draining", "gone", "open"),
  local: fc.boolean(),
  zone: fc.constantFrom("zone-a", "zone-b"),
  node: fc.constantFrom("here", "there"),
  targetPort: fc.constantFrom(8080, 9090),
  twice: fc.boolean(),
});

const ranges4 = ["192.168.0.0/24", "203.0.113.0/25", "0.0.0.0/0", "10.20.0.1/32"];
const ranges6 = ["2001:db8::/64", "fd00:7::/48", "::/0", "fd00:7::1/128"];

function serviceDraw(family: Family): fc.Arbitrary<ServiceDraw> {
  return fc.record({
    type: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer"),
    kind: fc.constantFrom("plain", "plain", "plain", "plain", "plain", "headless", "external-name"),
    ports: fc.array(fc.record({ protocol: fc.constantFrom("TCP", "UDP", "SCTP"), sameEndpoints: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
    named: fc.boolean(),
    externalIPs: fc.constantFrom(0, 0, 1, 2),
    ingress: fc.constantFrom(0, 1, 1, 2),
    ranges: fc.oneof(fc.constant([]), fc.subarray(family === "ip" ? ranges4 : ranges6)),
    internalLocal: fc.boolean(),
    externalLocal: fc.boolean(),
    affinity: fc.constantFrom(0, 0, 600, 10800),
    hints: fc.constantFrom("none", "some", "all", "all"),
    endpoints: fc.array(endpoint, { maxLength: 6 }),
  });
}

/** Clusters with every feature kube-proxy writes rules for, in every mixture the API allows. */
export function arbitraryCluster(family: Family, spelled = false): fc.Arbitrary<KubernetesObject[]> {
  return fc.array(serviceDraw(family), { maxLength: 8 }).map((draws) =>
    draws.flatMap((draw, i) => {
      const ports = portsOf(draw, i);
      return [serviceOf(draw, i, ports, family), ...slicesOf(draw, i, ports, family, spelled)];
    }),
  );
}

function address(family: Family, net: number, host: number): string {
  return family === "ip" ? `10.${net}.${host >> 8}.${host & 255}` : `fd00:${net.toString(16)}::${host.toString(16)}`;
}

/** With `spelled` not every one in its canonical form: before v1.33 chains are hashed by what the slice says. */
function podAddress(family: Family, net: number, host: number, spelled: boolean): string {
  const text = address(family, net, host);
  return spelled && family === "ip6" && host % 2 === 0 ? text.replace("::", "::0:") : text;
}

function portsOf({ ports, named, type }: ServiceDraw, i: number): ServiceSpecPort[] {
  const some = named ? ports : ports.slice(0, 1);
  return some.map(({ protocol }, k) => ({
    ...(named ? { name: `p${k}` } : {}),
    port: 80 + k,
    protocol,
    ...(type !== "ClusterIP" ? { nodePort: 30000 + 10 * i + k } : {}),
  }));
}

function serviceOf(draw: ServiceDraw, i: number, ports: readonly ServiceSpecPort[], family: Family): Service {
  const clusterIP = draw.kind === "headless" ? "None" : address(family, 96, i + 1);
  const balanced = draw.type === "LoadBalancer";
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: `s${i}`,
      namespace: `ns${i % 2}`,
      ...(draw.hints === "all" ? { annotations: { "service.kubernetes.io/topology-aware-hints": "Auto" } } : {}),
    },
    spec: {
      type: draw.kind === "external-name" ? "ExternalName" : draw.type,
      clusterIP,
      clusterIPs: [clusterIP],
      ports,
      externalIPs: Array.from({ length: draw.externalIPs }, (_, k) => address(family, 97, 2 * i + k)),
      loadBalancerSourceRanges: balanced ? draw.ranges : [],
      internalTrafficPolicy: draw.internalLocal ? "Local" : "Cluster",
      externalTrafficPolicy: draw.externalLocal ? "Local" : "Cluster",
      ...(balanced && draw.externalLocal ? { healthCheckNodePort: 31000 + i } : {}),
      sessionAffinity: draw.affinity > 0 ? "ClientIP" : "None",
      ...(draw.affinity > 0 ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: draw.affinity } } } : {}),
    },
    ...(balanced
      ? {
          status: {
            loadBalancer: {
              ingress: Array.from({ length: draw.ingress }, (_, k) => ({ ip: address(family, 98, 2 * i + k) })),
            },
          },
        }
      : {}),
  };
}

const conditions = {
  ready: { ready: true },
  draining: { ready: false, serving: true, terminating: true },
  gone: { ready: false, serving: false, terminating: true },
  open: undefined,
} as const;

function slicesOf(
  draw: ServiceDraw,
  i: number,
  ports: readonly ServiceSpecPort[],
  family: Family,
  spelled: boolean,
): EndpointSlice[] {
  return ports.flatMap((port, k) => {
    const own = draw.ports[k]!.sameEndpoints ? draw.endpoints : draw.endpoints.slice(k);
    const byTarget = [8080, 9090].map((target) => own.filter((one) => one.targetPort === target));
    return byTarget.flatMap((list, t) => {
      const slice = (name: string, endpoints: readonly EndpointDraw[]): EndpointSlice => ({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name, namespace: `ns${i % 2}`, labels: { [SERVICE_NAME_LABEL]: `s${i}` } },
        addressType: family === "ip" ? "IPv4" : "IPv6",
        ports: [{ name: port.name ?? "", port: [8080, 9090][t]!, protocol: port.protocol! }],
        endpoints: endpoints.map((one) =>
          endpointOf(one, draw, podAddress(family, i + 1, 1 + draw.endpoints.indexOf(one), spelled)),
        ),
      });
      return [
        slice(`s${i}-${k}-${t}`, list),
        slice(
          `s${i}-${k}-${t}-again`,
          list.filter((one) => one.twice),
        ),
      ];
    });
  });
}

function endpointOf(draw: EndpointDraw, { hints }: ServiceDraw, ip: string): SliceEndpoint {
  const hinted = hints === "all" || (hints === "some" && draw.twice);
  return {
    addresses: [ip],
    ...(conditions[draw.state] === undefined ? {} : { conditions: conditions[draw.state] }),
    nodeName: draw.local ? HERE.name : "there",
    ...(hinted ? { hints: { forZones: [{ name: draw.zone }], forNodes: [{ name: draw.node }] } } : {}),
  };
}
