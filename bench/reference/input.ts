import {
  DEFAULT_INTERFACE,
  layOut,
  type PacketBatch,
  type Plan,
  type ResolvedChain,
  type ResolvedRuleSet,
  schedule,
  type Stage,
  ways,
} from "../../src/index.js";
import { MEASURED, type Traffic } from "../subjects/datapath.js";
import { openAddressing } from "../rivals/open-addressing.js";
import type { BenchCluster } from "../workload/cluster.js";
import type { PacketPool } from "../workload/pool.js";
import { joinColumns, seedWords, type Words, writeWords } from "./words.js";

/** A rule set as lookup.c takes it, with its packets; `seed` is that of the draws. */
export interface LookupRuleSet {
  readonly plan: Plan;
  readonly pool: PacketPool;
  readonly seed: number;
}

/** Writes what lookup.c reads: for each rule set the tables of its plan, the service map with open addressing, and its pool of packets. All pools are alike. */
export function writeLookupInput(path: string, ruleSets: readonly LookupRuleSet[]): void {
  writeWords(path, ruleSets.flatMap(lookupArrays));
}

function lookupArrays({ plan, pool, seed }: LookupRuleSet): Words[] {
  const { backends, bounds, doubts, sourceTests, markUnmarked, markMarked } = plan.tables;
  const { map, slotMask } = openAddressing(plan.tables);
  const column = columnsOf(pool);
  return [
    [pool.batches[0]!.count, slotMask, markUnmarked, markMarked, ...seedWords(seed)],
    map,
    backends,
    unsignedBounds(bounds),
    doubts,
    sourceTests.map((test) => test.value),
    sourceTests.map((test) => test.mask),
    sourceTests.map((test) => Number(test.negate)),
    column("src"),
    column("dst"),
    column("protocol"),
    column("dport"),
    column("id"),
  ];
}

/** Stations as walk.c numbers them. */
const STATION = { chain: 0, nat: 1, conntrack: 2, hook: 3, end: 4 } as const;
/** Interfaces by number in walk.c: none, loopback, and the one all other traffic takes. */
const INTERFACES = ["", "lo", DEFAULT_INTERFACE] as const;

/** Writes what walk.c reads: the columns of a rule set, the way through the hooks, and a pool of packets that come in on the default interface. */
export function writeWalkInput(path: string, { resolved, node }: BenchCluster, pool: PacketPool, seed: number): void {
  const columns = layOut(resolved);
  const column = columnsOf(pool);
  const answers = INTERFACES.flatMap((name) =>
    columns.tests.rows.map((test) =>
      Number((test.prefix ? name.startsWith(test.name) : name === test.name) !== test.negate),
    ),
  );
  const batchSize = pool.batches[0]!.count;
  writeWords(path, [
    [
      ...seedWords(seed),
      batchSize,
      INTERFACES.indexOf(DEFAULT_INTERFACE),
      columns.tests.rows.length,
      resolved.chains.length,
    ],
    columns.dst,
    columns.src,
    columns.protocol,
    columns.sportFirst,
    columns.sportLast,
    columns.dportFirst,
    columns.dportLast,
    columns.more,
    columns.entry,
    columns.code,
    [...columns.chainStart, columns.entry.length],
    resolved.chains.map(({ base }) => Number(base?.policy === "drop")),
    answers,
    node.addresses.filter((address) => typeof address === "number"),
    encodeWay(resolved, ways.prerouting.first),
    encodeWay(resolved, ways.prerouting.local),
    encodeWay(resolved, ways.prerouting.forward),
    column("src"),
    column("dst"),
    column("protocol"),
    column("sport"),
    column("dport"),
    column("id"),
  ]);
}

/** The stations of some stages of a way. The routing decision is walk.c's own: it stands between the ways. */
function encodeWay(resolved: ResolvedRuleSet, stages: readonly Stage[]): Words {
  const scheduled = schedule(resolved, "ip");
  const ids = (chains: readonly ResolvedChain[]) => chains.map((chain) => chain.id);
  const words = stages.flatMap((stage) => {
    if (stage.kind !== "hook") return [];
    const stations = scheduled[stage.hook].flatMap((station) => {
      switch (station.kind) {
        case "chain":
          return [STATION.chain, station.chain.id];
        case "nat":
          return [STATION.nat, station.chains.length, ...ids(station.chains)];
        case "conntrack":
          return [STATION.conntrack];
      }
    });
    return [STATION.hook, Number(stage.hook === "prerouting" || stage.hook === "input"), ...stations];
  });
  return [...words, STATION.end];
}

/** Writes what conntrack.c reads: the connection table as it stands, the tables of a compiled plan, and the two pools of packets. */
export function writeConntrackInput(path: string, { tables }: Plan, traffic: Traffic, seed: number): void {
  const { datapath, established, first } = traffic;
  const table = datapath.table("ip");
  const { map, slotMask } = openAddressing(tables);
  const batchSize = first.batches[0]!.count;
  writeWords(path, [
    // Nothing has been removed from the table: records are used up to its size.
    [batchSize, table.refMask, table.tick(MEASURED), table.size + 1, slotMask, ...seedWords(seed)],
    table.records,
    table.index,
    map,
    tables.backends,
    unsignedBounds(tables.bounds),
    tables.doubts,
    ...CONNTRACK_COLUMNS.map(columnsOf(established)),
    ...CONNTRACK_COLUMNS.map(columnsOf(first)),
  ]);
}

/** The bounds of picks as C compares them, unsigned: in the tables their order is turned into that of int32. */
function unsignedBounds(bounds: Int32Array): Uint32Array {
  return Uint32Array.from(bounds, (bound) => bound ^ 0x80000000);
}

const CONNTRACK_COLUMNS = ["src", "dst", "protocol", "sport", "dport", "tcpFlags", "id"] as const;

type ColumnName = "src" | "dst" | "protocol" | "sport" | "dport" | "tcpFlags" | "id";

function columnsOf(pool: PacketPool): (name: ColumnName) => Words {
  return (name) => joinColumns(pool.batches.map((batch: PacketBatch) => batch[name].subarray(0, batch.count)));
}
