import { type Address, type Family, familyOf, formatAddress, formatEndpoint } from "../packet/address.js";
import { formatPrefix } from "../packet/prefix.js";
import { type Problem, warning } from "../ruleset/problem.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { RuleSet } from "../ruleset/types.js";
import { LARGE_CLUSTER_ENDPOINTS } from "./iptables-mode/layout.js";
import {
  type EndpointSlice,
  type KubernetesObject,
  SERVICE_NAME_LABEL,
  type Service,
  type ServiceProtocol,
  type ServiceSpec,
  type SliceEndpoint,
} from "./objects.js";
import type { ReadEndpoint } from "./read-endpoints.js";
import type { ReadService, ReadServicePort } from "./read-services.js";

/** What rules do not say of the node they were written for. */
export interface ObjectsOptions {
  readonly nodeName: string;
  /** Needed only where topology hints chose among the endpoints. */
  readonly zone?: string | undefined;
}

export interface ServiceObjects {
  readonly objects: readonly KubernetesObject[];
  /** Warnings: what the rules do not tell, so that other rules may come of the objects. */
  readonly problems: readonly Problem[];
}

/**
 * Services and EndpointSlices from which kube-proxy would write these rules, on the node named. What leaves no rule is not there: headless
 * services, endpoints that may not be used, names of nodes. Where rules only show that there is an endpoint somewhere, one is made up in
 * 198.18.0.0/15 (RFC 2544) or 2001:db8::/32 (RFC 3849).
 */
export function objectsOfServices(
  services: readonly ReadService[],
  ruleset: RuleSet,
  options: ObjectsOptions,
): ServiceObjects {
  const writer = new ObjectWriter(options);
  for (const service of services) writer.add(service);
  if (isLargeCluster(ruleset)) writer.fillUp();
  return { objects: [...writer.services, ...writer.slices], problems: writer.problems };
}

/** Endpoint rules have no comments, in a version that drops them only above so many endpoints (all but v1.14 to v1.17). */
function isLargeCluster(ruleset: RuleSet): boolean {
  const nat = ruleset.tables.find((table) => table.name === "nat");
  const filter = ruleset.tables.find((table) => table.name === "filter");
  const has = (name: string): boolean =>
    nat?.chains.some((chain) => chain.name === name) === true ||
    filter?.chains.some((chain) => chain.name === name) === true;
  if (has("KUBE-PROXY-CANARY") && !has("KUBE-PROXY-FIREWALL")) return false;
  const rules = nat?.chains.flatMap((chain) => (/^KUBE-SV[CL]-/.test(chain.name) ? chain.rules : [])) ?? [];
  return rules.some(
    (rule) =>
      jumpOf(rule)?.chain.startsWith("KUBE-SEP-") === true && rule.statements.every((one) => one.kind !== "comment"),
  );
}

type Conditions = NonNullable<SliceEndpoint["conditions"]>;

const READY: Conditions = { ready: true, serving: true, terminating: false };
const DRAINING: Conditions = { ready: false, serving: true, terminating: true };
const GONE: Conditions = { ready: false, serving: false, terminating: false };
/** v1.26 knows this annotation only, and until v1.30 it comes before its successor. */
const HINTS_ANNOTATION = { "service.kubernetes.io/topology-aware-hints": "Auto" };
const ELSEWHERE = "elsewhere";
/** Any port will do where an endpoint is only known to be somewhere. */
const UNKNOWN_PORT = 1;

class ObjectWriter {
  readonly services: Service[] = [];
  readonly slices: EndpointSlice[] = [];
  readonly problems: Problem[] = [];
  private endpoints = 0;

  constructor(private readonly options: ObjectsOptions) {}

