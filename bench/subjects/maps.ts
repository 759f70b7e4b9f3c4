import { indexedEngine } from "../../src/index.js";
import type { ProcessPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import { serviceMaps } from "../rivals/service-maps.js";
import { makeCluster } from "../workload/cluster.js";
import { drawPool } from "../workload/pool.js";
import { measureCases, type Prepared } from "./cases.js";
import { poolSize } from "./walk.js";

type MapsPlan = Extract<ProcessPlan, { kind: "maps" }>;

/** Lookups alone, in each kind of map on the same keys: of each rule set in turn, batch by batch. */
export async function measureMaps({
  services,
  endpoints,
  seed,
  ruleSets,
  milliseconds,
}: MapsPlan): Promise<ProcessResult> {
  const { packets, batchSize } = poolSize("indexed");
  const sets = Array.from({ length: ruleSets }, (_, i) => {
    const { resolved, node, services: columns } = makeCluster(services, endpoints, seed + i);
    const { tables } = indexedEngine(resolved, { node }).plan;
    return { tables, pool: drawPool(columns, "uniform", seed + i, packets, batchSize) };
  });
  const prepared = [...serviceMaps].map(([engine, make]): Prepared => {
    const turns = sets.flatMap(({ tables, pool }) => {
      const lookUp = make(tables);
      return pool.batches.map((batch, b) => ({ b, lookUp, batch }));
    });
    turns.sort((one, other) => one.b - other.b);
    const checksum = turns.reduce((sum, { lookUp, batch }) => (sum + lookUp(batch)) | 0, 0) >>> 0;
    let next = 0;
    const run = (): number => {
      const { lookUp, batch } = turns[next]!;
      next = next + 1 === turns.length ? 0 : next + 1;
      return lookUp(batch);
    };
    return {
      factors: { engine, destination: "uniform", services, endpoints, ruleSets },
      per: "lookup",
      task: { name: engine, operations: batchSize, run },
      exact: { mapLookups: 1, checksum },
    };
  });
  return measureCases(prepared, milliseconds);
}
