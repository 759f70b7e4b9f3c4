import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ProcessPlan } from "../plan.js";
import type { CaseResult, ProcessResult } from "../processes.js";
import { StringMapRival } from "../rivals/string-map.js";
import { columnEngine, indexedEngine, layOut, type ServiceTables } from "../../src/index.js";
import { makeCluster } from "../workload/cluster.js";

type MemoryPlan = Extract<ProcessPlan, { kind: "memory" }>;

/** What an engine holds besides the resolved rule set it was made from, in bytes, after garbage was collected. */
export function measureMemory({ engine, services, endpoints, seed }: MemoryPlan): ProcessResult {
  const cluster = makeCluster(services, endpoints, seed);
  const { resolved, node } = cluster;
  const collect = garbageCollector();
  const before = bytesInUse(collect);
  const made = {
    linear: () => columnEngine(resolved, { node }),
    indexed: () => indexedEngine(resolved, { node }),
    "string-map": () => new StringMapRival(cluster, seed),
  }[engine]();
  const after = bytesInUse(collect);
  const tables =
    engine === "linear" ? Object.values(layOut(resolved)) : engine === "indexed" ? hotTables(made) : undefined;
  const one: CaseResult = {
    factors: { engine, harness: "gauge", stage: "build", services, endpoints },
    unit: "bytes",
    per: "rule set",
    batch: 1,
    exact: tables === undefined ? {} : { tableBytes: arrayBytes(tables) },
    samples: [Math.max(1, after - before)],
    collections: 0,
    cpuShare: 1,
  };
  return { cases: [one] };
}

/** What a lookup and a pick read. By name: some are getters, and not found among an object's own values. */
function hotTables(engine: object): unknown[] {
  const { map, seeds, backends, bounds, doubts } = (engine as { plan: { tables: ServiceTables } }).plan.tables;
  return [map, seeds, backends, bounds, doubts];
}

/** Bytes of the typed arrays among values. */
function arrayBytes(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0), 0);
}

function bytesInUse(collect: () => void): number {
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}

/** `gc`, which Node shows only where it is asked to. */
function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
