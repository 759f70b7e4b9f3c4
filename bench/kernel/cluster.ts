import {
  type Cluster,
  type Dataset,
  nftablesSettingsOf,
  Node,
  resolve,
  type RuleSet,
  type ResolvedRuleSet,
  type ServicePort,
  servicePortsOf,
  type Settings,
  settingsOf,
  synthesizeCluster,
  writeIptables,
  writeNftables,
} from "../../src/index.js";
import { POD_CIDR, readServices, type ServiceColumns } from "../workload/cluster.js";
import { datasetOf } from "../workload/dataset.js";

/** A synthetic cluster as every variant is made of it, and as the emulator runs it. */
export interface KernelCluster {
  /** In the order of their rules. */
  readonly ports: readonly ServicePort[];
  readonly settings: Settings;
  readonly facts: Pick<Cluster, "configuration" | "node">;
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly services: ServiceColumns;
}

/** Services all speak TCP, so that packets differ by the place of their service alone. */
export function makeKernelCluster(services: number, endpoints: number, seed: number): KernelCluster {
  const { objects, node, configuration } = synthesizeCluster({
    services,
    endpoints,
    seed,
    podCIDR: POD_CIDR,
    protocols: { tcp: 1 },
  });
  const ports = servicePortsOf(objects, "ip", node.name);
  const settings = settingsOf(configuration, node, "ip");
  const resolved = resolve(writeIptables(ports, settings));
  return {
    ports,
    settings,
    facts: { configuration, node },
    resolved,
    node: new Node(node.addresses),
    services: readServices(resolved),
  };
}

/** The rules of kube-proxy's nftables mode for it. */
export function writeNft({ ports, facts }: Pick<KernelCluster, "ports" | "facts">): RuleSet {
  return writeNftables(ports, nftablesSettingsOf(facts.configuration, facts.node, "ip")).ruleset;
}

/** What the rule set is as text, and what writes it. */
export function describeCluster({ resolved, ports, facts }: KernelCluster, endpoints: number, seed: number): Dataset {
  const variant = { name: "all TCP", options: "--protocols tcp=1" };
  return datasetOf(resolved.ruleset, facts.node, { services: ports.length, endpoints, seed, variant });
}
