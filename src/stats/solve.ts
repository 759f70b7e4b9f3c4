/** Where a rising function of x >= 0 becomes 0, to the precision of a double: doubling from `start` until it is passed, then bisection. */
export function solveRising(f: (x: number) => number, start: number): number {
  let high = start;
  while (f(high) < 0) {
    high *= 2;
    if (high === Infinity) throw new RangeError("the function does not reach 0");
  }
  let low = 0;
  // Halving the exponent first would not pay: 1100 halvings reach any double, some 60 are usual.
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle === low || middle === high) return high;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
}
