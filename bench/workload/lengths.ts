/** How many packets connections have: numbers of at least 1, drawn at constant cost from a uniform number in [0, 1). */
export interface Lengths {
  /** Exact, in packets. */
  readonly mean: number;
  /** The length of a new connection. */
  draw(uniform: number): number;
  /** Packets that are left, 0 or more, after a packet met at a random time: the equilibrium distribution of renewal theory. */
  drawLeft(uniform: number): number;
}

export type LengthsName = "geometric" | "heavy-tailed";

/** Longest connection; what lies beyond is cut off. */
const LONGEST = 100_000;
/** Shape of the heavy tail: flow sizes on the Internet follow Pareto's law with 1.0 to 1.3 (Crovella and Bestavros, 1997). */
const SHAPE = 1.1;

/**
 * Lengths with the given mean. `geometric`: every packet is the last one with the same probability. `heavy-tailed`: Pareto's law cut off at LONGEST,
 * rounded up: most connections are short, most packets belong to long ones. Throws RangeError where the mean cannot be had.
 */
export function lengthsOf(name: LengthsName, mean: number): Lengths {
  if (!(mean >= 1 && mean <= LONGEST / 10))
    throw new RangeError(`a mean of ${mean} packets: not in 1..${LONGEST / 10}`);
  if (mean === 1) return { mean: 1, draw: () => 1, drawLeft: () => 0 };
  return fromSurvival(name === "geometric" ? geometric(mean) : heavyTailed(mean));
}

/** The probability of more than k packets, at index k. */
type Survival = Float64Array;

function geometric(mean: number): Survival {
  return Float64Array.from({ length: LONGEST }, (_, k) => (1 - 1 / mean) ** k);
}

/** The scale of the law is found by bisection: the mean grows with it. */
function heavyTailed(mean: number): Survival {
  let [low, high] = [1e-6, mean];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (sumOf(pareto(middle)) < mean) low = middle;
    else high = middle;
  }
  return pareto(low);
}

function pareto(scale: number): Survival {
  const cut = (scale / LONGEST) ** SHAPE;
  return Float64Array.from({ length: LONGEST }, (_, k) =>
    k <= scale ? 1 : Math.max(0, ((scale / k) ** SHAPE - cut) / (1 - cut)),
  );
}

function fromSurvival(survival: Survival): Lengths {
  const mean = sumOf(survival);
  let sum = 0;
  const left = survival.map((p) => 1 - (sum += p) / mean);
  return {
    mean,
    draw: (uniform) => firstAtMost(survival, 1 - uniform, 1),
    drawLeft: (uniform) => firstAtMost(left, 1 - uniform, 0),
  };
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** The first index, from `from` on, whose value is at most `most`, in falling values; the last one where there is none. */
function firstAtMost(values: Float64Array, most: number, from: number): number {
  let [low, high] = [from, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= most) high = middle;
    else low = middle + 1;
  }
  return low;
}
