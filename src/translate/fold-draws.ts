import type { Chain, NumgenExpression, Rule, Verdict, VerdictMapDefinition } from "../ruleset/types.js";
import { oneOf } from "../kube/statements.js";
import { DRAW_RANGE } from "./matches.js";
import type { Names } from "./names.js";
import type { Reach } from "./reach.js";

/** Of a probability in v1.17 and later. */
const DECIMALS = 10;

/** A chain with its even choice as one draw. */
export interface FoldedDraws {
  readonly chain: Chain;
  /** What the draw is looked up in. */
  readonly map: VerdictMapDefinition | undefined;
  /** Rules that are in the choice now. */
  readonly folded: number;
}

/**
 * Folds the end of a chain that leads to one of n chains with equal chances (1/n, then 1/(n-1) of what is left, ..., the rest) into one draw
 * of n. The thresholds must be those 1/k is stored as, and a chain that is jumped to must not return: the next draw would follow.
 * The map has a name: the kernel looks for a free one among all anonymous maps before it, which takes minutes where they are ten thousand.
 */
export function foldDraws(chain: Chain, reach: Reach, names: Names): FoldedDraws {
  const { rules } = chain;
  const choices: Choice[] = [];
  for (let i = rules.length - 1; i >= 0; i--) {
    const choice = choiceOf(rules[i]!);
    const left = choices.length + 1;
    if (choice === undefined || !isShare(choice.threshold, left)) break;
    if (left > 1 && choice.verdict.kind === "jump" && !reach.decides(choice.verdict.chain)) break;
    choices.unshift(choice);
  }
  if (choices.length < 2) return { chain, map: undefined, folded: 0 };
  const draw: NumgenExpression = { kind: "numgen", mode: "random", mod: choices.length, offset: 0 };
  const map: VerdictMapDefinition = {
    name: names.fresh(`${chain.name}-choice`),
    type: ["integer"],
    typeof: [draw],
    flags: [],
    value: "verdict",
    elements: choices.map(({ verdict }, i) => ({ key: [[i, i]], verdict })),
  };
  const { span } = rules[rules.length - choices.length]!;
  const fold: Rule = {
    statements: [{ kind: "verdict-map", key: [draw], map: map.name }],
    ...(span === undefined ? {} : { span }),
  };
  const kept = rules.slice(0, -choices.length);
  return { chain: { ...chain, rules: [...kept, fold] }, map, folded: choices.length };
}

interface Choice {
  readonly threshold: number | undefined;
  readonly verdict: Extract<Verdict, { kind: "jump" | "goto" }>;
}

/** A rule that does nothing but draw, if that, and lead to a chain. */
function choiceOf({ statements }: Rule): Choice | undefined {
  const verdict = statements[statements.length - 1];
  if (verdict?.kind !== "jump" && verdict?.kind !== "goto") return undefined;
  const tests = statements.slice(0, -1).filter((one) => one.kind !== "comment");
  const [draw, second] = tests;
  if (draw === undefined) return { threshold: undefined, verdict };
  if (second !== undefined || draw.kind !== "random" || draw.negate) return undefined;
  return { threshold: draw.threshold, verdict };
}

/** Whether a threshold is what 1/n is stored as, exactly or by way of kube-proxy's ten decimals; without one, whether n is 1. */
function isShare(threshold: number | undefined, n: number): boolean {
  if (threshold === undefined) return n === 1;
  return n > 1 && (threshold === Math.round(DRAW_RANGE / n) || threshold === oneOf(n, DECIMALS).threshold);
}
