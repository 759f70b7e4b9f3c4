/**
 * What every study writes and every report draws: raw samples, exact columns, and where they were taken. Nothing in it is
 * computed from times. Validated on reading, so that a report can be drawn again from the file alone.
 *
 * A case is one thing measured: its factors say what, its exact columns what it did, its rounds how long that took. A new study takes the
 * factors and columns it needs from the lists below, or adds to them; nothing else has to know it.
 */
import { z } from "zod";

/** The version of this format; a reader refuses any other. */
export const MEASUREMENT_SCHEMA = "chainwalk-measurement/2";

const count = z.number().int().nonnegative();

/** What a case is. A factor that makes no sense for it is left out. */
const factors = z.strictObject({
  /** `linear` (the column scan), `indexed`, `string-map`, ..., `C` for the reference programs, a mode of kube-proxy for the real kernel. */
  engine: z.string().min(1),
  /** Who drove the loop and read the clock; `gauge`: no loop, one reading a process (of memory, say). */
  harness: z.enum(["tinybench", "benchmark.js", "c", "kernel", "gauge"]),
  /** `other`: the build that `bench --against` compares this one with. */
  build: z.enum(["this", "other"]).optional(),
  /**
   * Which packet of a connection, and what it passes: `first` only the walk of a connection's first packet, conntrack having missed;
   * `first-object` the same by one call with a packet object, not in a batch;
   * `first-datapath` the miss in conntrack, the walk and the new entry; `established-chains` the entry, then raw, mangle
   * and filter chains; `established-fast-path` the entry alone; `mixed-chains` and `mixed-fast-path` whole connections, first
   * packets and later ones as they come.
   */
  packet: z
    .enum([
      "first",
      "first-object",
      "first-datapath",
      "established-chains",
      "established-fast-path",
      "mixed-chains",
      "mixed-fast-path",
    ])
    .optional(),
  /** Which service of the rule set packets go to, by its place in KUBE-SERVICES; `place`: to the one at the factor of that name. */
  destination: z.enum(["first", "middle", "last", "place", "uniform", "zipf"]).optional(),
  /** Counted from 0, in the order of KUBE-SERVICES. */
  place: count.optional(),
  services: count.optional(),
  /** Of each service. */
  endpoints: count.optional(),
  /** Rule sets alive in the process, all of them used. */
  ruleSets: z.number().int().positive().optional(),
  /** Connections alive in the table. */
  flows: count.optional(),
  /** How the lengths of connections are distributed, and their mean in packets. */
  lengths: z.enum(["geometric", "heavy-tailed"]).optional(),
  packetsPerConnection: z.number().positive().optional(),
  /** What is done with a rule set as a whole. */
  stage: z.enum(["write", "read", "resolve", "compile", "build", "sync", "update", "load"]).optional(),
  /** What changed before an update or a sync, or which kind of sync it is. */
  change: z.string().min(1).optional(),
});

/** What the same seed makes the same on every machine, per operation where it is no count of the whole. */
const exact = z.strictObject({
  /** Means over all packets of the pool. */
  rulesVisited: z.number().nonnegative().optional(),
  chainsEntered: z.number().nonnegative().optional(),
  draws: z.number().nonnegative().optional(),
  mapLookups: z.number().nonnegative().optional(),
  /** Fewest rules visited for one packet: that which picked the first endpoint and was not masqueraded. */
  leastRulesVisited: count.optional(),
  /** First packets in a mix, as a share of all. */
  firstPackets: z.number().min(0).max(1).optional(),
  /** Of a rule set or of what is sent to the kernel. */
  rules: count.optional(),
  chains: count.optional(),
  lines: count.optional(),
  bytes: count.optional(),
  /** Of the arrays an engine or a table works on. */
  tableBytes: count.optional(),
  /** Over all outcomes in order (uint32): equal for programs that did the same. */
  checksum: z.number().int().min(0).max(0xffffffff).optional(),
});

/** A histogram: the lower bound of a bucket and how many fell into it, ascending; a bucket ends at `growth` times its lower bound. */
const histogram = z.strictObject({
  growth: z.number().gt(1),
  buckets: z.array(z.tuple([z.number().nonnegative(), z.number().int().positive()])).min(1),
});

