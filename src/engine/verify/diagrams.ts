/**
 * Decision diagrams: sets of packets, and functions from packets to results, as reduced ordered diagrams over bits (Bryant 1986;
 * with many terminals: Fujita, McGeer and Yang 1997). Equal functions are the same node, so that comparing two of them is comparing
 * two numbers, whatever the size of the header space.
 *
 * A node is an int32: below zero a terminal, else an index. NOTHING is "no result", and as a set the empty one; ALL is the whole set.
 */
export type DiagramNode = number;

export const NOTHING: DiagramNode = -1;
export const ALL: DiagramNode = -2;

/** The terminal of result number `result` (from 0), and back. */
export const terminalOf = (result: number): DiagramNode => -3 - result;
export const resultOf = (terminal: DiagramNode): number => -3 - terminal;

/** Entries of the caches of operations: what falls out is worked out again. */
const CACHE = 1 << 18;
const FIRST_NODES = 1 << 16;
/** Nodes asked for between two ticks: some milliseconds. */
const TICK = 1 << 15;

/** Thrown where a run holds more nodes than it was allowed. */
export class TooManyNodes extends Error {}

export class Diagrams {
  private level = new Int32Array(FIRST_NODES);
  private low = new Int32Array(FIRST_NODES);
  private high = new Int32Array(FIRST_NODES);
  /** The next node of the same bucket, -1: none; of a free node, the next free one. */
  private chain = new Int32Array(FIRST_NODES);
  private buckets = new Int32Array(FIRST_NODES).fill(-1);
  private used = 0;
  private free = -1;
  private live = 0;
  private readonly choiceCache = new Int32Array(4 * CACHE).fill(-1);
  private readonly joinCache = new Int32Array(3 * CACHE).fill(-1);

  private nodesAsked = 0;

  /** `tick` is called every now and then while a single operation goes on; what it throws ends the operation. */
  constructor(
    private readonly mostNodes = Infinity,
    private readonly tick: () => void = () => {},
  ) {}

  /** Nodes held. */
  get size(): number {
    return this.live;
  }

  isTerminal(node: DiagramNode): boolean {
    return node < 0;
  }

  levelOf(node: DiagramNode): number {
    return node < 0 ? Infinity : this.level[node]!;
  }

  lowOf(node: DiagramNode): DiagramNode {
    return this.low[node]!;
  }

  highOf(node: DiagramNode): DiagramNode {
    return this.high[node]!;
  }

  /** The node that asks the bit of a level: `low` where it is 0, `high` where it is 1. Both must ask deeper levels only. */
  node(level: number, low: DiagramNode, high: DiagramNode): DiagramNode {
    if (low === high) return low;
    if ((++this.nodesAsked & (TICK - 1)) === 0) this.tick();
    let bucket = this.bucketOf(level, low, high);
    for (let n = this.buckets[bucket]!; n >= 0; n = this.chain[n]!) {
      if (this.low[n] === low && this.high[n] === high && this.level[n] === level) return n;
    }
    if (this.live >= this.mostNodes) throw new TooManyNodes();
    if (this.free < 0 && this.used === this.level.length) {
      this.grow();
      bucket = this.bucketOf(level, low, high);
    }
    let made = this.free;
    if (made >= 0) this.free = this.chain[made]!;
    else made = this.used++;
    this.live++;
    this.level[made] = level;
    this.low[made] = low;
    this.high[made] = high;
    this.chain[made] = this.buckets[bucket]!;
    this.buckets[bucket] = made;
    return made;
  }

  /** `then` where the set holds, else `otherwise`. */
  choose(set: DiagramNode, then: DiagramNode, otherwise: DiagramNode): DiagramNode {
    if (set === ALL) return then;
    if (set === NOTHING) return otherwise;
    if (then === otherwise) return then;
    if (then === ALL && otherwise === NOTHING) return set;
    const { choiceCache } = this;
    const at = 4 * (mix(set, then, otherwise) & (CACHE - 1));
    if (choiceCache[at] === set && choiceCache[at + 1] === then && choiceCache[at + 2] === otherwise)
      return choiceCache[at + 3]!;
    const a = this.level[set]!;
    const b = then < 0 ? 0x7fffffff : this.level[then]!;
    const c = otherwise < 0 ? 0x7fffffff : this.level[otherwise]!;
    const top = a < b ? (a < c ? a : c) : b < c ? b : c;
    const no = this.choose(
      a === top ? this.low[set]! : set,
      b === top ? this.low[then]! : then,
      c === top ? this.low[otherwise]! : otherwise,
    );
    const yes = this.choose(
      a === top ? this.high[set]! : set,
      b === top ? this.high[then]! : then,
      c === top ? this.high[otherwise]! : otherwise,
    );
    const made = this.node(top, no, yes);
    choiceCache[at] = set;
    choiceCache[at + 1] = then;
    choiceCache[at + 2] = otherwise;
    choiceCache[at + 3] = made;
    return made;
  }

