/** Hashes of tuples, as the header of table.ts describes them. All words are int32. */

export function hashIPv4(src: number, dst: number, ports: number, protocol: number): number {
  let h = Math.imul(src ^ Math.imul(protocol, 0x27d4eb2f), 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 16)) + dst, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + ports, 0x2c1b3c6d);
  return h ^ (h >>> 16);
}

/** The same over `count` address words from `at` on: of two IPv4 addresses it gives what hashIPv4 gives. */
export function hashWords(words: Int32Array, at: number, count: number, ports: number, protocol: number): number {
  let h = Math.imul(words[at]! ^ Math.imul(protocol, 0x27d4eb2f), 0x9e3779b1);
  for (let i = 1; i < count; i++) h = Math.imul((h ^ (h >>> 16)) + words[at + i]!, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + ports, 0x2c1b3c6d);
  return h ^ (h >>> 16);
}
