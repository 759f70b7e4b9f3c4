/**
 * Adjusted p-values for many tests at once (Holm 1979): rejecting those at or below alpha rejects anything that is true with probability at
 * most alpha, however the tests hang together. In the order given.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = pValues.map(() => 1);
  let most = 0;
  order.forEach((index, rank) => {
    most = Math.max(most, Math.min(1, pValues[index]! * (pValues.length - rank)));
    adjusted[index] = most;
  });
  return adjusted;
}
