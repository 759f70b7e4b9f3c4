import { type Address, type Family, familyOf, parseAddress } from "../packet/address.js";
import { type MaskedAddress, parsePrefix } from "../packet/prefix.js";
import { parseProtocol } from "../packet/protocol.js";
import { error, ProblemError } from "../ruleset/problem.js";
import { servicePortName } from "./names.js";
import {
  type EndpointSlice,
  HEADLESS_LABEL,
  type KubernetesObject,
  PROXY_NAME_LABEL,
  type Service,
  SERVICE_NAME_LABEL,
  type ServiceSpecPort,
} from "./objects.js";

/** One endpoint of a service port. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
  /** `ip:port` or `[ip]:port`, the address as the slice spells it: what chains are hashed by and endpoints ordered by. */
  readonly text: string;
  /** It runs on this node. */
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Zones the slice hints it for. */
  readonly zones: readonly string[];
}

/** One port of one Service, in one family, with its endpoints: what every proxy mode writes rules from. */
export interface ServicePort {
  readonly namespace: string;
  readonly service: string;
  /** Name of the port; empty where it has none. */
  readonly portName: string;
  /** `namespace/service:port` as comments and hashes have it. */
  readonly name: string;
  /** Protocol number, and its name in lower case. */
  readonly protocol: number;
  readonly protocolName: string;
  readonly clusterIP: Address;
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  readonly externalIPs: readonly Address[];
  /** Load-balancer addresses that kube-proxy serves (ipMode VIP). */
  readonly loadBalancerIPs: readonly Address[];
  readonly sourceRanges: readonly MaskedAddress[];
  /** 0: none. */
  readonly healthCheckNodePort: number;
  /** Session affinity by client address, in seconds; 0: none. */
  readonly affinitySeconds: number;
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** The annotation topology-mode (or its predecessor) asks for topology hints. */
  readonly hintsWanted: boolean;
  readonly endpoints: readonly Endpoint[];
}

/** What of this differs between versions of kube-proxy. */
export interface ServiceOptions {
  /** `ns/name:` for an unnamed port (v1.17 and older). */
  readonly emptyColon: boolean;
  /** Endpoints by the text `ip:port` and each once (v1.19 and later), or as the objects list them. */
  readonly sorted: boolean;
  /** Load-balancer addresses with ipMode Proxy are left out (v1.30). */
  readonly ipMode: boolean;
  /** externalTrafficPolicy counts for a ClusterIP service with external IPs too (after v1.26). */
  readonly externalIPPolicy: boolean;
  /** The annotation that switches topology hints on. */
  readonly hints: "topology-mode" | "topology-aware-hints" | "none";
}

export const CURRENT_SERVICE_OPTIONS: ServiceOptions = {
  emptyColon: false,
  sorted: true,
  ipMode: true,
  externalIPPolicy: true,
  hints: "topology-mode",
};

const DEFAULT_AFFINITY_SECONDS = 10800;
const NO_ZONES: readonly string[] = [];

/**
 * The service ports of a family, in the order of the objects (kube-proxy itself walks a Go map: random order).
 * Headless and ExternalName services and those of another proxy are left out, as are addresses of the other family.
 * Follows pkg/proxy/serviceport.go, servicechangetracker.go and endpointslicecache.go. Throws ProblemError on an address that cannot be read.
 */
export function servicePortsOf(
  objects: Iterable<KubernetesObject>,
  family: Family,
  nodeName: string,
  options: ServiceOptions = CURRENT_SERVICE_OPTIONS,
): ServicePort[] {
  const services: Service[] = [];
  const slices = new Map<string, EndpointSlice[]>();
  for (const object of objects) {
    const labels = object.metadata.labels;
    if (labels?.[PROXY_NAME_LABEL] !== undefined || labels?.[HEADLESS_LABEL] !== undefined) continue;
    if (object.kind === "Service") services.push(object);
    else if (object.kind === "EndpointSlice") {
      const owner = labels?.[SERVICE_NAME_LABEL];
      if (owner === undefined || object.addressType !== (family === "ip" ? "IPv4" : "IPv6")) continue;
      const key = `${object.metadata.namespace ?? "default"}/${owner}`;
      const known = slices.get(key);
      if (known === undefined) slices.set(key, [object]);
      else known.push(object);
    }
  }
  const ports = new Map<string, ServicePort>();
  for (const service of services) {
    const own = slices.get(`${service.metadata.namespace ?? "default"}/${service.metadata.name}`) ?? [];
    for (const port of readService(service, own, family, nodeName, options))
      ports.set(`${port.name} ${port.protocolName}`, port);
  }
  return [...ports.values()];
}

