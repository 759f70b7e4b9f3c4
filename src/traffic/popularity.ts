/** How often each of n destinations is called: a distribution over 0..n-1 that can be drawn from at constant cost. */
export interface Popularity {
  readonly size: number;
  /** The next destination; takes its randomness from the generator handed in. */
  pick(random: () => number): number;
  /** The exact probability of a destination, as far as doubles go. */
  probability(index: number): number;
}

/** Every destination equally often. */
export function uniformPopularity(size: number): Popularity {
  requireSize(size);
  return {
    size,
    pick: (random) => Math.floor(random() * size),
    probability: (i) => (i >= 0 && i < size ? 1 / size : 0),
  };
}

/** One destination only. */
export function fixedPopularity(size: number, index: number): Popularity {
  requireSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new RangeError(`index ${index} is not one of ${size} destinations`);
  return { size, pick: () => index, probability: (i) => (i === index ? 1 : 0) };
}

/**
 * Zipf's law: the destination of rank k is called in proportion to 1 / k^exponent. Which destination has which rank is
 * drawn from `random`; without it the first is the most popular, which makes a linear walk look fast.
 */
export function zipfPopularity(size: number, exponent: number, random?: () => number): Popularity {
  requireSize(size);
  if (!(exponent >= 0) || !Number.isFinite(exponent))
    throw new RangeError(`the exponent must be at least 0 and finite, not ${exponent}`);
  const weights = Float64Array.from({ length: size }, (_, rank) => (rank + 1) ** -exponent);
  if (random !== undefined) shuffle(weights, random);
  return weightedPopularity(weights);
}

/** Destinations in proportion to the given weights, by the alias method (Walker 1977, in Vose's form). */
export function weightedPopularity(weights: ArrayLike<number>): Popularity {
  const size = weights.length;
  requireSize(size);
  let sum = 0;
  for (let i = 0; i < size; i++) {
    if (!(weights[i]! >= 0) || weights[i] === Infinity) throw new RangeError(`weight ${weights[i]} of ${i}`);
    sum += weights[i]!;
  }
  if (!(sum > 0)) throw new RangeError("the weights sum to 0");
  const probabilities = Float64Array.from({ length: size }, (_, i) => weights[i]! / sum);
  const { keep, alias } = aliasTable(probabilities);
  return {
    size,
    pick(random) {
      const draw = random() * size;
      const cell = Math.floor(draw);
      return draw - cell < keep[cell]! ? cell : alias[cell]!;
    },
    probability: (i) => probabilities[i] ?? 0,
  };
}

/** Cell i keeps the share keep[i] of its draws and gives the rest to alias[i]. */
function aliasTable(probabilities: Float64Array): { keep: Float64Array; alias: Uint32Array } {
  const size = probabilities.length;
  const keep = probabilities.map((p) => p * size);
  const alias = Uint32Array.from({ length: size }, (_, i) => i);
  const small: number[] = [];
  const large: number[] = [];
  keep.forEach((share, i) => (share < 1 ? small : large).push(i));
  while (small.length > 0 && large.length > 0) {
    const poor = small.pop()!;
    const rich = large[large.length - 1]!;
    alias[poor] = rich;
    keep[rich] = keep[rich]! - (1 - keep[poor]!);
    if (keep[rich]! < 1) small.push(large.pop()!);
  }
  for (const i of [...small, ...large]) keep[i] = 1;
  return { keep, alias };
}

/** Fisher and Yates. */
function shuffle(values: Float64Array, random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const held = values[i]!;
    values[i] = values[j]!;
    values[j] = held;
  }
}

function requireSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`${size} destinations: at least one is needed`);
}
