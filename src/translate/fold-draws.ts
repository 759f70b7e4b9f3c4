import type { Chain, MapElement, Rule, Verdict } from "../ruleset/types.js";
import { oneOf } from "../kube/statements.js";
import { DRAW_RANGE } from "./matches.js";
import type { Reach } from "./reach.js";

/** Of a probability in v1.17 and later. */
const DECIMALS = 10;

/** A chain whose rules end in an even choice, with the choice as one draw. */
export interface FoldedDraws {
  readonly rules: readonly Rule[];
  /** Rules that are in the choice now. */
  readonly folded: number;
}

/**
 * Folds the end of a chain that leads to one of n chains with equal chances (1/n, then 1/(n-1) of what is left, ..., the rest) into one draw
 * of n. The thresholds must be those 1/k is stored as, and a chain that is jumped to must not return: the next draw would follow.
 */
export function foldDraws(rules: readonly Rule[], reach: Reach): FoldedDraws {
  const last = rules[rules.length - 1];
  if (last === undefined || choiceOf(last)?.threshold !== undefined) return { rules, folded: 0 };
  const choices: Choice[] = [];
  for (let i = rules.length - 1; i >= 0; i--) {
    const choice = choiceOf(rules[i]!);
    const left = choices.length + 1;
    if (choice === undefined || !isShare(choice.threshold, left)) break;
    if (left > 1 && choice.verdict.kind === "jump" && !reach.decides(choice.verdict.chain)) break;
    choices.unshift(choice);
  }
  if (choices.length < 2) return { rules, folded: 0 };
  const map = choices.map(({ verdict }, i): MapElement => ({ key: [[i, i]], verdict }));
  const draw = { kind: "numgen", mode: "random", mod: choices.length, offset: 0 } as const;
  const { span } = rules[rules.length - choices.length]!;
  const fold: Rule = {
    statements: [{ kind: "verdict-map", key: [draw], map }],
    ...(span === undefined ? {} : { span }),
  };
  return { rules: [...rules.slice(0, -choices.length), fold], folded: choices.length };
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

/** The chain with its even choice folded. */
export function foldChain(chain: Chain, reach: Reach): { chain: Chain; folded: number } {
  const { rules, folded } = foldDraws(chain.rules, reach);
  return { chain: folded === 0 ? chain : { ...chain, rules }, folded };
}
