/**
 * Shards of a study, measured in parts, put together: what comes out is the record of the study measured whole, apart from times and what is
 * computed from them.
 */
import { compareFactors, describeFactors, type Factors, type Measurement } from "./measurement.js";

/** A record, and what its file is called. */
export interface NamedRecord {
  readonly name: string;
  readonly record: Measurement;
}

/** Records that do not make one study; `file` is the one to blame. */
export class MergeError extends Error {
  constructor(
    readonly file: string,
    message: string,
  ) {
    super(message);
  }
}

type Shard = NonNullable<Measurement["runs"][number]["shard"]>;

interface Part extends NamedRecord {
  readonly shard: Shard;
}

/**
 * One record of each study. A record merged before is passed over where shards of its study lie beside it: it is made of them again. Throws MergeError
 * where a study is there twice, or a shard is missing, there twice, or of another seed, build or command than the rest.
 */
export function mergeRecords(all: readonly NamedRecord[]): Measurement[] {
  const studies = [...new Set(all.map(({ record }) => record.study))];
  return studies.map((study) => {
    const named = all.filter(({ record }) => record.study === study);
    const parts = named.flatMap(partOf);
    const whole = named.filter(({ record }) => record.runs.length === 1 && record.runs[0]!.shard === null);
    const merged = named.filter(({ record }) => record.runs.length > 1);
    if (parts.length === 0) return theOnly([...whole, ...merged]);
    if (whole.length > 0)
      throw new MergeError(
        parts[0]!.name,
        `a shard of the study ${study}, of which ${whole[0]!.name} holds all: draw one or the other`,
      );
    return mergeParts(parts);
  });
}

function partOf({ name, record }: NamedRecord): Part[] {
  const shard = record.runs.length === 1 ? record.runs[0]!.shard : null;
  return shard === null ? [] : [{ name, record, shard }];
}

function theOnly([first, second]: readonly NamedRecord[]): Measurement {
  if (second !== undefined)
    throw new MergeError(second.name, `the study ${second.record.study} is there twice: ${first!.name} holds it too`);
  return first!.record;
}

function mergeParts(parts: readonly Part[]): Measurement {
  const sorted = parts.toSorted((a, b) => a.shard.index - b.shard.index);
  requireAlike(sorted);
  requireAll(sorted);
  const { schema, study, seed, quick } = sorted[0]!.record;
  const processes: Measurement["processes"] = [];
  const datasets = new Map<string, Measurement["datasets"][number]>();
  const cases = new Map<string, Measurement["cases"][number]>();
  const picks = new Map<string, Measurement["picks"][number]>();
  sorted.forEach(({ name, record }, run) => {
    const before = processes.length;
    processes.push(...record.processes.map((one) => ({ ...one, run })));
    for (const one of record.datasets) enter(datasets, one.command, one, name);
    for (const one of record.picks) enter(picks, describeFactors(one.factors), one, name);
    for (const one of record.cases) {
      const rounds = one.rounds.map((round) => ({ ...round, process: before + round.process }));
      const key = describeFactors(one.factors);
      const known = cases.get(key);
      if (known !== undefined && JSON.stringify(known.exact) !== JSON.stringify(one.exact))
        throw new MergeError(name, `counted differently than another shard: ${key}`);
      cases.set(key, known === undefined ? { ...one, rounds } : { ...known, rounds: [...known.rounds, ...rounds] });
    }
  });
  return {
    schema,
    study,
    seed,
    quick,
    runs: sorted.map(({ record }) => record.runs[0]!),
    processes,
    ...inOrder({ datasets: [...datasets.values()], cases: [...cases.values()], picks: [...picks.values()] }),
    notes: [...new Set(sorted.flatMap(({ record }) => record.notes))],
  };
}

/** Enters what every shard that has it must have alike. */
function enter<T>(known: Map<string, T>, key: string, one: T, name: string): void {
  const other = known.get(key);
  if (other !== undefined && JSON.stringify(other) !== JSON.stringify(one))
    throw new MergeError(name, `found something else than another shard: ${key}`);
  known.set(key, one);
}

/** What must be the same in all shards of a study, and how it is told. */
const ALIKE: readonly (readonly [what: string, of: (part: Part) => string])[] = [
  ["seed", ({ record }) => String(record.seed)],
  ["version", ({ record }) => record.runs[0]!.environment.chainwalk],
  ["commit", ({ record }) => record.runs[0]!.environment.git ?? "none"],
  ["number of shards", ({ shard }) => String(shard.count)],
];

function requireAlike(parts: readonly Part[]): void {
  const first = parts[0]!;
  for (const part of parts) {
    for (const [what, of] of ALIKE)
      if (of(part) !== of(first))
        throw new MergeError(part.name, `of another ${what} than ${first.name}: ${of(part)}, not ${of(first)}`);
    if (part.shard.plan !== first.shard.plan)
      throw new MergeError(
        part.name,
        `of other arguments than ${first.name}, or of a machine with other tools (a C compiler): ` +
          `${commandOf(part)}, not ${commandOf(first)}`,
      );
  }
}

function commandOf({ record }: Part): string {
  return record.runs[0]!.command.join(" ");
}

function requireAll(parts: readonly Part[]): void {
  const { count } = parts[0]!.shard;
  const byIndex = new Map<number, Part>();
  for (const part of parts) {
    const other = byIndex.get(part.shard.index);
    if (other !== undefined)
      throw new MergeError(part.name, `shard ${part.shard.index}/${count} is there twice: ${other.name} is it too`);
    byIndex.set(part.shard.index, part);
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !byIndex.has(index));
  if (missing.length > 0)
    throw new MergeError(
      parts[0]!.name,
      `not all shards of the study ${parts[0]!.record.study} are here: ${missing.map((index) => `${index}/${count}`).join(", ")} missing`,
    );
}

type Ordered = Pick<Measurement, "datasets" | "cases" | "picks">;

/** Ordered by what things are, whatever order they were measured in. */
export function inOrder({ datasets, cases, picks }: Ordered): Ordered {
  const byFactors = (a: { factors: Factors }, b: { factors: Factors }) => compareFactors(a.factors, b.factors);
  return {
    datasets: datasets.toSorted((a, b) => a.services - b.services || a.endpoints - b.endpoints),
    cases: cases.toSorted(byFactors),
    picks: picks.toSorted(byFactors),
  };
}
