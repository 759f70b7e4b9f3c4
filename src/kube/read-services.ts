import { type Address, type Family, familyOf } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";
import { protocolName } from "../packet/protocol.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule, RuleSet, Table } from "../ruleset/types.js";
import { type EndpointChoice, readChoice } from "./read-endpoints.js";
import { readSourceRanges } from "./read-firewall.js";
import { type Frontend, frontendsOf, healthCheckPortsOf } from "./read-frontends.js";

/** One port of a Service, as far as rules show it. */
export interface ReadServicePort {
  /** Empty where it has none, or where no comment tells. */
  readonly name: string;
  readonly protocol: number;
  readonly protocolName: string;
  /** One, unless a listing holds it under several; none where only other addresses of it are shown. */
  readonly clusterIPs: readonly Address[];
  /** 0 where only its node port is seen. */
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  /** 0: none. */
  readonly healthCheckNodePort: number;
  readonly externalIPs: readonly Address[];
  readonly loadBalancerIPs: readonly Address[];
  /** The sources its load balancer lets in; empty: all. */
  readonly sourceRanges: readonly MaskedAddress[];
  /** What is done with packets where it has no endpoints it may use, on some address at least. */
  readonly refused: "reject" | "drop" | undefined;
  readonly internalTrafficPolicy: "Cluster" | "Local";
  /** Undefined where it is not reachable from outside, and where a listing does not show how. */
  readonly externalTrafficPolicy: "Cluster" | "Local" | undefined;
  /** The chain that chooses among its endpoints (KUBE-SVC-..., or KUBE-SVL-... where that is all there is). */
  readonly chain: string | undefined;
  readonly choice: EndpointChoice;
  /** The choice among the endpoints of this node, for traffic policy Local. */
  readonly localChoice: EndpointChoice | undefined;
  /** Packets are refused everywhere: load-balancer addresses cannot be told from external IPs. */
  readonly unserved: boolean;
}

/** A Service, as far as rules show it. */
export interface ReadService {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly ports: readonly ReadServicePort[];
}

/**
 * The Services a rule set of kube-proxy's iptables mode holds, in the order of their rules; any layout from v1.12 on.
 * Names come from comments; where there is none, from the chain. Services that leave no rule (headless, or of another
 * proxy) are not there, and what a bare listing does not show is left open. Of a service without endpoints the rules do
 * not tell a load balancer's address from an external IP. The node's addresses, where given, tell whether the last sources a firewall lets
 * in are the balancer's own addresses, which kube-proxy adds if the node is let in.
 */
export function servicesOf(ruleset: RuleSet, nodeAddresses?: readonly Address[]): ReadService[] {
  return ruleset.tables
    .filter((table) => table.name === "nat")
    .flatMap((nat) => {
      const filter = ruleset.tables.find((table) => table.name === "filter" && table.family === nat.family);
      return readTables(nat, filter, nodeAddresses);
    });
}

/** What all service ports of a table are read with. */
interface ReadTable {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly healthCheckPorts: ReadonlyMap<string, number>;
  readonly family: Family;
  readonly nodeAddresses: readonly Address[] | undefined;
}

function readTables(nat: Table, filter: Table | undefined, nodeAddresses?: readonly Address[]): ReadService[] {
  const table: ReadTable = {
    chains: new Map(nat.chains.map((chain) => [chain.name, chain])),
    healthCheckPorts: healthCheckPortsOf(filter),
    family: nat.family === "ip6" ? "ip6" : "ip",
    nodeAddresses: nodeAddresses?.filter((address) => familyOf(address) === (nat.family === "ip6" ? "ip6" : "ip")),
  };
  const byPort = new Map<string, Frontend[]>();
  for (const frontend of frontendsOf(nat, filter)) {
    const key = `${frontend.label} ${frontend.protocol}`;
    const known = byPort.get(key);
    if (known === undefined) byPort.set(key, [frontend]);
    else known.push(frontend);
  }
  const services = new Map<string, { namespace: string; name: string; ports: ReadServicePort[] }>();
  for (const frontends of byPort.values()) {
    const [namespace, name, portName] = splitLabel(frontends[0]!.label);
    const key = `${namespace}/${name}`;
    let service = services.get(key);
    if (service === undefined) services.set(key, (service = { namespace, name, ports: [] }));
    service.ports.push(readPort(portName, frontends, table));
  }
  return [...services.values()].map((service) => ({ ...service, type: typeOf(service.ports) }));
}

