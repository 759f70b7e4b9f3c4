import seedrandom from "seedrandom";
import { familyOf, formatAddress, parseAddress } from "../packet/address.js";
import { DEFAULT_CONFIGURATION, type NodeFacts, type ProxyConfiguration } from "./configuration.js";
import {
  type EndpointSlice,
  HEADLESS_LABEL,
  type KubernetesObject,
  type Service,
  SERVICE_NAME_LABEL,
  type ServiceProtocol,
  type SliceEndpoint,
} from "./objects.js";
import {
  countPicker,
  type EndpointCounts,
  protocolPicker,
  type ProtocolWeights,
  type SyntheticType,
  typePicker,
  type TypeWeights,
} from "./synthetic-draws.js";
import { componentNames, namespaces, portsOf } from "./synthetic-names.js";
import {
  addressRange,
  type AddressRange,
  offset,
  overlap,
  requireCount,
  scatter,
  tooBad,
  tooSmall,
} from "./synthetic-ranges.js";

/** What a synthetic cluster shall hold. */
export interface SyntheticOptions {
  /** Services, one port each. */
  readonly services: number;
  /** Endpoints of each service, or how many are drawn. */
  readonly endpoints: EndpointCounts;
  readonly seed: string | number;
  /** Weights of the protocols; the default is 90 tcp, 9 udp, 1 sctp. */
  readonly protocols?: ProtocolWeights;
  /** Weights of the types; by default all services are ClusterIP. */
  readonly types?: TypeWeights;
  /** Pods' addresses, 254 to a node; default 10.0.0.0/8. Its family is the cluster's. */
  readonly podCIDR?: string;
  /** Default 172.16.0.0/12. */
  readonly serviceCIDR?: string;
  /** Load balancers' addresses; default 198.18.0.0/15 (RFC 2544) or 2001:db8:1b::/64. */
  readonly loadBalancerCIDR?: string;
  readonly nodeName?: string;
  readonly nodeIP?: string;
  /** Share of the services with session affinity, 0..1; default 0. */
  readonly affinity?: number;
  /** Share of the services without any endpoint, 0..1; default 0. */
  readonly empty?: number;
  /** Share of the services reachable from outside whose external traffic policy is Local, 0..1; default 0. */
  readonly externalLocal?: number;
}

/** A cluster as objects, with the node and configuration that rules are to be written for. */
export interface Cluster {
  readonly objects: readonly KubernetesObject[];
  readonly node: NodeFacts;
  readonly configuration: ProxyConfiguration;
}

/** Pods on a node: kubelet's limit is 110. */
const PODS_PER_NODE = 80;
/** Addresses kept free at the beginning of the service range (the API server and DNS live there). */
const RESERVED_CLUSTER_IPS = 16;
const NODE_BITS = 8;
/** kube-apiserver's default --service-node-port-range. */
const FIRST_NODE_PORT = 30000;
const NODE_PORTS = 2768;

/**
 * Objects of a cluster that look real: namespaces and names of services, ports by component, pods spread over nodes
 * of 256 addresses each, every cluster IP and endpoint address once. The same options give the same objects.
 * Throws ProblemError where a range is too small or an option out of bounds.
 */
