/**
 * Follows sets of packets through a chain: ipt_do_table for all packets at once. Every rule splits the sets that come to it, lazily:
 * ten thousand rules for ten thousand destinations make as many classes, not their product. What comes out is one diagram: from the
 * packet, as it enters the base chain, to the way it leaves it.
 */
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import { markEquals } from "./mark-bits.js";
import type { MatchReader } from "./read-matches.js";
import { Results } from "./results.js";
import {
  type Branches,
  changeMark,
  CTMARK,
  type End,
  MARK,
  type Mark,
  type Program,
  type Sight,
  type Step,
  type Test,
  xorMarks,
} from "./rows.js";
import type { Space } from "./space.js";

/** How a class of packets leaves a base chain: the end, the marks, and all that it changed on its way. */
export interface Exit {
  readonly end: End;
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly notrack: boolean;
  /** In the order they happened: `rule.statement` for what keeps state, a Mark as JSON for the connection mark. */
  readonly changes: readonly string[];
}

/** A set of packets on its way, alike in all that the walk has done so far. */
interface Flock {
  readonly packets: DiagramNode;
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly notrack: boolean;
  /** Number of the list of changes so far, and of the list of chains entered that count it. */
  readonly changes: number;
  readonly entered: number;
}

/** Jumps nested deeper than this are not followed. */
const DEEPEST = 512;

/** Thrown where the budget is used up. */
export class OutOfBudget extends Error {}

/** Bits that packets must have in common to be worth taking off. */
const FEWEST_IN_COMMON = 16;

/** Where the flocks of a row go: on to the next rule, out of the chain by its end, or out of the base chain. */
interface Ways {
  readonly program: Program;
  readonly chain: number;
  readonly depth: number;
  readonly next: Flock[];
  readonly through: Flock[];
  readonly parts: DiagramNode[];
}

/** What came of a flock in a chain. */
interface Run {
  readonly through: readonly Flock[];
  readonly parts: readonly DiagramNode[];
  readonly classes: number;
  readonly from: DiagramNode;
}

/** Called before every rule; may throw OutOfBudget, and may sweep the diagrams of all that `held` does not give. */
export type Pause = (held: () => Iterable<DiagramNode>) => void;

export class Follower {
  /** Classes of packets that came to an end so far. */
  classes = 0;
  /** Sets in use while a chain is followed. */
  private readonly held: (readonly Flock[] | readonly DiagramNode[])[] = [];
  private readonly lists = new Lists();
  private readonly runs = new Map<string, Run>();
  /** Chains that are being run. */
  private readonly open = new Set<number>();
  /** Bits that all packets on the way have, by level; 2: not known. Those deeper than `deepest` are not. */
  private known = new Uint8Array(1 << 16).fill(2);
  private deepest = -1;

  constructor(
    private readonly space: Space,
    private readonly reader: MatchReader,
    private readonly exits: Results<Exit>,
    private readonly pause: Pause,
  ) {}

  /** From the packets that enter a base chain to their exits. Throws OutOfBudget. */
  follow(program: Program, chain: number, policy: "accept" | "drop", packets: DiagramNode): DiagramNode {
    const parts: DiagramNode[] = [];
    const start: Flock = { packets, mark: MARK, ctmark: CTMARK, notrack: false, changes: 0, entered: 0 };
    this.held.length = 0;
    this.held.push(parts);
    this.open.clear();
    for (const flock of this.run(program, chain, [start], parts, 0)) this.leave(flock, { kind: policy }, parts);
    return this.space.diagrams.joinAll(parts);
  }

  /** Runs flocks through a chain; gives those that come to its end. The exits are added to `parts` as one part. */
  private run(
    program: Program,
    chain: number,
    flocks: readonly Flock[],
    parts: DiagramNode[],
    depth: number,
  ): readonly Flock[] {
    if (depth > DEEPEST) throw new OutOfBudget();
    if (this.open.has(chain)) throw new Error(`the ${program.name} walk leads from chain ${chain} back to it`);
    this.open.add(chain);
    const own: DiagramNode[] = [];
    const through: Flock[] = [];
    let here = flocks;
    if (program.counts(chain))
      here = flocks.map((flock) => ({ ...flock, entered: this.lists.add(flock.entered, String(chain)) }));
    const length = program.length(chain);
    const held = this.held.length;
    for (let index = 0; index < length && here.length > 0; index++) {
      const next: Flock[] = [];
      this.held.push(own, through, here, next);
      this.pause(() => this.inUse());
      const { visited, steps } = program.row(chain, index);
      const ways: Ways = { program, chain, depth, next, through, parts: own };
      for (const flock of here) {
        const past = this.without(flock, visited);
        if (past !== undefined) next.push(past);
        const come = this.within(flock, visited);
        if (come !== undefined) this.visit(steps, come, ways);
      }
      this.held.length = held;
      here = this.merge(next);
    }
    this.open.delete(chain);
    through.push(...here);
    const joined = this.space.diagrams.joinAll(own);
    if (joined !== NOTHING) parts.push(joined);
    return this.merge(through);
  }

