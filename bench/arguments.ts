import { Command, CommanderError, InvalidArgumentError, Option } from "commander";

/** Engines of a study; `linear` is the column scan. */
export const ENGINES = ["linear", "indexed", "string-map"] as const;
export type EngineName = (typeof ENGINES)[number];

export interface BenchOptions {
  readonly study: string;
  /** One round at one size: the largest asked for. */
  readonly quick: boolean;
  /** Sizes of rule sets, ascending. */
  readonly services: readonly number[];
  readonly endpoints: number;
  readonly seed: number;
  /** Seconds that the whole run may take: as many rounds of processes as fit, at least one. */
  readonly duration: number;
  readonly engines: readonly EngineName[];
  /** The dist folder of another build to measure against, interleaved. */
  readonly against?: string;
  /** Directory of the results. */
  readonly out: string;
  /** The record on standard output, instead of the tables. */
  readonly json: boolean;
}

export const DEFAULT_SERVICES = [100, 300, 1000, 3000, 10_000] as const;
export const DEFAULT_DURATION = 165;
export const QUICK_DURATION = 40;
const MOST_SERVICES = 100_000;

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
export function parseArguments(words: readonly string[], studies: readonly string[]): BenchOptions {
  const command = new Command("bench")
    .description("Measures linear traversal against map lookup, and writes bench/results")
    .addOption(new Option("--study <name>", "what to measure").choices(studies).default(studies[0]))
    .option("--quick", "one round at the largest size: at most 45 s")
    .option("--services <n,...>", "sizes of rule sets", parseSizes, [...DEFAULT_SERVICES])
    .option("--endpoints <n>", "endpoints of each service", parseWhole(1, 1000), 5)
    .option("--seed <n>", "seed of rule sets, packets and picks", parseWhole(0, Number.MAX_SAFE_INTEGER), 1)
    .option(
      "--duration <seconds>",
      `time for all, ${DEFAULT_DURATION} or ${QUICK_DURATION} (quick)`,
      parseWhole(1, 86_400),
    )
    .option("--engine <name,...>", `any of ${ENGINES.join(", ")}`, parseList(ENGINES), [...ENGINES])
    .option("--against <dir>", "measure the build in this dist folder too, interleaved")
    .option("--out <dir>", "where results go", "bench/results")
    .option("--json", "print the record (the JSON of the results) instead of tables")
    .addHelpText(
      "after",
      "\nExamples:\n  npm run bench\n  npm run bench -- --quick\n  npm run bench -- --services 1000,10000 --seed 7",
    );
  const given = readWords<{
    study: string;
    quick?: true;
    services: number[];
    endpoints: number;
    seed: number;
    duration?: number;
    engine: EngineName[];
    against?: string;
    out: string;
    json?: true;
  }>(command, words);
  const quick = given.quick === true;
  return {
    study: given.study,
    quick,
    services: quick ? given.services.slice(-1) : given.services,
    endpoints: given.endpoints,
    seed: given.seed,
    duration: given.duration ?? (quick ? QUICK_DURATION : DEFAULT_DURATION),
    engines: given.engine,
    ...(given.against === undefined ? {} : { against: given.against }),
    out: given.out,
    json: given.json === true,
  };
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

/** Reads names with commas between them; the result is in the order of `all`. */
export function parseList<T extends string>(all: readonly T[]): (text: string) => T[] {
  return (text) => {
    const names = text.split(",");
    const wrong = names.find((name) => !all.some((known) => known === name));
    if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is none of ${all.join(", ")}.`);
    return all.filter((known) => names.includes(known));
  };
}
