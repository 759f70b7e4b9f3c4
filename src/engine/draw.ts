import type { Draw } from "./types.js";

/**
 * A bijection of uint32 that changes every bit of the output with probability close to one half when one bit of the input
 * changes: two multiplications between xor shifts, with the constants of the lowbias32 hash.
 */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * The part of a draw's name that does not change from packet to packet, folded into a uint32: hoist it out of a loop over packets.
 * `seed` is any safe integer. Of one seed and visit, no two rules share a key.
 */
export function drawKey(seed: number, rule: number, visit: number): number {
  return ruleKey(seedKey(seed), rule, visit);
}

/** The visit by which a rule names its draws: the first by the visit itself, each further one of the same visit apart from it. */
export function drawVisit(visit: number, drawnBefore: number): number {
  return visit + drawnBefore * 0x10000;
}

/** The part of drawKey that the seed alone decides; `drawKey(s, r, v)` is `ruleKey(seedKey(s), r, v)`. */
export function seedKey(seed: number): number {
  const high = Math.floor(seed / 0x100000000);
  return mix(mix(seed ^ 0x9e3779b9) + high);
}

/** The key of a rule and visit under a seed's key. */
export function ruleKey(seeded: number, rule: number, visit: number): number {
  return mix(mix(seeded + Math.imul(visit, 0x85ebca6b)) + rule);
}

/**
 * The draw of packet number `packet` under a key: a uint32, uniform over packets, over keys and over both. The key enters twice, so that
 * the numbers of one rule are not those of another in a different order.
 */
export function drawWith(key: number, packet: number): number {
  return drawBits(key, packet) >>> 0;
}

/** The bits of drawWith as int32, for hot loops: V8 keeps an int32 in a register, and a uint32 often as a double. */
export function drawBits(key: number, packet: number): number {
  let x = packet ^ key;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(((x ^ (x >>> 15)) + (key | 0)) | 0, 0x846ca68b);
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  return x ^ (x >>> 15);
}

/** Draws by name, from a seed: no state, so any engine may ask for any draw in any order. `namedDraw(s)(p, r, v)` is `drawWith(drawKey(s, r, v), p)`. */
export function namedDraw(seed: number): Draw {
  return Object.assign((packet: number, rule: number, visit: number) => drawWith(drawKey(seed, rule, visit), packet), {
    seed,
  });
}
