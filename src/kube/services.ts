import { type Address, type Family, familyOf, formatAddress } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";
import { parseProtocol } from "../packet/protocol.js";
import { servicePortName } from "./names.js";
import { namespaceOf, ObjectCritic, type ObjectPath, objectTitle, type Report, throwErrors } from "./object-problem.js";
import { HEADLESS_LABEL, type KubernetesObject, PROXY_NAME_LABEL, type Service } from "./objects.js";
import { type Endpoint, SliceIndex, type SliceOptions } from "./slice-endpoints.js";
import { parseSloppyAddress, parseSloppyPrefix } from "./sloppy-address.js";

export type { Endpoint } from "./slice-endpoints.js";

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
  /** Topology hints are looked at: an annotation asks for them, or the version does so always. */
  readonly hintsWanted: boolean;
  /** Hints for nodes are looked at too, before those for zones. */
  readonly nodeHints: boolean;
  readonly endpoints: readonly Endpoint[];
}

/** What of this differs between versions of kube-proxy. */
export interface ServiceOptions extends SliceOptions {
  /** `ns/name:` for an unnamed port (v1.17 and older). */
  readonly emptyColon: boolean;
  /** Load-balancer addresses with ipMode Proxy are left out (v1.30). */
  readonly ipMode: boolean;
  /** externalTrafficPolicy counts for a ClusterIP service with external IPs too (after v1.26). */
  readonly externalIPPolicy: boolean;
  /**
   * What switches topology hints on: an annotation, or nothing but the hints (`zones`: gate ServiceTrafficDistribution, KEP-4444, on by
   * default from v1.31; `nodes and zones`: gate PreferSameTrafficDistribution, KEP-3015, on by default from v1.34).
   */
  readonly hints: "none" | "topology-aware-hints" | "topology-mode" | "zones" | "nodes and zones";
}

export const CURRENT_SERVICE_OPTIONS: ServiceOptions = {
  emptyColon: false,
  sorted: true,
  canonicalAddresses: false,
  ipMode: true,
  externalIPPolicy: true,
  hints: "topology-mode",
};

const DEFAULT_AFFINITY_SECONDS = 10800;

/**
 * The service ports of a family, in the order of the objects (kube-proxy itself walks a Go map: random order).
 * Headless and ExternalName services and those of another proxy are left out, as are addresses of the other family.
 * Follows pkg/proxy/serviceport.go, servicechangetracker.go and endpointslicecache.go. What kube-proxy skips is a warning to `report`, what
 * it could not write rules from an error; without `report` the first error is thrown as ProblemError.
 */
export function servicePortsOf(
  objects: Iterable<KubernetesObject>,
  family: Family,
  nodeName: string,
  options: ServiceOptions = CURRENT_SERVICE_OPTIONS,
  report: Report = throwErrors,
): ServicePort[] {
  const services = new Map<string, Service>();
  const slices = new SliceIndex(family, nodeName, options, report);
  for (const object of objects) {
    const labels = object.metadata.labels;
    if (labels?.[PROXY_NAME_LABEL] !== undefined || labels?.[HEADLESS_LABEL] !== undefined) continue;
    if (object.kind === "EndpointSlice") slices.add(object);
    else if (object.kind === "Service") {
      const key = `${namespaceOf(object.metadata)}/${object.metadata.name}`;
      if (services.has(key))
        new ObjectCritic(object, report).warn("duplicate-object", [], "it stands twice; the later one counts");
      services.set(key, object);
    }
  }
  const ports: ServicePort[] = [];
  const nodePorts = new Map<string, Service>();
  for (const [key, service] of services) {
    const reader = new ServiceReader(service, family, options, new ObjectCritic(service, report));
    reader.checkNodePorts(nodePorts);
    for (const one of reader.ports())
      ports.push({ ...one.port, endpoints: slices.endpointsOf(key, service.spec.ports![one.index]!) });
  }
  slices.checkRest();
  return ports;
}

type BarePort = Omit<ServicePort, "endpoints">;

/** Reads what a Service itself says. */
class ServiceReader {
  constructor(
    private readonly service: Service,
    private readonly family: Family,
    private readonly options: ServiceOptions,
    private readonly critic: ObjectCritic,
  ) {}

  /** Each port with its index in spec.ports; of two with one name and protocol the later counts. */
  ports(): Iterable<{ port: BarePort; index: number }> {
    const { spec, metadata } = this.service;
    const clusterIP = this.clusterIP();
    if (clusterIP === undefined) return [];
    const { externalIPs = [], loadBalancerSourceRanges = [] } = spec;
    const ingress = this.service.status?.loadBalancer?.ingress ?? [];
    const balanced = (i: number): boolean => ingress[i]!.ipMode !== "Proxy" || !this.options.ipMode;
    const reachableFromOutside =
      spec.type === "LoadBalancer" ||
      spec.type === "NodePort" ||
      (this.options.externalIPPolicy && externalIPs.length > 0);
    const common = {
      namespace: namespaceOf(metadata),
      service: metadata.name,
      clusterIP,
      externalIPs: this.addresses(externalIPs, (i) => ["spec", "externalIPs", i]),
      loadBalancerIPs: this.addresses(
        ingress.map(({ ip }, i) => (ip !== undefined && ip !== "" && balanced(i) ? ip : undefined)),
        (i) => ["status", "loadBalancer", "ingress", i, "ip"],
      ),
      sourceRanges: this.sourceRanges(loadBalancerSourceRanges),
      healthCheckNodePort:
        spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local" ? (spec.healthCheckNodePort ?? 0) : 0,
      affinitySeconds:
        spec.sessionAffinity === "ClientIP"
          ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
          : 0,
      internalLocal: spec.internalTrafficPolicy === "Local",
      externalLocal: reachableFromOutside && spec.externalTrafficPolicy === "Local",
      hintsWanted: wantsHints(metadata.annotations, this.options.hints),
      nodeHints: this.options.hints === "nodes and zones",
    };
    const ports = new Map<string, { port: BarePort; index: number }>();
    (spec.ports ?? []).forEach((port, index) => {
      const portName = port.name ?? "";
      const protocolName = (port.protocol ?? "TCP").toLowerCase();
      const protocol = parseProtocol(protocolName);
      if (protocol === undefined) {
        const message = `protocol ${JSON.stringify(port.protocol)} is not known; use TCP, UDP or SCTP`;
        return this.critic.error("bad-protocol", ["spec", "ports", index, "protocol"], message);
      }
      const name = servicePortName(common.namespace, common.service, portName, this.options.emptyColon);
      const numbers = { port: port.port, nodePort: port.nodePort ?? 0 };
      const read = { ...common, portName, name, protocol, protocolName, ...numbers };
      ports.set(`${portName} ${protocolName}`, { port: read, index });
    });
    return ports.values();
  }

