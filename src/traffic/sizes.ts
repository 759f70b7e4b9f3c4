/** How many packets a connection has: a distribution over 1, 2, 3, ... */
export interface Sizes {
  /** `fixed:10`, `geometric:10`, `pareto:1.2`. */
  readonly name: string;
  draw(random: () => number): number;
}

/** No connection is longer: a heavy tail would otherwise never come to an end. */
export const MOST_PACKETS = 100_000;

/** Every connection has `packets` packets. */
export function fixedSizes(packets: number): Sizes {
  if (!Number.isSafeInteger(packets) || packets < 1 || packets > MOST_PACKETS)
    throw new RangeError(`connections of ${packets} packets`);
  return { name: `fixed:${packets}`, draw: () => packets };
}

/** Geometric with the given mean, at least 1: each packet is the last one with the same probability. */
export function geometricSizes(mean: number): Sizes {
  if (!(mean >= 1 && mean <= MOST_PACKETS)) throw new RangeError(`connections of ${mean} packets in the mean`);
  const logGoesOn = Math.log1p(-1 / mean);
  const draw = (random: () => number): number =>
    Math.min(MOST_PACKETS, Math.floor(mean === 1 ? 0 : Math.log1p(-random()) / logGoesOn) + 1);
  return { name: `geometric:${mean}`, draw };
}

/** Pareto: at least k packets with probability k^-shape, shape 0.5..10. Below 2 few long connections carry most packets. */
export function paretoSizes(shape: number): Sizes {
  if (!(shape >= 0.5 && shape <= 10)) throw new RangeError(`a Pareto distribution of shape ${shape}`);
  const draw = (random: () => number): number => Math.min(MOST_PACKETS, Math.floor((1 - random()) ** (-1 / shape)));
  return { name: `pareto:${shape}`, draw };
}
