/**
 * Adjusted p-values for many tests at once (Benjamini and Hochberg 1995): of those at or below q a share of q is wrong, on average. Where nothing is
 * to be found, anything is found with probability at most q. In the order given.
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[b]! - pValues[a]!);
  const adjusted = pValues.map(() => 1);
  let least = 1;
  order.forEach((index, fromTheEnd) => {
    least = Math.min(least, pValues[index]! * (pValues.length / (pValues.length - fromTheEnd)));
    adjusted[index] = least;
  });
  return adjusted;
}