  /** Of the family (GetClusterIPByFamily, pkg/proxy/util); undefined where kube-proxy writes no rules for the Service. */
  private clusterIP(): Address | undefined {
    const { type, clusterIP, clusterIPs, ipFamilies = [] } = this.service.spec;
    if (type === "ExternalName" || clusterIP === undefined || clusterIP === "" || clusterIP === "None")
      return undefined;
    const at = ipFamilies.indexOf(this.family === "ip" ? "IPv4" : "IPv6");
    const listed = ipFamilies.length > 0;
    if (listed && (at < 0 || clusterIPs?.[at] === undefined)) return undefined;
    const text = listed ? clusterIPs![at]! : clusterIP;
    const path = listed ? ["spec", "clusterIPs", at] : ["spec", "clusterIP"];
    const address = parseSloppyAddress(text);
    if (address === undefined) this.critic.error("bad-address", path, `${JSON.stringify(text)} is no IP address`);
    else if (familyOf(address) === this.family) return this.checkSpelling(address, text, path);
    else if (listed)
      this.critic.error(
        "other-family",
        path,
        `${text} does not belong to the family ${ipFamilies[at]} of spec.ipFamilies`,
      );
    else {
      const [own, other] = this.family === "ip" ? ["IPv4", "IPv6"] : ["IPv6", "IPv4"];
      const message = `${text} is an ${other} address; the Service has no part in the ${own} rules`;
      this.critic.warn("other-family", path, message);
    }
    return undefined;
  }

  private checkSpelling(address: Address, text: string, path: ObjectPath): Address {
    if (!this.options.canonicalAddresses && typeof address === "number" && formatAddress(address) !== text) {
      const message = `kube-proxy before v1.33 passes ${text} on as it is, and iptables-restore refuses all rules; written as ${formatAddress(address)}`;
      this.critic.warn("sloppy-address", path, message);
    }
    return address;
  }

  /** Those of the family; what cannot be read is skipped (MapIPsByIPFamily). */
  private addresses(texts: readonly (string | undefined)[], path: (i: number) => ObjectPath): readonly Address[] {
    const found: Address[] = [];
    texts.forEach((text, i) => {
      if (text === undefined) return;
      const address = parseSloppyAddress(text.trim());
      if (address === undefined)
        this.critic.warn("bad-address", path(i), `${JSON.stringify(text)} is no IP address; kube-proxy skips it`);
      else if (familyOf(address) === this.family) found.push(address);
    });
    return found.length === 0 ? NO_ADDRESSES : found;
  }

  /** Those of the family; what cannot be read is skipped (MapCIDRsByIPFamily). */
  private sourceRanges(texts: readonly string[]): readonly MaskedAddress[] {
    const found: MaskedAddress[] = [];
    texts.forEach((text, i) => {
      const range = parseSloppyPrefix(text);
      if (range === undefined) {
        const message = `${JSON.stringify(text)} is no prefix (address/length); kube-proxy skips it`;
        this.critic.warn("bad-prefix", ["spec", "loadBalancerSourceRanges", i], message);
      } else if (familyOf(range.value) === this.family) found.push(range);
    });
    return found.length === 0 ? NO_RANGES : found;
  }

  /** The API gives a node port of a protocol to one Service only. */
  checkNodePorts(taken: Map<string, Service>): void {
    const { spec } = this.service;
    if (spec.type === "ExternalName" || !spec.ports?.some((port) => port.nodePort)) return;
    spec.ports.forEach(({ nodePort, protocol = "TCP" }, i) => {
      if (!nodePort) return;
      const key = `${nodePort}/${protocol}`;
      const other = taken.get(key);
      if (other === undefined) taken.set(key, this.service);
      else {
        const message = `node port ${key} is already taken by ${objectTitle(other)}`;
        this.critic.error("duplicate-node-port", ["spec", "ports", i, "nodePort"], message);
      }
    });
  }
}

const NO_ADDRESSES: readonly Address[] = [];
const NO_RANGES: readonly MaskedAddress[] = [];

/** Any value but disabled counts (v1.27 and later; the older annotation takes precedence); v1.26 asks for auto. */
function wantsHints(annotations: Service["metadata"]["annotations"], hints: ServiceOptions["hints"]): boolean {
  if (hints === "none") return false;
  if (hints === "zones" || hints === "nodes and zones") return true;
  const older = annotations?.["service.kubernetes.io/topology-aware-hints"];
  if (hints === "topology-aware-hints") return older === "auto" || older === "Auto";
  const value = older ?? annotations?.["service.kubernetes.io/topology-mode"] ?? "";
  return value !== "" && value !== "disabled" && value !== "Disabled";
}