  /**
   * Runs one flock through a chain it jumps to. What all its packets have in common is taken off before, and put back after: in the
   * chain of a service nothing asks for more than the source and the draws, so the sets stay small.
   */
  private enter(chain: number, flock: Flock, { program, parts, depth }: Ways): readonly Flock[] {
    const { diagrams } = this.space;
    const { levels, cube, rest } = diagrams.peel(flock.packets);
    if (levels.length < FEWEST_IN_COMMON) return this.runOnce(program, chain, flock, parts, depth + 1);
    const { deepest } = this;
    while (this.known.length <= levels.at(-1)!) {
      const wider = new Uint8Array(2 * this.known.length).fill(2);
      wider.set(this.known);
      this.known = wider;
    }
    let node = cube;
    for (const level of levels) {
      const bit = diagrams.lowOf(node) === NOTHING ? 1 : 0;
      this.known[level] = bit;
      node = bit === 1 ? diagrams.highOf(node) : diagrams.lowOf(node);
    }
    this.deepest = Math.max(deepest, levels.at(-1)!);
    const own: DiagramNode[] = [];
    const held = this.held.length;
    this.held.push([cube], own);
    const through = this.run(program, chain, [{ ...flock, packets: rest }], own, depth + 1);
    this.held.length = held;
    for (const level of levels) this.known[level] = 2;
    this.deepest = deepest;
    for (const part of own) parts.push(diagrams.choose(cube, part, NOTHING));
    return through.map((gone) => ({ ...gone, packets: diagrams.and(cube, gone.packets) }));
  }

  /** Runs one flock through a chain; what came of the same flock in the same chain is known. */
  private runOnce(
    program: Program,
    chain: number,
    flock: Flock,
    parts: DiagramNode[],
    depth: number,
  ): readonly Flock[] {
    if (this.deepest >= 0) return this.run(program, chain, [flock], parts, depth);
    const key = `${program.name} ${chain} ${flock.packets} ${keyOf(flock)}`;
    let run = this.runs.get(key);
    if (run === undefined) {
      const own: DiagramNode[] = [];
      const classes = this.classes;
      const through = this.run(program, chain, [flock], own, depth);
      this.runs.set(key, (run = { through, parts: own, classes: this.classes - classes, from: flock.packets }));
    } else this.classes += run.classes;
    parts.push(...run.parts);
    return run.through;
  }

  /** Carries out the steps of a row. */
  private visit(steps: readonly Step[], come: Flock, ways: Ways): void {
    ways.next.push(...this.carryOut(steps, come, ways));
  }

  /** Gives what goes on behind the last of the steps. */
  private carryOut(steps: readonly Step[], come: Flock, ways: Ways): readonly Flock[] {
    let flocks: readonly Flock[] = [come];
    for (const step of this.conjoin(steps, come.notrack)) {
      if (flocks.length === 1) flocks = this.take(step, flocks[0]!, ways);
      else {
        this.held.push(flocks);
        const after: Flock[] = [];
        this.held.push(after);
        for (const flock of flocks) after.push(...this.take(step, flock, ways));
        this.held.length -= 2;
        flocks = after;
      }
      if (flocks.length === 0) break;
    }
    return flocks;
  }

  /**
   * Tests of headers that follow each other, as one: they change nothing, so it does not matter which of them fails. Behind a notrack they are
   * settled only when they are asked, as a packet may have no connection there in spite of what is known.
   */
  private conjoin(steps: readonly Step[], untracked: boolean): readonly Step[] {
    const joined: Step[] = [];
    let set: DiagramNode = ALL;
    let open = untracked;
    for (const step of steps) {
      if (step.kind === "header") {
        set = this.space.diagrams.and(open ? step.set : this.settle(step.set), set);
        continue;
      }
      open ||= step.kind === "notrack";
      if (set !== ALL) joined.push({ kind: "header", set });
      set = ALL;
      joined.push(step);
    }
    if (set !== ALL) joined.push({ kind: "header", set });
    return joined;
  }

