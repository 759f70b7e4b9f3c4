import type { Address } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";
import { protocolName } from "../packet/protocol.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, RuleSet, Table } from "../ruleset/types.js";
import { type EndpointChoice, readChoice } from "./read-endpoints.js";
import { type Frontend, frontendsOf } from "./read-frontends.js";

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
 * not tell a load balancer's address from an external IP.
 */
export function servicesOf(ruleset: RuleSet): ReadService[] {
  return ruleset.tables
    .filter((table) => table.name === "nat")
    .flatMap((nat) => {
      const filter = ruleset.tables.find((table) => table.name === "filter" && table.family === nat.family);
      return readTables(nat, filter);
    });
}

function readTables(nat: Table, filter: Table | undefined): ReadService[] {
  const chains = new Map(nat.chains.map((chain) => [chain.name, chain]));
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
    service.ports.push(readPort(portName, frontends, chains));
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

function readPort(name: string, frontends: readonly Frontend[], chains: ReadonlyMap<string, Chain>): ReadServicePort {
  const settled = settleRoles(frontends);
  const { protocol } = frontends[0]!;
  const addresses = (role: Frontend["role"]): Address[] =>
    settled.filter((one) => one.role === role).map((one) => one.address!);
  const hash = settled.find((one) => one.chain !== undefined)?.chain?.hash;
  const chain = (kind: string): Chain | undefined =>
    hash === undefined ? undefined : chains.get(`KUBE-${kind}-${hash}`);
  const [cluster, local] = [chain("SVC"), chain("SVL") ?? chain("XLB")];
  const chosen = cluster ?? local;
  const served = settled.filter((one) => one.chain !== undefined);
  const refusedCluster = settled.find((one) => one.role === "cluster IP")?.refused;
  return {
    name,
    protocol,
    protocolName: protocolName(protocol),
    clusterIPs: addresses("cluster IP"),
    port: settled.find((one) => one.role !== "node port")?.port ?? 0,
    nodePort: settled.find((one) => one.role === "node port")?.port ?? 0,
    externalIPs: addresses("external IP"),
    loadBalancerIPs: addresses("loadbalancer IP"),
    sourceRanges: sourceRangesOf(chain("FW")),
    refused: settled.find((one) => one.refused !== undefined)?.refused,
    internalTrafficPolicy:
      refusedCluster === "drop" || served.some((one) => one.role === "cluster IP" && one.chain!.kind === "SVL")
        ? "Local"
        : "Cluster",
    externalTrafficPolicy: externalPolicy(settled, chains),
    chain: chosen?.name ?? served.find((one) => one.chain!.kind === "SVC")?.chain!.name,
    choice: chosen === undefined ? { endpoints: [], affinitySeconds: 0 } : readChoice(chosen, chains),
    localChoice: local === undefined ? undefined : readChoice(local, chains),
  };
}

/**
 * One frontend for each address and role. A refusing rule says no role: its address has the one of the nat rule for it;
 * of the others the first is the cluster IP if there is none yet, which is written first, and the rest are external IPs.
 */
function settleRoles(frontends: readonly Frontend[]): Frontend[] {
  const settled = new Map<string, Frontend>();
  let hasClusterIP = frontends.some((one) => one.chain !== undefined && one.role === "cluster IP");
  for (const one of frontends) {
    const known = settled.get(addressKey(one));
    if (known !== undefined) {
      if (one.refused !== undefined) settled.set(addressKey(one), { ...known, refused: one.refused });
    } else if (one.chain !== undefined || one.role === "node port") settled.set(addressKey(one), one);
    else {
      settled.set(addressKey(one), { ...one, role: hasClusterIP ? "external IP" : "cluster IP" });
      hasClusterIP = true;
    }
  }
  return [...settled.values()];
}

function addressKey(frontend: Frontend): string {
  return frontend.role === "node port" ? "node port" : String(frontend.address);
}

/** The sources of KUBE-FW's rules that lead on, each once. */
function sourceRangesOf(firewall: Chain | undefined): MaskedAddress[] {
  const ranges = new Map<string, MaskedAddress>();
  for (const rule of firewall?.rules ?? []) {
    if (jumpOf(rule) === undefined) continue;
    for (const one of rule.statements)
      if (one.kind === "address" && one.field === "saddr")
        ranges.set(`${String(one.value)}/${String(one.mask)}`, { value: one.value, mask: one.mask });
  }
  return [...ranges.values()];
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