  and(a: DiagramNode, b: DiagramNode): DiagramNode {
    return this.choose(a, b, NOTHING);
  }

  or(a: DiagramNode, b: DiagramNode): DiagramNode {
    return this.choose(a, ALL, b);
  }

  not(a: DiagramNode): DiagramNode {
    return this.choose(a, NOTHING, ALL);
  }

  xor(a: DiagramNode, b: DiagramNode): DiagramNode {
    return this.choose(a, this.not(b), b);
  }

  /** a without b. */
  minus(a: DiagramNode, b: DiagramNode): DiagramNode {
    return this.choose(b, NOTHING, a);
  }

  /** The results of a, and where it has none those of b. */
  join(a: DiagramNode, b: DiagramNode): DiagramNode {
    if (a === NOTHING || a === b) return b;
    if (b === NOTHING || a < 0) return a;
    const { joinCache } = this;
    const at = 3 * (mix(a, b, 0) & (CACHE - 1));
    if (joinCache[at] === a && joinCache[at + 1] === b) return joinCache[at + 2]!;
    const la = this.level[a]!;
    const lb = b < 0 ? 0x7fffffff : this.level[b]!;
    const top = la < lb ? la : lb;
    const no = this.join(la === top ? this.low[a]! : a, lb === top ? this.low[b]! : b);
    const yes = this.join(la === top ? this.high[a]! : a, lb === top ? this.high[b]! : b);
    const made = this.node(top, no, yes);
    joinCache[at] = a;
    joinCache[at + 1] = b;
    joinCache[at + 2] = made;
    return made;
  }

  /** Joins parts of which no two have a result for the same packet; neighbours first, so that most joins are small. */
  joinAll(parts: readonly DiagramNode[]): DiagramNode {
    let level = [...parts];
    while (level.length > 1) {
      const next: DiagramNode[] = [];
      for (let i = 0; i < level.length; i += 2)
        next.push(i + 1 < level.length ? this.join(level[i]!, level[i + 1]!) : level[i]!);
      level = next;
    }
    return level[0] ?? NOTHING;
  }

  /** The diagram with every terminal and the bit of every level replaced. `bitOf` gives the set in which the bit is 1. */
  compose(
    diagram: DiagramNode,
    bitOf: (level: number) => DiagramNode,
    resultFor: (terminal: DiagramNode) => DiagramNode,
  ): DiagramNode {
    const known = new Map<DiagramNode, DiagramNode>();
    const go = (from: DiagramNode): DiagramNode => {
      let node = from;
      let bit = NOTHING;
      // What is fixed is followed without a trace.
      while (node >= 0) {
        bit = bitOf(this.level[node]!);
        if (bit === ALL) node = this.high[node]!;
        else if (bit === NOTHING) node = this.low[node]!;
        else break;
      }
      let result = known.get(node);
      if (result !== undefined) return result;
      result = node < 0 ? resultFor(node) : this.choose(bit, go(this.high[node]!), go(this.low[node]!));
      known.set(node, result);
      return result;
    };
    return go(diagram);
  }

  /** The bits every member of a set has, asked first: a cube and what remains, with set = cube and rest. */
  peel(set: DiagramNode): {
    readonly levels: readonly number[];
    readonly cube: DiagramNode;
    readonly rest: DiagramNode;
  } {
    const levels: number[] = [];
    const bits: (0 | 1)[] = [];
    let rest = set;
    for (; rest >= 0; rest = bits.at(-1) === 1 ? this.high[rest]! : this.low[rest]!) {
      if (this.low[rest] !== NOTHING && this.high[rest] !== NOTHING) break;
      levels.push(this.level[rest]!);
      bits.push(this.low[rest] === NOTHING ? 1 : 0);
    }
    let cube: DiagramNode = ALL;
    for (let i = levels.length - 1; i >= 0; i--)
      cube = bits[i] === 1 ? this.node(levels[i]!, NOTHING, cube) : this.node(levels[i]!, cube, NOTHING);
    return { levels, cube, rest };
  }

  /** What remains of a set for packets whose known bits are given (by level; 2: not known). */
  settle(set: DiagramNode, known: Uint8Array, deepest: number): DiagramNode {
    let node = set;
    while (node >= 0) {
      const level = this.level[node]!;
      if (level > deepest) return node;
      const bit = known[level]!;
      if (bit === 2) break;
      node = bit === 1 ? this.high[node]! : this.low[node]!;
    }
    if (node < 0) return node;
    const no = this.settle(this.low[node]!, known, deepest);
    const yes = this.settle(this.high[node]!, known, deepest);
    return this.node(this.level[node]!, no, yes);
  }

