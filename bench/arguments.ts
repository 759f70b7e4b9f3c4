import { Command, CommanderError, InvalidArgumentError, Option } from "commander";

/** Engines of a study; `linear` is the column scan. */
export const ENGINES = ["linear", "indexed", "string-map"] as const;
export type EngineName = (typeof ENGINES)[number];
/** The column scan of the rules of nftables mode: what stands beside `linear` in the scale study. */
export const NFT_LINEAR = "nft-linear";
export type SubjectName = EngineName | typeof NFT_LINEAR;

export interface BenchOptions {
  readonly study: string;
  /** One size, the largest asked for, and fewer variants. */
  readonly quick: boolean;
  /** Sizes of rule sets, ascending. */
  readonly services: readonly number[];
  readonly endpoints: number;
  readonly seed: number;
  /** Seconds that the whole run may take: as many rounds of processes as fit, at least one. */
  readonly duration: number;
  readonly engines: readonly EngineName[];
  /** Which part of the study to measure; absent: all of it. */
  readonly shard?: Shard;
  /** The dist folder of another build to measure against, interleaved. */
  readonly against?: string;
  /** Directory of the results. */
  readonly out: string;
  /** The record on standard output, instead of the tables. */
  readonly json: boolean;
}

/** A part of a study: the index is counted from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export const QUICK_DURATION = 40;
const MOST_SERVICES = 100_000;

/** What a study takes where it is not told. */
export interface StudyDefaults {
  /** Sizes of rule sets, ascending. */
  readonly services: readonly number[];
  /** Size of the rule set of a quick run. */
  readonly quickServices: number;
  /** Seconds. */
  readonly duration: number;
}

/** What is to be known of a study before its options are read. */
export interface StudyFacts {
  /** Half a line. */
  readonly summary: string;
  readonly defaults: StudyDefaults;
}

/** Bad use; `exitCode` is 2, or 0 where help was asked for (then `message` is empty, all has been printed). */
export class ArgumentError extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** Reads the words after the program's name. Throws ArgumentError. */
export function parseArguments(words: readonly string[], studies: ReadonlyMap<string, StudyFacts>): BenchOptions {
  const names = [...studies.keys()];
  const command = new Command("bench")
    .description("Measures linear traversal against map lookup, and writes bench/results")
    .addOption(new Option("--study <name>", "what to measure").choices(names).default(names[0]))
    .option("--quick", "one size and fewer variants: at most 45 s")
    .option("--services <n,...>", "sizes of rule sets (default: the study's own)", parseSizes)
    .option("--endpoints <n>", "endpoints of each service", parseWhole(1, 1000), 5)
    .option("--seed <n>", "seed of rule sets, packets and picks", parseWhole(0, Number.MAX_SAFE_INTEGER), 1)
    .option(
      "--duration <seconds>",
      `time for all (default: the study's own, quick ${QUICK_DURATION})`,
      parseWhole(1, 86_400),
    )
    .option("--engine <name,...>", `any of ${ENGINES.join(", ")}`, parseList(ENGINES), [...ENGINES])
    .option("--shard <i/n>", "measure the i-th of n parts; chainwalk report merges them", parseShard)
    .option("--against <dir>", "measure the build in this dist folder too, interleaved")
    .option("--out <dir>", "where results go", "bench/results")
    .option("--json", "print the record (the JSON of the results) instead of tables")
    .addHelpText("after", helpOn(studies));
  const given = readWords<{
    study: string;
    quick?: true;
    services?: number[];
    endpoints: number;
    seed: number;
    duration?: number;
    engine: EngineName[];
    shard?: Shard;
    against?: string;
    out: string;
    json?: true;
  }>(command, words);
  const quick = given.quick === true;
  const { defaults } = studies.get(given.study)!;
  const services = given.services ?? (quick ? [defaults.quickServices] : defaults.services);
  return {
    study: given.study,
    quick,
    services: quick ? services.slice(-1) : services,
    endpoints: given.endpoints,
    seed: given.seed,
    duration: given.duration ?? (quick ? QUICK_DURATION : defaults.duration),
    engines: given.engine,
    // One part of one is all of it.
    ...(given.shard === undefined || given.shard.count === 1 ? {} : { shard: given.shard }),
    ...(given.against === undefined ? {} : { against: given.against }),
    out: given.out,
    json: given.json === true,
  };
}

function helpOn(studies: ReadonlyMap<string, StudyFacts>): string {
  const width = Math.max(...[...studies.keys()].map((name) => name.length));
  const lines = [...studies].map(([name, { summary, defaults }]) => {
    return `  ${name.padEnd(width)}  ${summary} (${defaults.duration} s)`;
  });
  return `
Studies:
${lines.join("\n")}

Examples:
  npm run bench
  npm run bench -- --quick
  npm run bench -- --study mix --services 1000,10000 --seed 7
  seq 3 | parallel npm run bench -- --shard {}/3 --out shards && npx chainwalk report shards
  npm run bench -- --against ../other-checkout/dist --services 1000 --duration 60`;
}

/** The options a command finds in words. Throws ArgumentError. */
export function readWords<T extends Record<string, unknown>>(command: Command, words: readonly string[]): T {
  command
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .allowExcessArguments(false);
  try {
    command.parse(words, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError)
      throw new ArgumentError(error.exitCode === 0 ? "" : error.message, error.exitCode === 0 ? 0 : 2);
    throw error;
  }
  return command.opts<T>();
}

export function parseWhole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

export function parseSizes(text: string): number[] {
  const sizes = text.split(",").map(parseWhole(3, MOST_SERVICES));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

const MOST_SHARDS = 1000;

function parseShard(text: string): Shard {
  const [index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count || count > MOST_SHARDS)
    throw new InvalidArgumentError(`It must be i/n with i from 1 to n, and n at most ${MOST_SHARDS}: 1/3, 2/3, 3/3.`);
  return { index, count };
}

/** Reads names with commas between them; the result is in the order of `all`. */
export function parseList<T extends string>(all: readonly T[]): (text: string) => T[] {
  return (text) => {
    const names = text.split(",");
    const wrong = names.find((name) => !all.some((known) => known === name));
    if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is none of ${all.join(", ")}.`);
    return all.filter((known) => names.includes(known));
  };
}