  add(service: ReadService): void {
    const title = `Service ${service.namespace}/${service.name}`;
    const clusterIPs = unique(service.ports.flatMap((port) => port.clusterIPs));
    const clusterIP = clusterIPs[0];
    if (clusterIP === undefined || service.namespace === "" || service.ports.some((port) => port.port === 0))
      return this.warn(
        "incomplete-service",
        `${title}: the rules do not show its name, cluster IP and ports: left out`,
      );
    if (clusterIPs.length > 1)
      this.warn(
        "several-cluster-ips",
        `${title}: it has ${clusterIPs.length} cluster IPs in the rules; the first is kept`,
      );
    const hinted = service.ports.some(choosesByTopology);
    if (hinted && this.options.zone === undefined)
      this.warn("no-zone", `${title}: topology hints chose its endpoints, and the node's zone is not known`);
    this.services.push({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: service.name,
        namespace: service.namespace,
        ...(hinted ? { annotations: HINTS_ANNOTATION } : {}),
      },
      spec: specOf(service, clusterIP),
      ...statusOf(service),
    });
    const before = this.slices.length;
    for (const port of service.ports) this.addEndpoints(service, port, familyOf(clusterIP));
    if (this.slices.length === before) this.addSlice(service, service.ports[0]!, familyOf(clusterIP), undefined, []);
  }

  private addEndpoints(service: ReadService, port: ReadServicePort, family: Family): void {
    const endpoints = this.endpointsOf(port, family);
    for (let from = 0; from < endpoints.length;) {
      const own = endpoints[from]!.port;
      let to = from + 1;
      while (to < endpoints.length && endpoints[to]!.port === own) to++;
      const run = endpoints.slice(from, to).map((one) => one.endpoint);
      this.addSlice(service, port, family, own, run);
      from = to;
    }
  }

  private addSlice(
    { namespace, name }: ReadService,
    port: ReadServicePort,
    family: Family,
    number: number | undefined,
    endpoints: readonly SliceEndpoint[],
  ): void {
    this.endpoints += endpoints.length;
    this.slices.push({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-${this.slices.length}`, namespace, labels: { [SERVICE_NAME_LABEL]: name } },
      addressType: family === "ip" ? "IPv4" : "IPv6",
      ports: [{ name: port.name, port: number ?? port.port, protocol: protocolOf(port) }],
      endpoints,
    });
  }

  private endpointsOf(port: ReadServicePort, family: Family): { port: number; endpoint: SliceEndpoint }[] {
    const { cluster, local, localOnly } = spread(port);
    if (cluster.length === 0 && local.length === 0 && port.refused === "drop")
      return [{ port: UNKNOWN_PORT, endpoint: { addresses: [unknownAddress(family, 0)], conditions: READY } }];
    const hints = choosesByTopology(port);
    const isLocal = new Set(local.map(endpointKey));
    const late = cluster.length > 0 && !hints ? DRAINING : READY;
    return [
      ...cluster.map((one) => ({ one, conditions: READY, near: true })),
      ...localOnly.map((one) => ({ one, conditions: late, near: false })),
    ].flatMap(({ one, conditions, near }) => {
      if (one.address === undefined || one.port === undefined) {
        this.warn("unknown-endpoint", `the rules do not show where ${one.chain} leads: the endpoint is left out`);
        return [];
      }
      const endpoint: SliceEndpoint = {
        addresses: [one.spelled ?? formatAddress(one.address)],
        conditions,
        ...(isLocal.has(endpointKey(one)) ? { nodeName: this.options.nodeName } : {}),
        ...(hints ? { hints: this.hints(near) } : {}),
      };
      return [{ port: one.port, endpoint }];
    });
  }

  private hints(near: boolean): NonNullable<SliceEndpoint["hints"]> {
    const { zone, nodeName } = this.options;
    return {
      ...(zone === undefined ? {} : { forZones: [{ name: near ? zone : `not-${zone}` }] }),
      forNodes: [{ name: near ? nodeName : `not-${nodeName}` }],
    };
  }

  /** Adds endpoints that leave no rule until the cluster counts as a large one. */
  fillUp(): void {
    const service = this.services[0];
    const missing = LARGE_CLUSTER_ENDPOINTS + 1 - this.endpoints;
    if (service === undefined || missing <= 0) return;
    const [port] = service.spec.ports!;
    const family = service.spec.clusterIP!.includes(":") ? "ip6" : "ip";
    this.slices.push({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${service.metadata.name}-not-ready`,
        namespace: service.metadata.namespace!,
        labels: { [SERVICE_NAME_LABEL]: service.metadata.name },
      },
      addressType: family === "ip" ? "IPv4" : "IPv6",
      ports: [{ name: port!.name ?? "", port: UNKNOWN_PORT, protocol: port!.protocol! }],
      endpoints: Array.from({ length: missing }, (_, i) => ({
        addresses: [unknownAddress(family, i + 1)],
        conditions: GONE,
        nodeName: ELSEWHERE,
      })),
    });
  }

  private warn(code: string, message: string): void {
    this.problems.push(warning(code, message));
  }
}

