import type { Chain, Rule, Statement } from "../ruleset/types.js";

/** A rule by which a chain chooses an endpoint: it takes threshold / 2^31 of the packets that come to it. */
export interface ChoiceRule {
  readonly rule: Rule;
  /** Its place in the chain, from 0. */
  readonly index: number;
  /** The KUBE-SEP chain it leads to. */
  readonly target: string;
  readonly threshold: number;
}

/** How a KUBE-SVC, SVL or XLB chain chooses among endpoints. */
export interface ChoiceRules {
  readonly draws: readonly ChoiceRule[];
  /** The rules of session affinity before them: they lead a client to the endpoint it had. */
  readonly affinity: readonly Rule[];
}

const CHOICE = /^KUBE-(SVC|SVL|XLB)-/;
const ALWAYS = 2 ** 31;

/** The choice of a chain; undefined for other chains, and where a rule that leads to an endpoint asks for something else besides a draw. */
export function choiceRules(chain: Chain): ChoiceRules | undefined {
  if (!CHOICE.test(chain.name)) return undefined;
  const draws: ChoiceRule[] = [];
  const affinity: Rule[] = [];
  for (const [index, rule] of chain.rules.entries()) {
    const { statements } = rule;
    const last = statements[statements.length - 1];
    if ((last?.kind !== "jump" && last?.kind !== "goto") || !last.chain.startsWith("KUBE-SEP-")) continue;
    if (statements.some((one) => one.kind === "recent")) {
      affinity.push(rule);
      continue;
    }
    const threshold = thresholdOf(statements.slice(0, -1));
    if (threshold === undefined) return undefined;
    draws.push({ rule, index, target: last.chain, threshold });
  }
  return { draws, affinity };
}

/** Of matches that are at most one draw and comments. */
function thresholdOf(matches: readonly Statement[]): number | undefined {
  let threshold: number | undefined;
  for (const match of matches) {
    if (match.kind === "comment") continue;
    if (match.kind !== "random" || threshold !== undefined) return undefined;
    threshold = match.negate ? ALWAYS - match.threshold : match.threshold;
  }
  return threshold ?? ALWAYS;
}