const round = z.strictObject({
  /** Index into `processes`. */
  process: count,
  /** In the unit of the case per operation, each the mean over one batch. */
  samples: z.array(z.number().positive()).min(1),
  /** How many of them each pass took, in order, where the cases of the process took turns: pass by pass they ran right after each other. */
  passes: z.array(z.number().int().positive()).min(1).optional(),
  /** Collections of garbage while the samples were taken. */
  collections: count,
  /** CPU time over wall time while the samples were taken: below 1 the process had to wait for others. */
  cpuShare: z.number().nonnegative(),
  /** Time until the times had settled, and whether they had before time ran out. Absent where the harness warms up by itself. */
  warmUp: z.strictObject({ milliseconds: z.number().nonnegative(), settled: z.boolean() }).optional(),
  /** Of single operations, in the unit of the case; only of those long enough for the clock. */
  singles: histogram.optional(),
});

const benchCase = z.strictObject({
  factors,
  unit: z.enum(["ns", "bytes"]),
  /** What one operation is: a `packet`, a `rule set`, an `update`, ... */
  per: z.string().min(1),
  /** Operations of which a sample is the mean. */
  batch: z.number().int().positive(),
  exact,
  rounds: z.array(round).min(1),
});

/** A measuring process. Processes are numbered by their place in the list. */
const measuringProcess = z.strictObject({
  /** Index into `runs`. */
  run: count,
  /** Round in which it was started, counted from 0: processes of one round ran close to each other in time. */
  round: count,
  /**
   * Nanoseconds per turn of a fixed loop that calls nothing of the project, measured between its variants: what its times are
   * divided by when runs are compared. Empty where it was not measured.
   */
  yardstick: z.array(z.number().positive()),
});

const picks = z.strictObject({
  factors,
  /** Picks of the first, second, ... endpoint of a service, summed over services. */
  observed: z.array(count).min(2),
  /** Their exact probabilities under the rule set. */
  expected: z.array(z.number().min(0).max(1)).min(2),
});