interface Spread {
  readonly cluster: readonly ReadEndpoint[];
  readonly local: readonly ReadEndpoint[];
  /** Those that are not among the first. */
  readonly localOnly: readonly ReadEndpoint[];
}

/** The endpoints for traffic policy Cluster and for Local. */
function spread(port: ReadServicePort): Spread {
  const cluster = port.chain?.startsWith("KUBE-SVC-") === true ? port.choice.endpoints : [];
  const local = port.localChoice?.endpoints ?? [];
  const known = new Set(cluster.map(endpointKey));
  return { cluster, local, localOnly: local.filter((one) => !known.has(endpointKey(one))) };
}

/**
 * Some local endpoints may be used by policy Cluster too, others not: only topology hints part them so. (Local ones alone that Cluster may
 * not use are those that still serve while terminating, or as good as that.)
 */
function choosesByTopology(port: ReadServicePort): boolean {
  const { cluster, local, localOnly } = spread(port);
  return cluster.length > 0 && localOnly.length > 0 && localOnly.length < local.length;
}

function endpointKey({ address, port, chain }: ReadEndpoint): string {
  return address === undefined || port === undefined ? chain : formatEndpoint(address, port);
}

function specOf({ ports, type }: ReadService, clusterIP: Address): ServiceSpec {
  const served = ports.find((port) => !port.unserved) ?? ports[0]!;
  const externalLocal = ports.some((port) => port.externalTrafficPolicy === "Local" || port.healthCheckNodePort !== 0);
  const healthCheckNodePort = most(ports.map((port) => port.healthCheckNodePort));
  const affinity = most(ports.flatMap((port) => [port.choice.affinitySeconds, port.localChoice?.affinitySeconds ?? 0]));
  // Before v1.27 externalTrafficPolicy counts for the types NodePort and LoadBalancer only.
  const balanced = healthCheckNodePort > 0 || (externalLocal && type === "ClusterIP");
  const ip = formatAddress(clusterIP);
  return {
    type: balanced ? "LoadBalancer" : type,
    clusterIP: ip,
    clusterIPs: [ip],
    ipFamilies: [familyOf(clusterIP) === "ip" ? "IPv4" : "IPv6"],
    ports: ports.map((port) => ({
      ...(port.name === "" ? {} : { name: port.name }),
      protocol: protocolOf(port),
      port: port.port,
      ...(port.nodePort === 0 ? {} : { nodePort: port.nodePort }),
    })),
    ...(served.externalIPs.length === 0 ? {} : { externalIPs: served.externalIPs.map(formatAddress) }),
    ...(served.sourceRanges.length === 0 ? {} : { loadBalancerSourceRanges: served.sourceRanges.map(formatPrefix) }),
    internalTrafficPolicy: ports.some((port) => port.internalTrafficPolicy === "Local") ? "Local" : "Cluster",
    ...(type === "ClusterIP" && !balanced && !externalLocal
      ? {}
      : { externalTrafficPolicy: externalLocal ? "Local" : "Cluster" }),
    ...(healthCheckNodePort === 0 ? {} : { healthCheckNodePort }),
    ...(affinity === 0
      ? { sessionAffinity: "None" }
      : { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
  };
}

function statusOf({ ports }: ReadService): Pick<Service, "status"> {
  const served = ports.find((port) => !port.unserved) ?? ports[0]!;
  if (served.loadBalancerIPs.length === 0) return {};
  return { status: { loadBalancer: { ingress: served.loadBalancerIPs.map((ip) => ({ ip: formatAddress(ip) })) } } };
}

function protocolOf(port: ReadServicePort): ServiceProtocol {
  return port.protocolName.toUpperCase() as ServiceProtocol;
}

function most(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), 0);
}

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [String(address), address])).values()];
}

/** The i-th address of a range that belongs to nobody. */
function unknownAddress(family: Family, i: number): string {
  return formatAddress(family === "ip" ? 0xc6120000 + i : [0x20010db8, 0, 0, i]);
}
