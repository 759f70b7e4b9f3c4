import { statSync } from "node:fs";
import { join } from "node:path";
import { columnEngine, type Dataset, linearEngine, resolve } from "../../src/index.js";
import { describeCluster, makeKernelCluster, writeNft } from "./cluster.js";
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
  readonly packets: ReadonlyMap<Destination, Packets>;
  readonly rules: ReadonlyMap<Ruled, RuleChanges & { readonly bytes: number }>;
  readonly tables: ReadonlyMap<Destination, { readonly path: string; readonly mapLookups: number }>;
}

/** The packets to one destination, and what the emulator says of them: under the rules of iptables mode, and of nftables mode where it is measured. */
export interface Packets {
  readonly path: string;
  readonly work: EmulatedWork;
  readonly nft?: EmulatedWork;
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
  const { node } = cluster;
  const iptables = columnEngine(cluster.resolved, { node });
  const nft = variants.includes("nft-maps") ? linearEngine(resolve(writeNft(cluster))) : undefined;
  const packets = DESTINATIONS.map((destination) => {
    const path = writePackets(directory, `${services}-${destination}`, drawPackets(cluster, destination, seed));
    const work = emulate(iptables, cluster, destination, seed);
    return [destination, { path, work, ...(nft && { nft: emulate(nft, cluster, destination, seed) }) }] as const;
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
