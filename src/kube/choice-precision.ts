/** How even the draws of a KUBE-SVC chain are, and which kube-proxy wrote them: the decimals of its probabilities tell. */

const ALWAYS = 2 ** 31;
/** kube-proxy v1.17 and newer (kubernetes PR 83599, October 2019), v1.16 and older: `%0.10f` and `%0.5f` of 1 / n left. */
export type Decimals = 10 | 5;

/** The share of each rule of a choice: rule k takes threshold / 2^31 of what the earlier ones left. As doubles, without loss over many rules. */
export function shares(thresholds: readonly number[]): number[] {
  let left = 1;
  return thresholds.map((threshold) => {
    const share = left * (threshold / ALWAYS);
    left *= (ALWAYS - threshold) / ALWAYS;
    return share;
  });
}

/** The share of packets that no rule of the choice takes. */
export function shareLeft(thresholds: readonly number[]): number {
  return thresholds.reduce((left, threshold) => left * ((ALWAYS - threshold) / ALWAYS), 1);
}

/** The largest relative deviation of a share from 1 / n: 0.005 says that some endpoint gets 0.5 % more or less than its part. */
export function largestBias(parts: readonly number[]): number {
  return parts.reduce((most, part) => Math.max(most, Math.abs(part * parts.length - 1)), 0);
}

/** The threshold of 1 / left, as iptables makes it of the text kube-proxy gives (lround in libxt_statistic.c). */
export function evenThreshold(left: number, decimals: Decimals): number {
  return Math.round(Number((1 / left).toFixed(decimals)) * ALWAYS);
}

/** Listings of old iptables show six decimals. */
const SHOWN = 1e-6 * ALWAYS;

/**
 * The decimals with which the sequence 1/n, 1/(n-1), ..., 1 was written; undefined where the thresholds are not that sequence. One that fits
 * both (n of 1 and 2, and whatever was listed by an iptables that shows six) counts as 10.
 */
export function decimalsOf(thresholds: readonly number[]): Decimals | undefined {
  const off = (decimals: Decimals): number =>
    thresholds.reduce(
      (most, threshold, i) => Math.max(most, Math.abs(threshold - evenThreshold(thresholds.length - i, decimals))),
      0,
    );
  const [ten, five] = [off(10), off(5)];
  if (ten <= 1) return 10;
  if (five <= 1) return 5;
  return ten <= SHOWN ? 10 : undefined;
}
