import {
  type Cluster,
  type KubernetesObject,
  LAYOUTS,
  planSync,
  servicePortsOf,
  settingsOf,
  type Sync,
} from "../../src/index.js";
import seedrandom from "seedrandom";

/** What `changeOneEndpoint` changes. */
export const CHANGE = "one endpoint leaves";

/** The cluster after one endpoint of one service, drawn by the seed, has gone. */
export function changeOneEndpoint(cluster: Cluster, seed: number): Cluster {
  const slices = cluster.objects.flatMap((object, i) =>
    object.kind === "EndpointSlice" && (object.endpoints?.length ?? 0) > 1 ? [i] : [],
  );
  const chosen = slices[Math.floor(seedrandom.alea(`${seed} change`)() * slices.length)];
  const objects = cluster.objects.map((object, i): KubernetesObject => {
    return i === chosen && object.kind === "EndpointSlice"
      ? { ...object, endpoints: object.endpoints?.slice(0, -1) }
      : object;
  });
  return { ...cluster, objects };
}

/** What kube-proxy sends for a change, as before (everything) and since v1.27 (the chains of changed services). */
export function planBoth(before: Cluster, after: Cluster): { change: string; sync: () => Sync }[] {
  const settings = settingsOf(before.configuration, before.node, "ip");
  const kinds = [
    ["full", LAYOUTS["v1.26"]],
    ["partial", LAYOUTS["v1.30"]],
  ] as const;
  return kinds.map(([kind, layout]) => {
    const [old, next] = [before, after].map(({ objects }) =>
      servicePortsOf(objects, "ip", before.node.name, layout.services),
    );
    return { change: `${CHANGE}, ${kind} sync`, sync: () => planSync(old!, next!, settings, layout) };
  });
}