/** A rule set that was measured on. `command` writes it on standard output. */
const dataset = z.strictObject({
  name: z.string(),
  services: count,
  endpoints: count,
  rules: count,
  bytes: count,
  /** Of the text, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  command: z.string(),
});

const environment = z.strictObject({
  chainwalk: z.string(),
  /** Commit of the checkout, with `-dirty` where files were changed; null outside of one. */
  git: z.string().nullable(),
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

const shard = z
  .strictObject({
    /** Counted from 1. */
    index: z.number().int().positive(),
    count: z.number().int().min(2),
    /** SHA-256 of what all shards together are to measure, in hexadecimal: shards of one study have the same. */
    plan: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .refine(({ index, count }) => index <= count, "there are not so many shards");

/** One call of the measuring program. A record merged of shards has several. */
const run = z.strictObject({
  /** Words that make it again. */
  command: z.array(z.string()),
  /** Which part of the study it measured; null: all of it. */
  shard: shard.nullable(),
  /** ISO 8601. */
  started: z.string(),
  seconds: z.number().nonnegative(),
  /** Rounds of processes begun. */
  rounds: z.number().int().positive(),
  environment,
});

const measurement = z.strictObject({
  schema: z.literal(MEASUREMENT_SCHEMA),
  study: z.string().regex(/^[a-z][a-z0-9-]*$/, "a study's name is of lower-case letters, digits and dashes"),
  seed: z.number().int(),
  quick: z.boolean(),
  runs: z.array(run).min(1),
  datasets: z.array(dataset),
  processes: z.array(measuringProcess).min(1),
  cases: z.array(benchCase).min(1),
  picks: z.array(picks),
  /** What was left out, and why. */
  notes: z.array(z.string()),
});

export type Measurement = z.infer<typeof measurement>;
export type BenchCase = z.infer<typeof benchCase>;
export type BenchRound = z.infer<typeof round>;
export type Factors = z.infer<typeof factors>;
export type Exact = z.infer<typeof exact>;
export type Histogram = z.infer<typeof histogram>;
export type MeasuringProcess = z.infer<typeof measuringProcess>;
export type Picks = z.infer<typeof picks>;
export type Dataset = z.infer<typeof dataset>;
export type BenchEnvironment = z.infer<typeof environment>;
export type BenchRun = z.infer<typeof run>;
export type PacketKind = NonNullable<Factors["packet"]>;
export type DestinationKind = NonNullable<Factors["destination"]>;

/** Names of all factors and of all exact columns, in the order of the schema: the order of columns and of cases. */
export const FACTOR_NAMES = Object.keys(factors.shape) as readonly (keyof Factors)[];
export const EXACT_NAMES = Object.keys(exact.shape) as readonly (keyof Exact)[];

/** What is wrong with a record, and where: `path` leads from the whole to the value. */
export interface MeasurementIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** `cases[0].rounds[2].process: there is no process 99`. */
export function describeIssue({ path, message }: MeasurementIssue): string {
  const steps = path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`));
  return [...(steps.length > 0 ? [steps.join("")] : []), message].join(": ");
}

/** A text that is JSON and no record of this version. */
export class MeasurementError extends Error {
  constructor(readonly issues: readonly MeasurementIssue[]) {
    super(issues.map(describeIssue).join("; "));
  }
}

/** Reads a record from JSON text. Throws SyntaxError where it is no JSON, MeasurementError where it is no record. */
export function parseMeasurement(text: string): Measurement {
  const result = measurement.safeParse(JSON.parse(text));
  if (!result.success)
    throw new MeasurementError(
      result.error.issues.map(({ path, message }) => ({
        path: path.map((step) => (typeof step === "symbol" ? String(step) : step)),
        message,
      })),
    );
  const record = result.data;
  record.processes.forEach(({ run }, i) => {
    if (run >= record.runs.length) throw missing(["processes", i, "run"], `there is no run ${run}`);
  });
  record.cases.forEach(({ rounds }, c) =>
    rounds.forEach(({ process }, r) => {
      if (process >= record.processes.length)
        throw missing(["cases", c, "rounds", r, "process"], `there is no process ${process}`);
    }),
  );
  return record;
}

function missing(path: (string | number)[], message: string): MeasurementError {
  return new MeasurementError([{ path, message }]);
}

/** The record as JSON: one line a case, so that two records can be compared line by line. */
export function formatMeasurement(record: Measurement): string {
  const { cases, ...head } = measurement.parse(record);
  const lines = cases.map((one) => JSON.stringify(one));
  return `${JSON.stringify(head).slice(0, -1)},"cases":[\n${lines.join(",\n")}\n]}\n`;
}

/** What the same seed makes the same in every run of a study on any machine: the record without times and places. */
export function exactPart({ study, seed, quick, datasets, cases, picks }: Measurement): object {
  const exactCases = cases.map((one) => ({ factors: one.factors, unit: one.unit, per: one.per, exact: one.exact }));
  return { study, seed, quick, datasets, cases: exactCases, picks };
}

/** What a case is looked up by; factors left out match anything, `undefined` matches where there is none. */
export type CaseFilter = Partial<{ [K in keyof Factors]: Factors[K] | undefined }>;

/** The cases that agree with every factor of the filter, in the order of the record. */
export function findCases({ cases }: Pick<Measurement, "cases">, filter: CaseFilter): BenchCase[] {
  const fields = Object.entries(filter) as [keyof Factors, unknown][];
  return cases.filter(({ factors }) => fields.every(([field, value]) => factors[field] === value));
}

/** Factors as text, in the order of the schema: equal for equal factors. */
export function describeFactors(factors: Factors): string {
  return FACTOR_NAMES.filter((name) => factors[name] !== undefined)
    .map((name) => `${name} ${factors[name]}`)
    .join(", ");
}

/** Orders cases by their factors, numbers by size: services first, as tables are read. */
export function compareFactors(a: Factors, b: Factors): number {
  for (const name of ["services", "endpoints", "flows", ...FACTOR_NAMES] as const) {
    const [left, right] = [a[name] ?? "", b[name] ?? ""];
    if (left === right) continue;
    if (typeof left === "number" && typeof right === "number") return left - right;
    return String(left) < String(right) ? -1 : 1;
  }
  return 0;
}
