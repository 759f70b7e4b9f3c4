import { statSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../src/index.js";
import { describeCluster, makeKernelCluster } from "./cluster.js";
import { type RuleChanges, writeRules } from "./rules.js";
import type { Destination } from "../workload/pool.js";
import { BASELINES, type Ruled, type Variant } from "./tools.js";
import { drawPackets, emulate, type EmulatedWork, writePackets, writeTables } from "./workload.js";

/** Where packets go: to the service at the beginning, in the middle and at the end of KUBE-SERVICES, and to all alike. */
export const DESTINATIONS = ["first", "middle", "last", "uniform"] as const satisfies readonly Destination[];

/** All that measuring at one size needs, as files for the kernel's tools and the C programs. */
export interface Material {
  readonly services: number;
  readonly endpoints: number;
  readonly dataset: Dataset;
  readonly packets: ReadonlyMap<Destination, { readonly path: string; readonly work: EmulatedWork }>;
  readonly rules: ReadonlyMap<Ruled, RuleChanges & { readonly bytes: number }>;
  readonly tables: ReadonlyMap<Destination, { readonly path: string; readonly mapLookups: number }>;
}

/** Writes it into a directory. */
export function prepare(
  directory: string,
  variants: readonly Variant[],
  services: number,
  endpoints: number,
  seed: number,
): Material {
  const cluster = makeKernelCluster(services, endpoints, seed);
  const packets = DESTINATIONS.map((destination) => {
    const pool = drawPackets(cluster, destination, seed);
    const path = writePackets(directory, `${services}-${destination}`, pool);
    return [destination, { path, work: emulate(cluster, pool, seed) }] as const;
  });
  const ruled = [...BASELINES, ...variants.filter((variant) => variant !== "ebpf")];
  const rules = ruled.map((variant) => {
    const changes = writeRules(directory, variant, cluster);
    return [
      variant,
      { ...changes, bytes: changes.load === undefined ? 0 : statSync(changes.load.input).size },
    ] as const;
  });
  const tables = variants.includes("ebpf")
    ? DESTINATIONS.map((destination) => {
        const path = join(directory, `${services}-${destination}.tables`);
        return [destination, { path, ...writeTables(path, cluster, destination, seed) }] as const;
      })
    : [];
  return {
    services,
    endpoints,
    dataset: describeCluster(cluster, endpoints, seed),
    packets: new Map(packets),
    rules: new Map(rules),
    tables: new Map(tables),
  };
}
