/**
 * What a study writes and a report draws: raw samples, exact work counters, and where they were taken. Nothing in it is
 * computed from times. Validated on reading, so that a report can be drawn again from the file alone.
 */
import { z } from "zod";

/** The version of this format; a reader refuses any other. */
export const MEASUREMENT_SCHEMA = "chainwalk-measurement/1";

const count = z.number().int().nonnegative();

/** Per packet: means over all packets of the pool, the same on every machine. */
const work = z.strictObject({
  rulesVisited: z.number().nonnegative(),
  chainsEntered: z.number().nonnegative(),
  draws: z.number().nonnegative(),
  mapLookups: z.number().nonnegative(),
});

const round = z.strictObject({
  /** Ordinal of the process that took the samples, in the order in which processes were started. */
  process: count,
  /** Nanoseconds per packet, each the mean over one batch. */
  samples: z.array(z.number().positive()).min(1),
  /** Collections of garbage while the samples were taken. */
  collections: count,
  /** CPU time over wall time while the samples were taken: below 1 the process had to wait for others. */
  cpuShare: z.number().nonnegative(),
});

const benchCase = z.strictObject({
  /** `linear`, `indexed`, `string-map`, or `C` for the reference programs. */
  engine: z.string().min(1),
  harness: z.enum(["tinybench", "benchmark.js", "c"]),
  /**
   * Which packet of a connection, and what it passes: `first` only the walk of a connection's first packet, conntrack having missed;
   * `first-datapath` the miss in conntrack, the walk and the new entry; `established-chains` the entry, then raw, mangle
   * and filter chains; `established-fast-path` the entry alone.
   */
  packet: z.enum(["first", "first-datapath", "established-chains", "established-fast-path"]),
  /** Which service of the rule set packets go to, by its place in KUBE-SERVICES. */
  destination: z.enum(["first", "middle", "last", "uniform", "zipf"]),
  services: count,
  endpoints: count,
  /** Rule sets alive in the process, all of them used. */
  ruleSets: z.number().int().positive(),
  /** Connections alive in the table; 0 where there is no table. */
  flows: count,
  packetsPerSample: z.number().int().positive(),
  /** Null where a program does not count. */
  work: work.nullable(),
  /** Fewest rules visited for one packet: that which picked the first endpoint and was not masqueraded. Null where nobody looked. */
  leastRulesVisited: count.nullable(),
  /** Over all outcomes of the packet pool in order (uint32): equal for programs that did the same. */
  checksum: z.number().int().min(0).max(0xffffffff).nullable(),
  rounds: z.array(round).min(1),
});

const picks = z.strictObject({
  engine: z.string(),
  services: count,
  /** Picks of the first, second, ... endpoint of a service, summed over services. */
  observed: z.array(count).min(2),
  /** Their exact probabilities under the rule set. */
  expected: z.array(z.number().min(0).max(1)).min(2),
});

const environment = z.strictObject({
  chainwalk: z.string(),
  node: z.string(),
  v8: z.string(),
  platform: z.string(),
  kernel: z.string(),
  cpu: z.string(),
  cpus: count,
  memoryBytes: count,
  /** Flags of the measuring processes. */
  nodeFlags: z.array(z.string()),
  tinybench: z.string(),
  /** Null where it is not installed. */
  benchmarkJs: z.string().nullable(),
  /** First line of `cc --version` and the flags; null where there is no compiler. */
  compiler: z.string().nullable(),
  /** Smallest step of the clock, in nanoseconds. */
  timerResolution: z.number().nonnegative(),
});

const measurement = z.strictObject({
  schema: z.literal(MEASUREMENT_SCHEMA),
  study: z.string().min(1),
  /** Arguments that make it again. */
  command: z.array(z.string()),
  seed: z.number().int(),
  quick: z.boolean(),
  /** ISO 8601. */
  started: z.string(),
  seconds: z.number().nonnegative(),
  /** Rounds of processes completed. */
  rounds: z.number().int().positive(),
  environment,
  cases: z.array(benchCase).min(1),
  picks: z.array(picks),
  /** What was left out, and why. */
  notes: z.array(z.string()),
});

export type Measurement = z.infer<typeof measurement>;
export type BenchCase = z.infer<typeof benchCase>;
export type BenchRound = z.infer<typeof round>;
export type CaseWork = z.infer<typeof work>;
export type Picks = z.infer<typeof picks>;
export type BenchEnvironment = z.infer<typeof environment>;
export type PacketKind = BenchCase["packet"];
export type DestinationKind = BenchCase["destination"];

/** Reads a record from JSON text. Throws an Error that names what is wrong with it, and where. */
export function parseMeasurement(text: string): Measurement {
  const result = measurement.safeParse(JSON.parse(text));
  if (!result.success) throw new Error(`not a measurement of this version: ${z.prettifyError(result.error)}`);
  return result.data;
}

/** The record as JSON: one line a case, so that two records can be compared line by line. */
export function formatMeasurement(record: Measurement): string {
  const { cases, ...head } = measurement.parse(record);
  const lines = cases.map((one) => JSON.stringify(one));
  return `${JSON.stringify(head).slice(0, -1)},"cases":[\n${lines.join(",\n")}\n]}\n`;
}

/** What a case is looked up by; fields left out match anything. */
export type CaseFilter = Partial<
  Pick<BenchCase, "engine" | "harness" | "packet" | "destination" | "services" | "ruleSets" | "flows">
>;

/** The cases that agree with every field of the filter, in the order of the record. */
export function findCases(record: Measurement, filter: CaseFilter): BenchCase[] {
  const fields = Object.entries(filter) as [keyof CaseFilter, unknown][];
  return record.cases.filter((one) => fields.every(([field, value]) => one[field] === value));
}
