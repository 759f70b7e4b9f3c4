/** Marks on their way, bit by bit, as sets of packets. */
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import type { Mark } from "./rows.js";
import type { Space } from "./space.js";

/** Packets whose mark, wherever its bits came from, equals the value under the mask. */
export function markEquals(space: Space, mark: Mark, value: number, mask: number): DiagramNode {
  const { diagrams } = space;
  if ((value & ~mask) !== 0) return NOTHING;
  let set: DiagramNode = ALL;
  for (let bit = 31; bit >= 0; bit--) {
    if (((mask >>> (31 - bit)) & 1) === 0) continue;
    const is = markBit(space, mark, bit);
    set = diagrams.and(((value >>> (31 - bit)) & 1) === 1 ? is : diagrams.not(is), set);
  }
  return set;
}

/** The set in which a bit of the mark (0: the most significant) is 1. */
export function markBit(space: Space, { ofMark, ofCtmark, flip }: Mark, bit: number): DiagramNode {
  const { diagrams } = space;
  const shift = 31 - bit;
  const parts: DiagramNode[] = [];
  if ((ofMark >>> shift) & 1) parts.push(diagrams.node(space.placeOf("mark").at + bit, NOTHING, ALL));
  if ((ofCtmark >>> shift) & 1) parts.push(diagrams.node(space.placeOf("ctmark").at + bit, NOTHING, ALL));
  return parts.reduce((sum, part) => diagrams.xor(sum, part), (flip >>> shift) & 1 ? ALL : NOTHING);
}
