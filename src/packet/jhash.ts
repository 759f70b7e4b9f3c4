/**
 * jhash2 of include/linux/jhash.h (Bob Jenkins, lookup3): the kernel spreads connections over an address range with it. With `bytes`, which
 * may end inside of the last word (the rest of it is zero), it is jhash of so many bytes as a little-endian machine reads them.
 */
export function jhash2(words: readonly number[], initial: number, bytes = words.length << 2): number {
  let a = (0xdeadbeef + bytes + initial) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (let left = words.length; left > 3; left -= 3, at += 3) {
    a += words[at]!;
    b += words[at + 1]!;
    c += words[at + 2]!;
    a = (a - c) ^ rol(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rol(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rol(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rol(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rol(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rol(b, 4);
    b = (b + a) | 0;
  }
  const rest = words.length - at;
  if (rest === 0) return c >>> 0;
  if (rest > 2) c += words[at + 2]!;
  if (rest > 1) b += words[at + 1]!;
  a += words[at]!;
  c = (c ^ b) - rol(b, 14);
  a = (a ^ c) - rol(c, 11);
  b = (b ^ a) - rol(a, 25);
  c = (c ^ b) - rol(b, 16);
  a = (a ^ c) - rol(c, 4);
  b = (b ^ a) - rol(a, 14);
  c = (c ^ b) - rol(b, 24);
  return c >>> 0;
}

function rol(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** reciprocal_scale: `x * range / 2^32` of two uint32, rounded down. */
export function reciprocalScale(x: number, range: number): number {
  const high = (x >>> 16) * range;
  const low = (x & 0xffff) * range;
  return Math.floor((high + Math.floor(low / 0x10000)) / 0x10000);
}

/** The bytes of a uint32 the other way round: network order as a little-endian machine reads it. */
export function swapBytes(x: number): number {
  return ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0;
}