  /** The set of packets for which two diagrams give different results. */
  differing(
    a: DiagramNode,
    b: DiagramNode,
    known: Map<DiagramNode, Map<DiagramNode, DiagramNode>> = new Map(),
  ): DiagramNode {
    if (a === b) return NOTHING;
    if (a < 0 && b < 0) return ALL;
    let row = known.get(a);
    if (row === undefined) known.set(a, (row = new Map()));
    const found = row.get(b);
    if (found !== undefined) return found;
    const [la, lb] = [this.levelOf(a), this.levelOf(b)];
    const top = Math.min(la, lb);
    const no = this.differing(la === top ? this.low[a]! : a, lb === top ? this.low[b]! : b, known);
    const yes = this.differing(la === top ? this.high[a]! : a, lb === top ? this.high[b]! : b, known);
    const made = this.node(top, no, yes);
    row.set(b, made);
    return made;
  }

  /** Packets that have a result, as bits by level (those left out are free): one for each of some paths, evenly spread over all of them. */
  someOf(diagram: DiagramNode, most: number): ReadonlyMap<number, 0 | 1>[] {
    const paths = this.pathCounter();
    const all = paths(diagram);
    const count = Math.min(most, all);
    return Array.from({ length: count }, (_, i) => {
      const bits = new Map<number, 0 | 1>();
      let number = Math.floor(((i + 0.5) * all) / count);
      for (let node = diagram; node >= 0;) {
        const [low, high] = [this.low[node]!, this.high[node]!];
        const below = paths(low);
        // Counts beyond 2^53 are not exact: a way without a result is never taken.
        const bit = paths(high) > 0 && (number >= below || below === 0) ? 1 : 0;
        if (bit === 1) number = Math.max(0, number - below);
        bits.set(this.level[node]!, bit);
        node = bit === 1 ? high : low;
      }
      return bits;
    });
  }

  /** The terminal a packet comes to; bits that are not given are 0. */
  follow(diagram: DiagramNode, bits: ReadonlyMap<number, 0 | 1>): DiagramNode {
    let node = diagram;
    while (node >= 0) node = bits.get(this.level[node]!) === 1 ? this.high[node]! : this.low[node]!;
    return node;
  }

  /** The set of packets that come to a terminal of which `holds` is true. */
  whereTerminal(diagram: DiagramNode, holds: (terminal: DiagramNode) => boolean): DiagramNode {
    return this.compose(
      diagram,
      (level) => this.node(level, NOTHING, ALL),
      (terminal) => (holds(terminal) ? ALL : NOTHING),
    );
  }

  /** The terminals of the results a diagram has. */
  resultsOf(diagram: DiagramNode): DiagramNode[] {
    const seen = new Set<DiagramNode>([NOTHING]);
    const todo = [diagram];
    const results: DiagramNode[] = [];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (node < 0) results.push(node);
      else todo.push(this.low[node]!, this.high[node]!);
    }
    return results;
  }

  private pathCounter(): (diagram: DiagramNode) => number {
    const known = new Map<DiagramNode, number>();
    const count = (node: DiagramNode): number => {
      if (node < 0) return node === NOTHING ? 0 : 1;
      let paths = known.get(node);
      if (paths === undefined) known.set(node, (paths = count(this.low[node]!) + count(this.high[node]!)));
      return paths;
    };
    return count;
  }

  /** Frees every node that none of the roots leads to. All other nodes held elsewhere become invalid. */
  sweep(roots: Iterable<DiagramNode>): void {
    const marked = new Uint8Array(this.used);
    const todo: DiagramNode[] = [];
    const mark = (node: DiagramNode): void => {
      if (node < 0 || marked[node] === 1) return;
      marked[node] = 1;
      todo.push(node);
    };
    for (const root of roots) {
      mark(root);
      for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
        mark(this.low[node]!);
        mark(this.high[node]!);
      }
    }
    this.buckets.fill(-1);
    this.free = -1;
    this.live = 0;
    for (let n = this.used - 1; n >= 0; n--) {
      if (marked[n] === 1) {
        this.live++;
        const bucket = this.bucketOf(this.level[n]!, this.low[n]!, this.high[n]!);
        this.chain[n] = this.buckets[bucket]!;
        this.buckets[bucket] = n;
      } else {
        this.chain[n] = this.free;
        this.free = n;
      }
    }
    this.choiceCache.fill(-1);
    this.joinCache.fill(-1);
  }

  private bucketOf(level: number, low: number, high: number): number {
    return mix(level, low, high) & (this.buckets.length - 1);
  }

  private grow(): void {
    const widen = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const wider = new Int32Array(old.length * 2);
      wider.set(old);
      return wider;
    };
    this.level = widen(this.level);
    this.low = widen(this.low);
    this.high = widen(this.high);
    this.chain = widen(this.chain);
    this.buckets = new Int32Array(this.level.length).fill(-1);
    for (let n = 0; n < this.used; n++) {
      const bucket = this.bucketOf(this.level[n]!, this.low[n]!, this.high[n]!);
      this.chain[n] = this.buckets[bucket]!;
      this.buckets[bucket] = n;
    }
  }
}

function mix(a: number, b: number, c: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x7feb352d), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}
