import { Command, Option } from "commander";
import { parseList, parseSizes, parseWhole, readWords } from "../arguments.js";
import { VARIANTS, type Variant } from "./tools.js";

export interface KernelOptions {
  readonly quick: boolean;
  /** Sizes of rule sets, ascending. */
  readonly services: readonly number[];
  readonly endpoints: number;
  readonly seed: number;
  /** Seconds: as many rounds as fit, at least one. */
  readonly duration: number;
  readonly variants: readonly Variant[];
  readonly out: string;
  readonly json: boolean;
}

const DEFAULT_SERVICES = [10, 300, 1000, 3000, 10_000] as const;
const DEFAULT_DURATION = 420;
const QUICK_DURATION = 75;

/** Reads the words after the program's name. Throws ArgumentError. */
export function parseKernelArguments(words: readonly string[]): KernelOptions {
  const command = new Command("bench:kernel")
    .description("Measures the same rule sets in the real kernel (Linux, root), in a network namespace of its own")
    .option("--quick", "fewer rounds, and no nft maps at the largest size: at most 2 minutes")
    .option(
      "--services <n,...>",
      "sizes of rule sets; ns per rule are taken from 10, 300 and 3000, and foretell the others",
      parseSizes,
      [...DEFAULT_SERVICES],
    )
    .option("--endpoints <n>", "endpoints of each service", parseWhole(1, 1000), 5)
    .option("--seed <n>", "seed of rule sets and packets", parseWhole(0, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option(
        "--duration <seconds>",
        `time for all rounds, ${DEFAULT_DURATION} or ${QUICK_DURATION} (quick)`,
      ).argParser(parseWhole(1, 86_400)),
    )
    .option("--variant <name,...>", `any of ${VARIANTS.join(", ")}`, parseList(VARIANTS), [...VARIANTS])
    .option("--out <dir>", "where results go", "bench/results")
    .option("--json", "print the record (the JSON of the results) instead of tables")
    .addHelpText("after", "\nExamples:\n  npm run bench:kernel\n  npm run bench:kernel -- --quick");
  const given = readWords<{
    quick?: true;
    services: number[];
    endpoints: number;
    seed: number;
    duration?: number;
    variant: Variant[];
    out: string;
    json?: true;
  }>(command, words);
  const quick = given.quick === true;
  return {
    quick,
    services: given.services,
    endpoints: given.endpoints,
    seed: given.seed,
    duration: given.duration ?? (quick ? QUICK_DURATION : DEFAULT_DURATION),
    variants: given.variant,
    out: given.out,
    json: given.json === true,
  };
}
