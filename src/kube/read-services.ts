import { type Address, type Family, familyOf } from "../packet/address.js";
import { protocolName } from "../packet/protocol.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule, RuleSet, Table } from "../ruleset/types.js";
import { type NamedServicePort, servicePortsOfTable } from "./nftables-mode/read-services.js";
import { readChoice } from "./read-endpoints.js";
import type { ReadService, ReadServicePort } from "./read-service.js";
import { readSourceRanges } from "./read-firewall.js";
import { type Frontend, frontendsOf, healthCheckPortsOf } from "./read-frontends.js";

export type { ReadService, ReadServicePort } from "./read-service.js";

/**
 * The Services a rule set of kube-proxy holds, in the order of their rules: of iptables mode in any layout from v1.12 on, of nftables mode by its maps.
 * Names come from comments; where there is none, from the chain. Services that leave no rule (headless, or of another
 * proxy) are not there, and what a bare listing does not show is left open. Of a service without endpoints the rules do
 * not tell a load balancer's address from an external IP. The node's addresses, where given, tell whether the last sources a firewall lets
 * in are the balancer's own addresses, which kube-proxy adds if the node is let in.
 */
export function servicesOf(ruleset: RuleSet, nodeAddresses?: readonly Address[]): ReadService[] {
  const ofNftables = ruleset.tables.flatMap((table) => group(servicePortsOfTable(table)));
  const ofIptables = ruleset.tables
    .filter((table) => table.name === "nat")
    .flatMap((nat) => {
      const filter = ruleset.tables.find((table) => table.name === "filter" && table.family === nat.family);
      return readTables(nat, filter, nodeAddresses);
    });
  return [...ofIptables, ...ofNftables];
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
  return group(
    [...byPort.values()].map((frontends) => {
      const [namespace, service, portName] = splitLabel(frontends[0]!.label);
      return { namespace, service, ...readPort(portName, frontends, table) };
    }),
  );
}

/** The ports by their services. */
function group(ports: readonly NamedServicePort[]): ReadService[] {
  const services = new Map<string, { namespace: string; name: string; ports: ReadServicePort[] }>();
  for (const { namespace, service: name, ...port } of ports) {
    const key = `${namespace}/${name}`;
    let service = services.get(key);
    if (service === undefined) services.set(key, (service = { namespace, name, ports: [] }));
    service.ports.push(port);
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
