/** Rules that take packets away, found by what later rules ask for. */
import { type Head, headOf, isExact } from "../engine/compile/head.js";
import { addressWords } from "../packet/address.js";
import type { ResolvedRule } from "../ruleset/resolve.js";
import { type Fact, implies } from "./facts.js";

/** A rule that takes away all packets of which its facts hold. */
export interface Taker {
  readonly rule: ResolvedRule;
  readonly facts: readonly Fact[];
  /** Set where its facts hold only until something changes: the number of changes before it. */
  readonly epoch: number | undefined;
}

/** What is known of the packets that match a rule. */
export interface Asked {
  readonly head: Head;
  readonly facts: () => readonly Fact[];
}

/** Takers of one kind of head are found by their constants; of those with equal constants only so many are tried. */
const MOST_TRIED = 200;
/** Kinds of heads in one chain. Real rules have a handful; what is beyond is not looked for. */
const MOST_KINDS = 64;

/**
 * The takers of a chain, found by the constants of their heads: one table for each combination of masks, as in tuple space search. A rule
 * that says by another kind of test (iprange) what a head says is not found.
 */
export class Takers {
  private readonly tables = new Map<string, { readonly shape: HeadShape; readonly byKey: Map<string, Taker[]> }>();

  add(taker: Taker): void {
    const head = headOf(taker.rule.rule);
    const shape: HeadShape = {
      src: head.src && addressWords(head.src.mask),
      dst: head.dst && addressWords(head.dst.mask),
      protocol: head.protocol !== 0,
      sport: isExact(head.sport),
      dport: isExact(head.dport),
    };
    const name = JSON.stringify(shape);
    let table = this.tables.get(name);
    if (table === undefined) {
      if (this.tables.size === MOST_KINDS) return;
      this.tables.set(name, (table = { shape, byKey: new Map() }));
    }
    const key = keyOf(head, shape)!;
    const same = table.byKey.get(key);
    if (same === undefined) table.byKey.set(key, [taker]);
    else same.push(taker);
  }

  /**
   * The rule that leaves nothing of what is asked to the rules from number `before` on; undefined where there is none, or none was found in
   * the tries allowed. Takers that hold only until something changes count in the epoch given, and not at all where none is.
   */
  find({ head, facts }: Asked, before: number, epoch: number | undefined): ResolvedRule | undefined {
    for (const { shape, byKey } of this.tables.values()) {
      const key = keyOf(head, shape);
      for (const taker of (key === undefined ? undefined : byKey.get(key))?.slice(0, MOST_TRIED) ?? []) {
        if (taker.rule.number >= before || (taker.epoch !== undefined && taker.epoch !== epoch)) continue;
        if (taker.facts.every((asked) => facts().some((one) => implies(one, asked)))) return taker.rule;
      }
    }
    return undefined;
  }
}

/** Which fields of a head take part in the key, and under which masks. */
interface HeadShape {
  readonly src: readonly number[] | undefined;
  readonly dst: readonly number[] | undefined;
  readonly protocol: boolean;
  readonly sport: boolean;
  readonly dport: boolean;
}

/** The constants of a head under a shape; undefined where the head leaves open what the shape asks for. */
function keyOf(head: Head, shape: HeadShape): string | undefined {
  let key = "";
  for (const end of ["src", "dst"] as const) {
    const mask = shape[end];
    if (mask === undefined) continue;
    const own = head[end];
    if (own === undefined) return undefined;
    const [value, ownMask] = [addressWords(own.value), addressWords(own.mask)];
    if (!mask.every((bits, i) => (ownMask[i]! & bits) >>> 0 === bits)) return undefined;
    key += `${mask.map((bits, i) => (value[i]! & bits) >>> 0).join(".")} `;
  }
  if (shape.protocol) {
    if (head.protocol === 0) return undefined;
    key += `${head.protocol} `;
  }
  for (const end of ["sport", "dport"] as const) {
    if (!shape[end]) continue;
    const range = head[end];
    if (!isExact(range)) return undefined;
    key += `${range[0]} `;
  }
  return key;
}
