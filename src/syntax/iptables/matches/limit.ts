import type { LimitMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";
import { numberOf, parseNumber, UINT32 } from "../values.js";

/** XT_LIMIT_SCALE: the kernel counts in ten-thousandths of a second. */
const SCALE = 10_000;
const DEFAULT_BURST = 5;
const MAX_BURST = 10_000;

/** The coarsest first, as print_rate goes through them. */
const units = [
  { unit: "day", name: "day", ticks: SCALE * 86_400 },
  { unit: "hour", name: "hour", ticks: SCALE * 3_600 },
  { unit: "minute", name: "min", ticks: SCALE * 60 },
  { unit: "second", name: "sec", ticks: SCALE },
] as const;

/** xt_limit (extensions/libxt_limit.c). */
export const limit: MatchSyntax<LimitMatch> = {
  kind: "limit",
  modules: { limit: { "--limit": { values: 1 }, "--limit-burst": { values: 1 } } },
  parse: (options) => {
    const burst = options.get("--limit-burst");
    return {
      kind: "limit",
      ...rateOf(options),
      burst: burst === undefined ? DEFAULT_BURST : numberOf(options, burst, 0, MAX_BURST) || DEFAULT_BURST,
      negate: false,
    };
  },
  print: (match) =>
    ` -m limit --limit ${match.rate}/${units.find(({ unit }) => unit === match.unit)!.name}` +
    (match.burst === DEFAULT_BURST ? "" : ` --limit-burst ${match.burst}`),
};

type Rate = Pick<LimitMatch, "rate" | "unit">;

function rateOf(options: Options): Rate {
  const use = options.get("--limit");
  if (use === undefined) return { rate: 3, unit: "hour" };
  const [amount, word = "second"] = use.values[0]!.split("/") as [string, string?];
  const rate = parseNumber(amount, UINT32);
  const given = units.find(({ unit }) => word !== "" && unit.startsWith(word.toLowerCase()));
  const short = given ?? units.find(({ name }) => name === word.toLowerCase());
  if (rate === undefined || rate === 0 || short === undefined || use.values[0]!.split("/").length > 2)
    options.fail("bad-rate", `--limit needs a rate such as 3/second or 10/hour, not "${use.values[0]}"`, use);
  if (rate > short.ticks)
    options.fail("bad-rate", `the rate ${use.values[0]} is too fast: at most ${SCALE}/second`, use);
  return asPrinted({ rate, unit: short.unit }, Math.floor(short.ticks / rate));
}

/** The rate iptables would print for this period, where it reads back as the same period. */
function asPrinted(written: Rate, period: number): Rate {
  let i = 1;
  while (i < units.length) {
    const { ticks } = units[i]!;
    if (period > ticks || Math.floor(ticks / period) < ticks % period) break;
    i++;
  }
  const { unit, ticks } = units[i - 1]!;
  const rate = Math.floor(ticks / period);
  return rate > 0 && Math.floor(ticks / rate) === period ? { rate, unit } : written;
}
