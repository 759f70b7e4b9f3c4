import type { NodeFacts } from "./configuration.js";
import type { Endpoint, ServicePort } from "./services.js";

/** The endpoints of a service port that each traffic policy may use (CategorizeEndpoints, pkg/proxy/topology.go). */
export interface UsableEndpoints {
  /** For traffic policy Cluster. */
  readonly cluster: readonly Endpoint[];
  /** For traffic policy Local. */
  readonly local: readonly Endpoint[];
  /** Both together: those that need a chain. */
  readonly reachable: readonly Endpoint[];
  /** There is an endpoint somewhere in the cluster, though perhaps none this node may use. */
  readonly hasAny: boolean;
}

/** Node port, load-balancer address or external IP. */
export function externallyAccessible(port: ServicePort): boolean {
  return port.nodePort !== 0 || port.loadBalancerIPs.length > 0 || port.externalIPs.length > 0;
}

export function usesClusterEndpoints(port: ServicePort): boolean {
  return !port.internalLocal || externallyAccessible(port);
}

export function usesLocalEndpoints(port: ServicePort): boolean {
  return port.internalLocal || (port.externalLocal && externallyAccessible(port));
}

const draining = (endpoint: Endpoint): boolean => !endpoint.ready && endpoint.serving && endpoint.terminating;

/** Ready endpoints first, and only where there are none those that still serve while terminating. */
export function usableEndpoints(port: ServicePort, node: NodeFacts): UsableEndpoints {
  const ready = port.endpoints.filter((endpoint) => endpoint.ready);
  let cluster: readonly Endpoint[] = [];
  if (usesClusterEndpoints(port)) {
    cluster = nearEndpoints(port, ready, node);
    if (cluster.length === 0) cluster = port.endpoints.filter(draining);
  }
  if (!usesLocalEndpoints(port)) return { cluster, local: [], reachable: cluster, hasAny: cluster.length > 0 };

  const hasAny = ready.length > 0 || port.endpoints.some(draining);
  let local: readonly Endpoint[] = ready.filter((endpoint) => endpoint.local);
  if (local.length === 0) local = port.endpoints.filter((endpoint) => endpoint.local && draining(endpoint));
  const reachable = port.endpoints.filter((endpoint) => cluster.includes(endpoint) || local.includes(endpoint));
  return { cluster, local, reachable, hasAny };
}

/**
 * The ready endpoints topology leaves (canUseTopology, from v1.33 topologyModeFromHints): where every one has hints and one is hinted for
 * this node, those of this node; else by zone in the same way; else all.
 */
function nearEndpoints(port: ServicePort, ready: readonly Endpoint[], node: NodeFacts): readonly Endpoint[] {
  if (!port.hintsWanted) return ready;
  return (
    (port.nodeHints ? hintedFor(ready, "nodes", node.name) : undefined) ?? hintedFor(ready, "zones", node.zone) ?? ready
  );
}

function hintedFor(
  ready: readonly Endpoint[],
  kind: "nodes" | "zones",
  name: string | undefined,
): readonly Endpoint[] | undefined {
  if (name === undefined || name === "" || ready.some((endpoint) => endpoint[kind].length === 0)) return undefined;
  const near = ready.filter((endpoint) => endpoint[kind].includes(name));
  return near.length === 0 ? undefined : near;
}