/** `namespace/name:port`, `namespace/name:` or `namespace/name`; anything else is a name without a namespace. */
function splitLabel(label: string): [namespace: string, name: string, port: string] {
  const parts = /^([^/]+)\/([^:]+)(?::(.*))?$/s.exec(label);
  return parts === null ? ["", label, ""] : [parts[1]!, parts[2]!, parts[3] ?? ""];
}

function typeOf(ports: readonly ReadServicePort[]): ReadService["type"] {
  if (ports.some((port) => port.loadBalancerIPs.length > 0)) return "LoadBalancer";
  return ports.some((port) => port.nodePort !== 0) ? "NodePort" : "ClusterIP";
}

function readPort(name: string, frontends: readonly Frontend[], table: ReadTable): ReadServicePort {
  const { chains } = table;
  const { protocol, label } = frontends[0]!;
  const served = frontends.filter((one) => one.chain !== undefined);
  const refused = frontends.filter((one) => one.refused !== undefined);
  const known = served.length > 0 ? served : settleRoles(refused);
  const addresses = (role: Frontend["role"]): Address[] =>
    known.filter((one) => one.role === role && one.address !== undefined).map((one) => one.address!);
  const refusedCluster = refused.find((one) => one.place === "filter KUBE-SERVICES");
  const hash = served[0]?.chain?.hash;
  const chain = (kind: string): Chain | undefined =>
    hash === undefined ? undefined : chains.get(`KUBE-${kind}-${hash}`);
  const [cluster, local] = [chain("SVC"), chain("SVL") ?? chain("XLB")];
  const chosen = cluster?.rules.some(leadsToEndpoint) === true ? cluster : (local ?? cluster);
  const clusterIPs = addresses("cluster IP");
  const loadBalancerIPs = addresses("loadbalancer IP");
  return {
    name,
    protocol,
    protocolName: protocolName(protocol),
    clusterIPs:
      clusterIPs.length === 0 && refusedCluster?.address !== undefined ? [refusedCluster.address] : clusterIPs,
    port: frontends.find((one) => one.role !== "node port")?.port ?? 0,
    nodePort: frontends.find((one) => one.role === "node port")?.port ?? 0,
    healthCheckNodePort: table.healthCheckPorts.get(label) ?? 0,
    externalIPs: addresses("external IP"),
    loadBalancerIPs,
    sourceRanges: readSourceRanges(chain("FW"), loadBalancerIPs, table.family, table.nodeAddresses),
    refused: refused[0]?.refused,
    internalTrafficPolicy:
      refusedCluster?.refused === "drop" || served.some((one) => one.role === "cluster IP" && one.chain!.kind === "SVL")
        ? "Local"
        : "Cluster",
    externalTrafficPolicy: externalPolicy([...known, ...refused], chains),
    chain: chosen?.name ?? served.find((one) => one.chain!.kind === "SVC")?.chain!.name,
    choice: chosen === undefined ? { endpoints: [], affinitySeconds: 0 } : readChoice(chosen, chains),
    localChoice: local === undefined ? undefined : readChoice(local, chains),
    unserved: served.length === 0,
  };
}

function leadsToEndpoint(rule: Rule): boolean {
  return jumpOf(rule)?.chain.startsWith("KUBE-SEP-") === true;
}

/** Of the rules that refuse in KUBE-SERVICES the first has the cluster IP; older kube-proxies write a load balancer's addresses after it. */
function settleRoles(refused: readonly Frontend[]): Frontend[] {
  let seen = false;
  return refused.map((one) => {
    if (one.role !== "cluster IP") return one;
    const settled: Frontend = seen ? { ...one, role: "loadbalancer IP" } : one;
    seen = true;
    return settled;
  });
}

/** With policy Local the chain for outside traffic (EXT, older XLB) treats the node's own packets apart. */
function externalPolicy(
  frontends: readonly Frontend[],
  chains: ReadonlyMap<string, Chain>,
): "Cluster" | "Local" | undefined {
  const outside = frontends.filter((one) => one.role !== "cluster IP");
  if (outside.length === 0) return undefined;
  if (outside.some((one) => one.refused === "drop")) return "Local";
  const hash = outside.find((one) => one.chain !== undefined)?.chain?.hash;
  if (hash === undefined) return outside.some((one) => one.refused === undefined) ? undefined : "Cluster";
  const external = chains.get(`KUBE-EXT-${hash}`);
  const apart = external?.rules.some((rule) => rule.statements.some((one) => one.kind === "address-type"));
  if (chains.has(`KUBE-XLB-${hash}`) || apart === true) return "Local";
  return outside.every((one) => one.chain === undefined || chains.has(one.chain.name)) ? "Cluster" : undefined;
}
