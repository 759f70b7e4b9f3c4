/** The exact shares of each way of picking one of n that Kubernetes data planes use: what `power` judges without a rule set. */
import { type Decimals, evenThreshold, shares } from "./choice-precision.js";

/**
 * statistic-10, statistic-5: kube-proxy's chain of draws with ten and five decimals. numgen: nftables, reciprocal_scale(u32, n) =
 * (u32 * n) >> 32. modulo: u32 % n, as in Cilium's random selection.
 */
export const pickMechanisms = ["statistic-10", "statistic-5", "numgen", "modulo"] as const;
export type PickMechanism = (typeof pickMechanisms)[number];

const DRAWS = 2 ** 32;
/** Products of n and n stay whole numbers in a double. */
export const MOST_PICKED = 2 ** 20;

/** The share of each of n endpoints, 1 <= n <= 2^20; as doubles, right to 16 digits. */
export function pickShares(mechanism: PickMechanism, n: number): number[] {
  if (!Number.isSafeInteger(n) || n < 1 || n > MOST_PICKED) throw new RangeError(`${n} endpoints`);
  switch (mechanism) {
    case "statistic-10":
      return sequential(n, 10);
    case "statistic-5":
      return sequential(n, 5);
    case "numgen":
      // Value v is picked by the u32 from ceil(v 2^32 / n) on.
      return Array.from({ length: n }, (_, v) => (firstOf(v + 1, n) - firstOf(v, n)) / DRAWS);
    case "modulo":
      return Array.from({ length: n }, (_, v) => (Math.floor(DRAWS / n) + (v < DRAWS % n ? 1 : 0)) / DRAWS);
  }
}

/** The exact share of the numbers from `first` to `last` of `numgen random mod N`, 1 <= N < 2^32, as a double. */
export function numgenShare([first, last]: readonly [first: number, last: number], mod: number): number {
  const from = (value: number): bigint => ((BigInt(value) << 32n) + BigInt(mod) - 1n) / BigInt(mod);
  return Number(from(last + 1) - from(first)) / DRAWS;
}

function sequential(n: number, decimals: Decimals): number[] {
  const thresholds = Array.from({ length: n }, (_, i) => evenThreshold(n - i, decimals));
  // Where 1 / n is printed as 0, as by five decimals beyond 200,000 endpoints, the rule never matches.
  return shares(thresholds);
}

/** ceil(v 2^32 / n), in whole numbers. */
function firstOf(v: number, n: number): number {
  return Math.ceil((v * DRAWS) / n);
}
