import {
  generateIptables,
  generateNftables,
  Node,
  type NodeFacts,
  resolve,
  type ResolvedRule,
  type ResolvedRuleSet,
  type RuleSet,
  type Statement,
  synthesizeCluster,
} from "../../src/index.js";

/** Which of kube-proxy's modes writes the rules. */
export type ProxyMode = "iptables" | "nftables";

/** The services of a rule set as columns, in the order of the rules of nat KUBE-SERVICES: what rivals are built from, and packets sent to. */
export interface ServiceColumns {
  readonly address: Uint32Array;
  readonly port: Uint16Array;
  readonly protocol: Uint8Array;
  /** First endpoint of service i; its endpoints end where those of service i + 1 begin. */
  readonly first: Uint32Array;
  readonly endpointAddress: Uint32Array;
  readonly endpointPort: Uint16Array;
}

/** A rule set ready for engines, and what is in it. */
export interface BenchCluster {
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly services: ServiceColumns;
  /** Exact probabilities of the first, second, ... endpoint of a service. */
  readonly pickProbabilities: readonly number[];
  readonly podCIDR: { readonly value: number; readonly mask: number };
}

export const POD_CIDR = "10.0.0.0/8";

/** The rules kube-proxy v1.30 writes for a synthetic cluster. */
export function writeRules(
  services: number,
  endpoints: number,
  seed: number,
  mode: ProxyMode = "iptables",
): { ruleset: RuleSet; node: NodeFacts } {
  const { objects, node, configuration } = synthesizeCluster({ services, endpoints, seed, podCIDR: POD_CIDR });
  const generate = mode === "nftables" ? generateNftables : generateIptables;
  return { ruleset: generate(objects, configuration, node), node };
}

/** Those rules ready for engines, and their services as the rules hold them. */
export function makeCluster(services: number, endpoints: number, seed: number): BenchCluster {
  const { ruleset, node } = writeRules(services, endpoints, seed);
  const resolved = resolve(ruleset);
  const columns = readServices(resolved);
  if (columns.address.length !== services)
    throw new Error(`${columns.address.length} of ${services} services found in KUBE-SERVICES`);
  return {
    resolved,
    node: new Node(node.addresses),
    services: columns,
    pickProbabilities: readProbabilities(resolved),
    podCIDR: { value: 0x0a000000, mask: 0xff000000 },
  };
}

/** The same cluster under the rules of nftables mode; its services keep the order of the rules of iptables mode, so that packets are the same. */
export function makeNftablesCluster(services: number, endpoints: number, seed: number): BenchCluster {
  const cluster = makeCluster(services, endpoints, seed);
  const resolved = resolve(writeRules(services, endpoints, seed, "nftables").ruleset);
  return { ...cluster, resolved, pickProbabilities: cluster.pickProbabilities.map(() => 1 / endpoints) };
}

/** Reads services off nat KUBE-SERVICES: rules with an exact destination that jump to a chain of endpoints. */
export function readServices(resolved: ResolvedRuleSet): ServiceColumns {
  const found = serviceRules(resolved).map(({ rule, target }) => {
    const { statements } = rule;
    const transport = find(statements, "transport");
    return {
      address: find(statements, "address")!.value as number,
      port: transport?.dport?.ranges[0]?.[0] ?? 0,
      protocol: find(statements, "protocol")?.protocol ?? 0,
      endpoints: target!.rules.flatMap((pick) => destinationOf(pick) ?? []),
    };
  });
  const endpoints = found.flatMap((service) => service.endpoints);
  const first = new Uint32Array(found.length + 1);
  found.forEach((service, i) => (first[i + 1] = first[i]! + service.endpoints.length));
  return {
    address: Uint32Array.from(found, (service) => service.address),
    port: Uint16Array.from(found, (service) => service.port),
    protocol: Uint8Array.from(found, (service) => service.protocol),
    first,
    endpointAddress: Uint32Array.from(endpoints, (endpoint) => endpoint.address),
    endpointPort: Uint16Array.from(endpoints, (endpoint) => endpoint.port),
  };
}

/** The exact probabilities of the picks of the first service, from its thresholds; all services have equally many endpoints. */
function readProbabilities(resolved: ResolvedRuleSet): number[] {
  let left = 1;
  return (serviceRules(resolved)[0]?.target?.rules ?? [])
    .filter((pick) => destinationOf(pick) !== undefined)
    .map(({ rule }) => {
      const share = left * ((find(rule.statements, "random")?.threshold ?? 2 ** 31) / 2 ** 31);
      left -= share;
      return share;
    });
}

function serviceRules(resolved: ResolvedRuleSet): readonly ResolvedRule[] {
  const chain = resolved.chains.find(({ name, table }) => name === "KUBE-SERVICES" && table.name === "nat");
  return (chain?.rules ?? []).filter(({ rule, target }) => {
    return find(rule.statements, "address")?.field === "daddr" && target?.rules.some((pick) => destinationOf(pick));
  });
}

function destinationOf(pick: ResolvedRule): { address: number; port: number } | undefined {
  for (const { rule } of pick.target?.rules ?? []) {
    const dnat = find(rule.statements, "dnat");
    if (dnat?.to.addresses) return { address: dnat.to.addresses[0] as number, port: dnat.to.ports?.[0] ?? 0 };
  }
  return undefined;
}

function find<K extends Statement["kind"]>(
  statements: readonly Statement[],
  kind: K,
): Extract<Statement, { kind: K }> | undefined {
  return statements.find((statement): statement is Extract<Statement, { kind: K }> => statement.kind === kind);
}