function readService(
  service: Service,
  slices: readonly EndpointSlice[],
  family: Family,
  nodeName: string,
  options: ServiceOptions,
): ServicePort[] {
  const { spec, metadata } = service;
  if (
    spec.type === "ExternalName" ||
    spec.clusterIP === undefined ||
    spec.clusterIP === "" ||
    spec.clusterIP === "None"
  )
    return [];
  const where = `Service ${metadata.namespace ?? "default"}/${metadata.name}`;
  const clusterIP = (spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP])
    .map((text) => readAddress(text, `${where}: clusterIP`))
    .find((address) => familyOf(address) === family);
  if (clusterIP === undefined) return [];
  const ofFamily = (texts: readonly string[], field: string): Address[] =>
    texts.map((text) => readAddress(text, `${where}: ${field}`)).filter((address) => familyOf(address) === family);
  const externalIPs = ofFamily(spec.externalIPs ?? [], "externalIPs");
  const ingress = (service.status?.loadBalancer?.ingress ?? []).filter(
    (entry) => entry.ip !== undefined && entry.ip !== "" && (entry.ipMode !== "Proxy" || !options.ipMode),
  );
  const reachableFromOutside =
    spec.type === "LoadBalancer" ||
    spec.type === "NodePort" ||
    (options.externalIPPolicy && (spec.externalIPs ?? []).length > 0);
  const externalLocal = reachableFromOutside && spec.externalTrafficPolicy === "Local";
  const common = {
    namespace: metadata.namespace ?? "default",
    service: metadata.name,
    clusterIP,
    externalIPs,
    loadBalancerIPs: ofFamily(
      ingress.map((entry) => entry.ip!),
      "loadBalancer.ingress",
    ),
    sourceRanges: (spec.loadBalancerSourceRanges ?? [])
      .map((text) => readRange(text, `${where}: loadBalancerSourceRanges`))
      .filter((range) => familyOf(range.value) === family),
    healthCheckNodePort:
      spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local" ? (spec.healthCheckNodePort ?? 0) : 0,
    affinitySeconds:
      spec.sessionAffinity === "ClientIP"
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
        : 0,
    internalLocal: spec.internalTrafficPolicy === "Local",
    externalLocal,
    hintsWanted: wantsHints(metadata.annotations, options.hints),
  };
  return (spec.ports ?? []).map((port): ServicePort => {
    const portName = port.name ?? "";
    const protocolName = (port.protocol ?? "TCP").toLowerCase();
    const protocol = parseProtocol(protocolName);
    if (protocol === undefined) throw bad("bad-protocol", `${where}: protocol ${port.protocol} is not known`);
    return {
      ...common,
      portName,
      name: servicePortName(common.namespace, common.service, portName, options.emptyColon),
      protocol,
      protocolName,
      port: port.port,
      nodePort: port.nodePort ?? 0,
      endpoints: readEndpoints(slices, port, family, nodeName, options),
    };
  });
}

/** Any value but disabled counts (v1.27 and later; the older annotation takes precedence); v1.26 asks for auto. */
function wantsHints(annotations: Service["metadata"]["annotations"], hints: ServiceOptions["hints"]): boolean {
  if (hints === "none") return false;
  const older = annotations?.["service.kubernetes.io/topology-aware-hints"];
  if (hints === "topology-aware-hints") return older === "auto" || older === "Auto";
  const value = older ?? annotations?.["service.kubernetes.io/topology-mode"] ?? "";
  return value !== "" && value !== "disabled" && value !== "Disabled";
}

/** Slice ports are matched by name and protocol; of equal endpoints one stays, a local one before others. */
function readEndpoints(
  slices: readonly EndpointSlice[],
  servicePort: ServiceSpecPort,
  family: Family,
  nodeName: string,
  options: ServiceOptions,
): Endpoint[] {
  const all: Endpoint[] = [];
  for (const slice of slices) {
    for (const port of slice.ports ?? []) {
      if (port.port === undefined || (port.name ?? "") !== (servicePort.name ?? "")) continue;
      if ((port.protocol ?? "TCP") !== (servicePort.protocol ?? "TCP")) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const text = endpoint.addresses[0];
        if (text === undefined) continue;
        const address = readAddress(
          text,
          `EndpointSlice ${slice.metadata.namespace}/${slice.metadata.name}: addresses`,
        );
        if (familyOf(address) !== family) continue;
        all.push({
          address,
          port: port.port,
          text: text.includes(":") ? `[${text}]:${port.port}` : `${text}:${port.port}`,
          local: endpoint.nodeName !== undefined && endpoint.nodeName === nodeName,
          ready: endpoint.conditions?.ready ?? true,
          serving: endpoint.conditions?.serving ?? true,
          terminating: endpoint.conditions?.terminating ?? false,
          zones: endpoint.hints?.forZones?.map((zone) => zone.name) ?? NO_ZONES,
        });
      }
    }
  }
  if (!options.sorted) return all;
  const unique = new Map<string, Endpoint>();
  for (const endpoint of all) if (endpoint.local || !unique.has(endpoint.text)) unique.set(endpoint.text, endpoint);
  return [...unique.values()].sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
}

/** As Go's ParseIPSloppy reads it: surrounding spaces and leading zeros of an IPv4 octet are let pass, as decimal. */
function readAddress(text: string, where: string): Address {
  const address = parseAddress(text) ?? parseAddress(text.trim().replace(/(^|\.)0+(?=\d)/g, "$1"));
  if (address === undefined) throw bad("bad-address", `${where}: ${text} is no IP address`);
  return address;
}

function readRange(text: string, where: string): MaskedAddress {
  const range = parsePrefix(text) ?? parsePrefix(text.trim().replace(/(^|\.)0+(?=\d)/g, "$1"));
  if (range === undefined || !text.includes("/")) throw bad("bad-prefix", `${where}: ${text} is no prefix`);
  return range;
}

function bad(code: string, message: string): ProblemError {
  return new ProblemError(error(code, message));
}