  /** Carries out one step; gives what goes on with the next one. */
  private take(step: Step, flock: Flock, ways: Ways): readonly Flock[] {
    switch (step.kind) {
      case "header":
      case "mark":
      case "chance":
      case "unknown": {
        const set = this.setOf(step, flock, ways.chain);
        const asked = step.kind === "unknown" ? this.changed(flock, step) : flock;
        const failed = this.without(asked, set);
        if (failed !== undefined) ways.next.push(failed);
        return some(this.within(asked, set));
      }
      case "change":
        return [this.changed(flock, step)];
      case "choice":
        return this.part(step.branches(this.sight(flock, ways.chain)), flock, ways);
      case "assign": {
        const value = step.value(flock);
        return step.field === "mark" ? [{ ...flock, mark: value }] : this.setConnectionMark(flock, value);
      }
      case "set-mark": {
        const keep = ~step.clear >>> 0;
        if (step.field === "mark") return [{ ...flock, mark: changeMark(flock.mark, keep, step.xor) }];
        return this.setConnectionMark(flock, changeMark(flock.ctmark, keep, step.xor));
      }
      case "copy-mark": {
        const saved = changeMark(flock.mark, step.nfmask, 0);
        const kept = changeMark(flock.ctmark, ~step.ctmask >>> 0, 0);
        if (step.direction === "save") return this.setConnectionMark(flock, xorMarks(kept, saved));
        const restored = xorMarks(
          changeMark(flock.mark, ~step.nfmask >>> 0, 0),
          changeMark(flock.ctmark, step.ctmask, 0),
        );
        return this.ifMarked(flock, (marked) => ({ ...marked, mark: restored }));
      }
      case "notrack": {
        const unseen = this.space.connection("none", "invalid");
        const first = this.within(flock, unseen);
        return [...(first === undefined ? [] : [{ ...first, notrack: true }]), ...some(this.without(flock, unseen))];
      }
      case "continue":
        ways.next.push(flock);
        return [];
      case "return":
        ways.through.push(flock);
        return [];
      case "jump":
        ways.next.push(...this.enter(step.chain, flock, ways));
        return [];
      case "goto":
        ways.through.push(...this.enter(step.chain, flock, ways));
        return [];
      case "end":
        this.end(step.end, flock, ways.parts);
        return [];
    }
  }

  private sight({ mark, ctmark, entered }: Flock, chain: number): Sight {
    return { mark, ctmark, visit: this.lists.count(entered, String(chain)) - 1 };
  }

  /** Parts a flock by branches; what is in none of them fails the rule. */
  private part({ list, all }: Branches, flock: Flock, ways: Ways): readonly Flock[] {
    const failed = this.without(flock, all);
    if (failed !== undefined) ways.next.push(failed);
    const on: Flock[] = [];
    const held = this.held.length;
    this.held.push(
      list.map(({ set }) => set),
      [flock],
      on,
    );
    for (const { set, steps } of list) {
      const come = this.within(flock, set);
      if (come !== undefined) on.push(...this.carryOut(steps, come, ways));
    }
    this.held.length = held;
    return on;
  }

  /** A translation to a port is one for packets that have ports. */
  private end(end: End, flock: Flock, parts: DiagramNode[]): void {
    if (end.kind !== "dnat" || end.to.ports === undefined) return this.leave(flock, end, parts);
    const { ports: _ports, ...portless } = end.to;
    const [ported, other] = [this.within(flock, this.reader.ported), this.without(flock, this.reader.ported)];
    if (ported !== undefined) this.leave(ported, end, parts);
    if (other !== undefined) this.leave(other, { kind: "dnat", to: portless }, parts);
  }

  private leave({ packets, mark, ctmark, notrack, changes }: Flock, end: End, parts: DiagramNode[]): void {
    this.classes++;
    const exit = this.exits.terminal({ end, mark, ctmark, notrack, changes: this.lists.read(changes) });
    parts.push(this.space.diagrams.choose(packets, exit, NOTHING));
  }

  private changed(flock: Flock, { rule, statement }: { readonly rule: number; readonly statement: number }): Flock {
    return { ...flock, changes: this.lists.add(flock.changes, `${rule}.${statement}`) };
  }

  private setConnectionMark(flock: Flock, ctmark: Mark): readonly Flock[] {
    return this.ifMarked(flock, (marked) => ({
      ...marked,
      ctmark,
      changes: this.lists.add(marked.changes, JSON.stringify(ctmark)),
    }));
  }

