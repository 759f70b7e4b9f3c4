/** Pieces that tables of several studies are made of. */
import type { BenchCase, Exact, Measurement } from "../measurement.js";
import { formatCount, formatFigure } from "../table.js";

/** The different values, ascending. */
export function distinct(values: readonly (number | undefined)[]): number[] {
  return [...new Set(values)].filter((value) => value !== undefined).sort((a, b) => a - b);
}

/** An exact column of a case; `-` where it has none. */
export function formatExact(one: BenchCase | undefined, column: keyof Exact): string {
  const value = one?.exact[column];
  return value === undefined ? "-" : formatCount(value);
}

/** `23.5 kB`, `1.20 MB`. */
export function formatBytes(bytes: number): string {
  const [unit, name] = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "B"];
  return `${formatFigure(bytes / unit)} ${name}`;
}

export const ENGINE_NAMES = ["linear", "indexed", "string-map"] as const;
/** The walk over the rules of nftables mode, beside the engines on those of iptables mode. */
export const NFT_LINEAR = "nft-linear";

/** How the ratios to C came about; nothing where no C program took turns with an engine. */
export function describeTurns({ cases }: Pick<Measurement, "cases">): string[] {
  const inTurn = cases.some(({ factors, rounds }) => factors.engine === "C" && rounds.some(({ passes }) => passes));
  return inTurn
    ? [
        "chainwalk and C take turns (under Linux on one CPU), a few hundredths of a second each; a ratio is the median of those of the turns, " +
          "not that of the two medians.",
      ]
    : [];
}
