/** Operations of the code. Each takes four integers: operation, a, b, c. Where a test fails, the rule fails. */
export const Op = {
  /** The rule is done; on to the next. */
  end: 0,
  /** What only the readable walk can do: it takes the packet over from its start. */
  general: 1,
  /** (mark & b) === a, negated by c. */
  mark: 2,
  /** State bits a, negated by c. */
  state: 4,
  /** (src & b) === a, negated by c. */
  src: 5,
  dst: 6,
  /** Protocol a, negated by c. */
  protocol: 7,
  /** Interface test number a (of `interfaceTests`). */
  iif: 8,
  oif: 9,
  /** The address is the node's own, negated by c. */
  srcLocal: 10,
  dstLocal: 11,
  /** (u32 & 0x7fffffff) < a, negated by c. */
  random: 12,
  /** (TCP flags & b) === a, negated by c. */
  flags: 13,
  /** The answer is a. */
  constant: 14,
  /** Status bits a of the connection's entry, negated by c; a packet without entry fails. */
  status: 15,
  /** The key of table a is in it, negated by c. */
  inTable: 16,
  /** mark = (mark & ~a) ^ b. */
  setMark: 20,
  /** To address a and port b, -1 for the port as it is. */
  dnat: 21,
  /** a: from any port of the class (--random-fully). */
  masquerade: 22,
  /** What table a holds for its key: an operation of those below, and its operand << 8 (see `verdictCode`). No element: the rule fails. */
  verdictMap: 23,
  /** To the address and port that table a holds for its key; the value counts the rows of `destinations`. */
  dnatMap: 24,
  accept: 30,
  drop: 31,
  reject: 32,
  return: 33,
  jump: 34,
  goto: 35,
} as const;