  /** Changes a packet whose connection has a mark; others stay as they are. */
  private ifMarked(flock: Flock, change: (marked: Flock) => Flock): readonly Flock[] {
    const marked = this.within(flock, this.reader.marked);
    return [...(marked === undefined ? [] : [change(marked)]), ...some(this.without(flock, this.reader.marked))];
  }

  private setOf(test: Test, flock: Flock, chain: number): DiagramNode {
    const { space } = this;
    switch (test.kind) {
      case "header":
        return flock.notrack ? space.assuming(test.set, "untracked") : test.set;
      case "mark": {
        const mark = test.field === "mark" ? flock.mark : flock.ctmark;
        const equal = markEquals(space, mark, test.value, test.mask);
        const holds = test.negate ? space.diagrams.not(equal) : equal;
        return test.field === "mark" ? holds : space.diagrams.and(this.reader.marked, holds);
      }
      case "chance": {
        if (test.threshold <= 0 || test.threshold >= 2 ** 31)
          return test.threshold <= 0 === test.negate ? ALL : NOTHING;
        const visit = this.lists.count(flock.entered, String(chain));
        const drawn = space.bit(drawName(test.rule, visit - 1, test.ordinal, test.threshold));
        return test.negate ? space.diagrams.not(drawn) : drawn;
      }
      case "unknown": {
        const visit = this.lists.count(flock.entered, String(chain));
        return space.bit(`unknown ${test.rule} ${test.statement} ${visit - 1}`);
      }
    }
  }

  /** What remains of a set among the packets on the way. */
  private settle(set: DiagramNode): DiagramNode {
    return this.deepest < 0 ? set : this.space.diagrams.settle(set, this.known, this.deepest);
  }

  private within(flock: Flock, whole: DiagramNode): Flock | undefined {
    const set = this.settle(whole);
    if (set === ALL) return flock;
    const packets = this.space.diagrams.and(flock.packets, set);
    return packets === NOTHING ? undefined : packets === flock.packets ? flock : { ...flock, packets };
  }

  private without(flock: Flock, whole: DiagramNode): Flock | undefined {
    const set = this.settle(whole);
    if (set === ALL) return undefined;
    const packets = this.space.diagrams.minus(flock.packets, set);
    return packets === NOTHING ? undefined : packets === flock.packets ? flock : { ...flock, packets };
  }

  /** Flocks that are alike become one. */
  private merge(flocks: readonly Flock[]): readonly Flock[] {
    if (flocks.length < 2) return flocks;
    const known = new Map<string, Flock>();
    for (const flock of flocks) {
      const key = keyOf(flock);
      const same = known.get(key);
      known.set(
        key,
        same === undefined ? flock : { ...same, packets: this.space.diagrams.or(same.packets, flock.packets) },
      );
    }
    return [...known.values()];
  }

  private *inUse(): Iterable<DiagramNode> {
    for (const list of this.held) for (const item of list) yield typeof item === "number" ? item : item.packets;
    for (const { through, parts, from } of this.runs.values()) {
      for (const flock of through) yield flock.packets;
      yield* parts;
      yield from;
    }
    yield* this.reader.sets();
  }
}

/** All that tells flocks apart besides their packets. */
function keyOf({ mark, ctmark, notrack, changes, entered }: Flock): string {
  return `${mark.ofMark} ${mark.ofCtmark} ${mark.flip} ${ctmark.ofMark} ${ctmark.ofCtmark} ${ctmark.flip} ${notrack} ${changes} ${entered}`;
}

/** The name of the bit "this draw is below the threshold". */
export function drawName(rule: number, visit: number, ordinal: number, threshold: number): string {
  return `draw ${rule} ${visit} ${ordinal} ${threshold}`;
}

function some(flock: Flock | undefined): readonly Flock[] {
  return flock === undefined ? [] : [flock];
}

/** Lists by number, each one more word than another; 0 is the empty one. Equal lists have equal numbers. */
class Lists {
  private readonly numbers = new Map<string, number>();
  private readonly before: number[] = [0];
  private readonly words: string[] = [""];

  add(list: number, word: string): number {
    const key = `${list} ${word}`;
    let number = this.numbers.get(key);
    if (number === undefined) {
      this.numbers.set(key, (number = this.before.push(list) - 1));
      this.words.push(word);
    }
    return number;
  }

  read(list: number): string[] {
    const words: string[] = [];
    for (let at = list; at !== 0; at = this.before[at]!) words.push(this.words[at]!);
    return words.reverse();
  }

  /** How often a word stands in a list. */
  count(list: number, word: string): number {
    let count = 0;
    for (let at = list; at !== 0; at = this.before[at]!) if (this.words[at] === word) count++;
    return count;
  }
}
