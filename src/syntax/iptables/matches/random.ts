import type { RandomMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";
import { parseNth } from "./nth.js";

const SCALE = 2 ** 31;

/** xt_statistic (extensions/libxt_statistic.c). Its mode decides which match it is: nth.ts has the other. */
export const random: MatchSyntax<RandomMatch> = {
  kind: "random",
  modules: {
    statistic: {
      "--mode": { values: 1 },
      "--probability": { values: 1, negate: true },
      "--every": { values: 1, negate: true },
      "--packet": { values: 1 },
    },
  },
  parse: (options) => {
    const mode = options.require("--mode");
    if (mode.values[0] === "random") return parseRandom(options);
    if (mode.values[0] === "nth") return parseNth(options);
    return options.fail("bad-mode", `--mode is random or nth, not "${mode.values[0]}"`, mode);
  },
  print: (match) =>
    ` -m statistic --mode random${match.negate ? " !" : ""} --probability ${formatProbability(match.threshold)}`,
};

function parseRandom(options: Options): RandomMatch {
  const wrong = options.get("--every") ?? options.get("--packet");
  if (wrong !== undefined) options.fail("conflicting-options", `${wrong.name} belongs to --mode nth`, wrong);
  const use = options.require("--probability");
  const text = use.values[0]!;
  const probability = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!(probability >= 0 && probability <= 1))
    options.fail("bad-probability", `--probability needs a number from 0 to 1, not "${text}"`, use);
  return { kind: "random", threshold: Math.round(probability * SCALE), negate: use.negate };
}

/** `threshold / 2^31` as C's `%.11f` prints it: exact ties, which toFixed rounds up, go to the even digit. */
export function formatProbability(threshold: number): string {
  if (threshold % 2 ** 20 !== 2 ** 19) return (threshold / SCALE).toFixed(11);
  const doubled = (threshold / 2 ** 19) * 5 ** 11; // in units of half of 10^-11, odd
  const low = (doubled - 1) / 2;
  const digits = String(low % 2 === 0 ? low : low + 1).padStart(12, "0");
  return `${digits.slice(0, -11)}.${digits.slice(-11)}`;
}
