import { createHash } from "node:crypto";
import {
  type Cluster,
  type Dataset,
  nftablesSettingsOf,
  Node,
  printRules,
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
import { readServices, type ServiceColumns } from "../workload/cluster.js";

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

/** Pods; everything that the sender sends comes from one. */
export const POD_CIDR = "10.0.0.0/8";

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

/** What the rule set is as text: how large, its checksum, and what writes it on standard output. */
export function describeCluster({ resolved, ports }: KernelCluster, endpoints: number, seed: number): Dataset {
  const text = printRules(resolved.ruleset);
  const services = ports.length;
  return {
    name: `synthetic cluster of ${services} services x ${endpoints} endpoints, all TCP, seed ${seed}`,
    services,
    endpoints,
    rules: resolved.rules.length,
    bytes: Buffer.byteLength(text),
    sha256: createHash("sha256").update(text).digest("hex"),
    command: `chainwalk generate --services ${services} --endpoints ${endpoints} --seed ${seed} --protocols tcp=1 --pod-cidr ${POD_CIDR}`,
  };
}
