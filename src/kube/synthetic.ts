import seedrandom from "seedrandom";
import { type Address, familyOf, formatAddress, parseAddress } from "../packet/address.js";
import { contains, type MaskedAddress, parsePrefix, prefixLength } from "../packet/prefix.js";
import { error, ProblemError } from "../ruleset/problem.js";
import { DEFAULT_CONFIGURATION, type NodeFacts, type ProxyConfiguration } from "./configuration.js";
import {
  type EndpointSlice,
  type KubernetesObject,
  type Service,
  SERVICE_NAME_LABEL,
  type ServiceProtocol,
} from "./objects.js";
import { componentNames, namespaces, portsOf } from "./synthetic-names.js";

/** What a synthetic cluster shall hold. */
export interface SyntheticOptions {
  /** Services of type ClusterIP, one port each. */
  readonly services: number;
  /** Endpoints of each service. */
  readonly endpoints: number;
  readonly seed: string | number;
  /** Weights of the protocols; the default is 90 tcp, 9 udp, 1 sctp. */
  readonly protocols?: Readonly<Partial<Record<"tcp" | "udp" | "sctp", number>>>;
  /** Pods' addresses, 254 to a node; default 10.0.0.0/8. Its family is the cluster's. */
  readonly podCIDR?: string;
  /** Default 172.16.0.0/12. */
  readonly serviceCIDR?: string;
  readonly nodeName?: string;
  readonly nodeIP?: string;
  /** Share of the services with session affinity, 0..1; default 0. */
  readonly affinity?: number;
  /** Share of the services without any endpoint, 0..1; default 0. */
  readonly empty?: number;
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

/**
 * Objects of a cluster that look real: namespaces and names of services, ports by component, pods spread over nodes
 * of 256 addresses each, every cluster IP and endpoint address once. The same options give the same objects.
 * Throws ProblemError where a range is too small or an option out of bounds.
 */
export function synthesizeCluster(options: SyntheticOptions): Cluster {
  const { services, endpoints } = options;
  requireCount("services", services);
  requireCount("endpoints", endpoints);
  const random = seedrandom.alea(String(options.seed));
  const nodeName = options.nodeName ?? "node-0";
  const pods = addressRange(options.podCIDR ?? "10.0.0.0/8", "pod CIDR");
  const serviceRange = addressRange(options.serviceCIDR ?? "172.16.0.0/12", "service CIDR");
  if (familyOf(pods.first) !== familyOf(serviceRange.first))
    throw tooBad("mixed-families", "pod CIDR and service CIDR are of different families");
  if (overlap(pods, serviceRange)) throw tooBad("overlapping-ranges", "pod CIDR and service CIDR overlap");

  const total = services * endpoints;
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
  const objects: KubernetesObject[] = [];
  const slices: EndpointSlice[] = [];
  const addressType = familyOf(pods.first) === "ip" ? "IPv4" : "IPv6";
  const spaces = namespaces(services);
  for (let i = 0; i < services; i++) {
    const namespace = spaces[Math.floor(random() * spaces.length)]!;
    const { name, component } = names(namespace);
    const spoken = protocol();
    const { portName, port, targetPort } = portsOf(component, spoken);
    const clusterIP = formatAddress(offset(serviceRange.first, RESERVED_CLUSTER_IPS + clusterIPs(i)));
    const sticky = random() < (options.affinity ?? 0);
    const empty = random() < (options.empty ?? 0);
    objects.push(service(namespace, name, clusterIP, { name: portName, port, protocol: spoken }, sticky));
    const addresses = [];
    for (let k = 0; k < (empty ? 0 : endpoints); k++) {
      const place = places(i * endpoints + k);
      const node = place % nodes;
      const address = offset(pods.first, node * 2 ** NODE_BITS + 2 + Math.floor(place / nodes));
      addresses.push({
        addresses: [formatAddress(address)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: node === 0 ? nodeName : `node-${node}`,
      });
    }
    slices.push({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-0`, namespace, labels: { [SERVICE_NAME_LABEL]: name } },
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

interface AddressRange {
  readonly prefix: MaskedAddress;
  readonly first: Address;
  /** Addresses in it, at most 2^32: of a wider IPv6 range the lowest are used. */
  readonly size: number;
}

function addressRange(text: string, what: string): AddressRange {
  const prefix = text.includes("/") ? parsePrefix(text) : undefined;
  const length = prefix === undefined ? -1 : prefixLength(prefix.mask);
  if (prefix === undefined || length < 0)
    throw tooBad("bad-prefix", `${what} ${text} is no prefix: write address/length`);
  const bits = familyOf(prefix.value) === "ip" ? 32 : 128;
  return { prefix, first: prefix.value, size: 2 ** Math.min(32, bits - length) };
}

function overlap(a: AddressRange, b: AddressRange): boolean {
  return contains(a.prefix, b.first) || contains(b.prefix, a.first);
}

/** The address so many after another, in the lowest 32 bits. */
function offset(address: Address, by: number): Address {
  return typeof address === "number" ? address + by : [address[0], address[1], address[2], (address[3] + by) >>> 0];
}

/** A permutation of 0..size-1 that needs no memory: i -> (a * i + b) mod size with a prime to size. */
function scatter(size: number, random: () => number): (i: number) => number {
  const step = BigInt(primeTo(size, Math.floor(size * (0.38 + 0.24 * random()))));
  const start = BigInt(Math.floor(random() * size));
  const modulus = BigInt(size);
  return (i) => Number((step * BigInt(i) + start) % modulus);
}

function primeTo(size: number, near: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let step = Math.max(1, near);
  while (gcd(step, size) !== 1) step++;
  return step;
}

function protocolPicker(weights: SyntheticOptions["protocols"], random: () => number): () => ServiceProtocol {
  const { tcp = 0, udp = 0, sctp = 0 } = weights ?? { tcp: 90, udp: 9, sctp: 1 };
  const sum = tcp + udp + sctp;
  if (!(sum > 0) || tcp < 0 || udp < 0 || sctp < 0)
    throw tooBad("bad-protocol-mix", "the protocol mix needs weights of at least 0 whose sum is positive");
  return () => {
    const draw = random() * sum;
    return draw < tcp ? "TCP" : draw < tcp + udp ? "UDP" : "SCTP";
  };
}

function requireCount(what: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0)
    throw tooBad("bad-count", `${what} must be a whole number of at least 0, not ${count}`);
}

function tooSmall(what: string, need: string, addresses: number, size: number): ProblemError {
  return tooBad("range-too-small", `the ${what} is too small: ${need} need ${addresses} addresses, it has ${size}`);
}

function tooBad(code: string, message: string): ProblemError {
  return new ProblemError(error(code, message));
}