export function synthesizeCluster(options: SyntheticOptions): Cluster {
  const { services } = options;
  requireCount("services", services);
  const stream = (name: string): (() => number) => seedrandom.alea(`${options.seed}${name}`);
  const random = stream("");
  const nodeName = options.nodeName ?? "node-0";
  const pods = addressRange(options.podCIDR ?? "10.0.0.0/8", "pod CIDR");
  const serviceRange = addressRange(options.serviceCIDR ?? "172.16.0.0/12", "service CIDR");
  if (familyOf(pods.first) !== familyOf(serviceRange.first))
    throw tooBad("mixed-families", "pod CIDR and service CIDR are of different families");
  if (overlap(pods, serviceRange)) throw tooBad("overlapping-ranges", "pod CIDR and service CIDR overlap");

  const counts = Array.from({ length: services }, countPicker(options.endpoints, stream(" endpoints")));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const nodes = Math.max(1, Math.ceil(total / PODS_PER_NODE));
  const blocks = Math.floor(pods.size / 2 ** NODE_BITS);
  if (nodes > blocks)
    throw tooSmall("pod CIDR", `${total} endpoints on ${nodes} nodes`, nodes * 2 ** NODE_BITS, pods.size);
  const free = serviceRange.size - RESERVED_CLUSTER_IPS - 1;
  if (services > free)
    throw tooSmall("service CIDR", `${services} services`, services + RESERVED_CLUSTER_IPS + 1, serviceRange.size);

  const clusterIPs = scatter(free, random);
  const places = scatter(Math.max(1, total), random);
  const protocol = protocolPicker(options.protocols, random);
  const names = componentNames(random);
  const addressType = familyOf(pods.first) === "ip" ? "IPv4" : "IPv6";
  const kind = typePicker(options.types, stream(" types"));
  const outside = new OutsideWays(options, addressType, stream(" outside"));
  const objects: KubernetesObject[] = [];
  const slices: EndpointSlice[] = [];
  const spaces = namespaces(services);
  let placed = 0;
  for (let i = 0; i < services; i++) {
    const namespace = spaces[Math.floor(random() * spaces.length)]!;
    const { name, component } = names(namespace);
    const spoken = protocol();
    const { portName, port, targetPort } = portsOf(component, spoken);
    const clusterIP = formatAddress(offset(serviceRange.first, RESERVED_CLUSTER_IPS + clusterIPs(i)));
    const sticky = random() < (options.affinity ?? 0);
    const empty = random() < (options.empty ?? 0);
    const own = { name: portName, port, protocol: spoken };
    const written = outside.open(service(namespace, name, clusterIP, own, sticky), kind());
    objects.push(written);
    const addresses: SliceEndpoint[] = [];
    for (let k = 0; k < (empty ? 0 : counts[i]!); k++) {
      const place = places(placed + k);
      const node = place % nodes;
      const address = offset(pods.first, node * 2 ** NODE_BITS + 2 + Math.floor(place / nodes));
      addresses.push({
        addresses: [formatAddress(address)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: node === 0 ? nodeName : `node-${node}`,
      });
    }
    placed += counts[i]!;
    if (written.spec.type === "ExternalName") continue;
    slices.push({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-0`, namespace, labels: labelsOf(written) },
      addressType,
      ports: [{ name: portName, port: targetPort, protocol: spoken }],
      endpoints: addresses,
    });
  }
  for (const slice of slices) objects.push(slice);
  const nodeIP = parseAddress(options.nodeIP ?? (addressType === "IPv4" ? "192.168.0.2" : "2001:db8::2"));
  if (nodeIP === undefined) throw tooBad("bad-address", `node IP ${options.nodeIP} is no IP address`);
  return {
    objects,
    node: { name: nodeName, addresses: [nodeIP] },
    configuration: { ...DEFAULT_CONFIGURATION, clusterCIDR: options.podCIDR ?? "10.0.0.0/8" },
  };
}

/** The controller labels slices of a headless Service so that kube-proxy does not get them. */
function labelsOf({ metadata, spec }: Service): Record<string, string> {
  return { [SERVICE_NAME_LABEL]: metadata.name, ...(spec.clusterIP === "None" ? { [HEADLESS_LABEL]: "" } : {}) };
}

/** Makes services of a type: node ports and balancers' addresses are given out, each once. */
class OutsideWays {
  private readonly nodePorts: (i: number) => number;
  private readonly balancers: AddressRange;
  private taken = 0;
  private balanced = 0;

  constructor(
    private readonly options: SyntheticOptions,
    addressType: "IPv4" | "IPv6",
    private readonly random: () => number,
  ) {
    this.nodePorts = scatter(NODE_PORTS, random);
    const range = addressType === "IPv4" ? "198.18.0.0/15" : "2001:db8:1b::/64";
    this.balancers = addressRange(options.loadBalancerCIDR ?? range, "load balancer CIDR");
  }

  open(plain: Service, type: SyntheticType): Service {
    const { spec } = plain;
    if (type === "ClusterIP") return plain;
    if (type === "Headless") return { ...plain, spec: { ...spec, clusterIP: "None", clusterIPs: ["None"] } };
    if (type === "ExternalName") {
      const externalName = `${plain.metadata.name}.example.com`;
      return { ...plain, spec: { type, externalName, ports: spec.ports! } };
    }
    const local = this.random() < (this.options.externalLocal ?? 0);
    const ports = spec.ports!.map((port) => ({ ...port, nodePort: this.nodePort() }));
    const opened: Service = {
      ...plain,
      spec: { ...spec, type, ports, externalTrafficPolicy: local ? "Local" : "Cluster" },
    };
    if (type === "NodePort") return opened;
    if (this.balanced >= this.balancers.size)
      throw tooSmall("load balancer CIDR", "the load balancers", this.balanced + 1, this.balancers.size);
    const ip = formatAddress(offset(this.balancers.first, this.balanced++));
    return {
      ...opened,
      spec: { ...opened.spec, ...(local ? { healthCheckNodePort: this.nodePort() } : {}) },
      status: { loadBalancer: { ingress: [{ ip }] } },
    };
  }

  private nodePort(): number {
    if (this.taken >= NODE_PORTS)
      throw tooBad(
        "too-many-node-ports",
        `there are only ${NODE_PORTS} node ports: ask for fewer services of type NodePort and LoadBalancer`,
      );
    return FIRST_NODE_PORT + this.nodePorts(this.taken++);
  }
}

function service(
  namespace: string,
  name: string,
  clusterIP: string,
  port: { name: string; port: number; protocol: ServiceProtocol },
  sticky: boolean,
): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [port],
      ...(sticky
        ? { sessionAffinity: "ClientIP" as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } }
        : {}),
    },
  };
}
