import { join } from "node:path";
import {
  BatchResults,
  compile,
  Datapath,
  type Engine,
  freshContext,
  indexedEngine,
  OutcomeBatch,
  readServiceRow,
  SERVICE_WORDS,
  type Work,
  TcpFlag,
} from "../../src/index.js";
import { joinColumns, writeWords } from "../reference/words.js";
import { meanWork } from "../subjects/subject.js";
import { openFlows } from "../workload/flows.js";
import { type Destination, drawPool, type PacketPool } from "../workload/pool.js";
import type { KernelCluster } from "./cluster.js";

/** Packets to one destination: all of them, and no others, are sent every time, so that their work is exact. */
export const PACKETS = 1024;
/** eBPF takes more: it is so fast that only many different keys reach beyond the caches next to the core. */
export const EBPF_PACKETS = 65_536;

/** Milliseconds of the emulator's clock: when connections are opened, and when their later packets come. */
const OPENED = 1_000_000;
const LATER = 1_000_500;

/** All from pods: none is masqueraded, none reaches itself. */
export function drawPackets({ services }: KernelCluster, destination: Destination, seed: number): PacketPool {
  return drawPool(services, destination, seed, PACKETS, PACKETS, false);
}

/** Writes packets for sender.c into a directory; gives the path. */
export function writePackets(directory: string, name: string, pool: PacketPool): string {
  const path = join(directory, `${name}.packets`);
  const columns = ["src", "dst", "sport", "dport"] as const;
  writeWords(
    path,
    columns.map((column) => joinColumns(pool.batches.map((batch) => batch[column].subarray(0, batch.count)))),
  );
  return path;
}

/** What the emulator says of packets: mean work of each as the first of its connection, and as a later one (filter chains only). */
export interface EmulatedWork {
  readonly first: Work;
  readonly established: Work;
}

export function emulate(engine: Engine, cluster: KernelCluster, destination: Destination, seed: number): EmulatedWork {
  const { node } = cluster;
  // The data path writes into packets what conntrack says of them: these are drawn for it alone.
  const pool = drawPackets(cluster, destination, seed);
  const context = freshContext({ node, seed });
  const out = new OutcomeBatch("ip", PACKETS);
  const first = pool.batches.map((batch) => {
    engine.classifyBatch(batch, context, out);
    return { ...out.work };
  });
  const datapath = new Datapath(engine, node, { mode: "chains", seed, maxEntries: 4 * PACKETS });
  const results = new BatchResults("ip", PACKETS);
  openFlows(pool, (batch, into) => datapath.processBatch(batch, OPENED, into), results);
  const established = pool.batches.map((batch) => {
    batch.tcpFlags.fill(TcpFlag.ACK);
    datapath.processBatch(batch, LATER, results);
    if (results.known !== batch.count)
      throw new Error(`${results.known} of ${batch.count} packets found their connection`);
    return { ...results.work };
  });
  return { first: meanWork(first, pool.packets), established: meanWork(established, pool.packets) };
}

/** Writes what ebpf.c fills maps from: the compiled service tables, and packets by service. Gives the map lookups of a packet too. */
export function writeTables(
  path: string,
  cluster: KernelCluster,
  destination: Destination,
  seed: number,
): { mapLookups: number } {
  const { tables } = compile(cluster.resolved, cluster.node);
  const rows: number[] = [];
  const places = new Map<string, number>();
  for (let at = 0; at < tables.map.length; at += SERVICE_WORDS) {
    const row = readServiceRow(tables, at);
    if (row === undefined || row.count === 0) continue;
    const { address, port, protocol } = row.record;
    places.set(`${address} ${port} ${protocol}`, rows.length / 4);
    rows.push(address, port | (protocol << 16), row.first, row.count);
  }
  const backends = tables.backends.map((word, i) => (i % 2 === 0 ? word : word & 0xffff));
  const pool = drawPool(cluster.services, destination, seed, EBPF_PACKETS, PACKETS, false);
  const wanted = pool.batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => {
      const place = places.get(`${batch.dst[i]} ${batch.dport[i]} ${batch.protocol[i]}`);
      if (place === undefined) throw new Error("a packet to a service that was not compiled into the service map");
      return place;
    }),
  );
  writeWords(path, [rows, backends, wanted]);
  const engine = indexedEngine(cluster.resolved, { node: cluster.node });
  const out = new OutcomeBatch("ip", PACKETS);
  engine.classifyBatch(pool.batches[0]!, freshContext({ node: cluster.node, seed }), out);
  return { mapLookups: out.work.mapLookups / pool.batches[0]!.count };
}
