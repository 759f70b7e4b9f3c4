import { decimalsOf, largestBias, shareLeft, shares } from "../kube/choice-precision.js";
import { placeOf } from "./place.js";
import { unevenDraws } from "./uneven-draw.js";
import { choiceOf, type ChoiceRule, endpointOf } from "./services.js";
import type { Check, Finding } from "./types.js";

/** A bias that connections of a day could show: 0.1 % (n = 320 with five decimals). */
const NOTICEABLE = 0.001;
const ALWAYS = 2 ** 31;

export const unevenChoice: Check = {
  code: "uneven-choice",
  summary: "A service whose endpoints do not all get the same share of its connections.",
  severity: "error",
  find({ resolved, frontends }) {
    const labels = new Map(frontends.flat().flatMap(({ chain, label }) => (chain ? [[chain.hash, label]] : [])));
    const ofRules = resolved.chains.flatMap((chain) => {
      const choice = choiceOf(chain);
      if (choice === undefined || choice.length === 0) return [];
      const found = judge(choice);
      if (found === undefined) return [];
      const { at, ...rest } = found;
      const label = labels.get(chain.name.slice("KUBE-SVC-".length));
      const message = `${chain.name}${label === undefined ? "" : ` (${label})`}: ${rest.message}`;
      return [{ code: "uneven-choice", related: [], ...rest, message, place: placeOf(at) }];
    });
    return [...ofRules, ...unevenDraws(resolved)];
  },
};

type Judgement = Pick<Finding, "severity" | "message" | "right"> & { readonly at: ChoiceRule["at"] };

function judge(choice: readonly ChoiceRule[]): Judgement | undefined {
  const thresholds = choice.map((rule) => rule.threshold);
  const twice = repeated(choice);
  const decimals = decimalsOf(thresholds);
  if (decimals !== undefined && twice === undefined) return decimals === 10 ? undefined : fiveDecimals(choice);
  const left = shareLeft(thresholds);
  const cause = twice === undefined ? causeOf(choice) : `${twice.name} is listed twice`;
  return {
    severity: left > 0 ? "error" : "warning",
    message: `${cause === undefined ? "the probabilities are not those of an even choice" : cause}; ${spread(choice, left)}`,
    right: rightSequence(new Set(choice.map((rule) => rule.at.target?.id ?? rule.at.id)).size),
    at: twice?.at ?? firstWrong(choice),
  };
}

/** kube-proxy's own rounding: right in form, uneven in effect where there are hundreds of endpoints. */
function fiveDecimals(choice: readonly ChoiceRule[]): Judgement {
  const bias = largestBias(shares(choice.map((rule) => rule.threshold)));
  return {
    severity: bias < NOTICEABLE ? "info" : "warning",
    message: `probabilities of five decimals, as kube-proxy v1.16 and older wrote them (until October 2019): the largest deviation from 1/${choice.length} is ${percent(bias)}`,
    right: "ten decimals, as kube-proxy v1.17 and newer write them",
    at: choice[0]!.at,
  };
}

/** What is wrong, where one of the usual mistakes explains it. */
function causeOf(choice: readonly ChoiceRule[]): string | undefined {
  const n = choice.length;
  const thresholds = choice.map((rule) => rule.threshold);
  const drawn = thresholds[n - 1] === ALWAYS ? thresholds.slice(0, -1) : thresholds;
  const isAbout = (threshold: number, left: number): boolean =>
    Math.abs(threshold * left - ALWAYS) <= 2e-5 * left * ALWAYS;
  if (n > 1 && drawn.length > 0 && drawn.every((threshold) => isAbout(threshold, n)))
    return `every rule has probability 1/${n}, but a rule only sees the packets that the rules before it left: probabilities are of what is left, not of all`;
  // How many endpoints each rule takes itself to be one of.
  const claims = thresholds.map((threshold) => (threshold === 0 ? Infinity : Math.round(ALWAYS / threshold)));
  if (claims.some((claim, i) => !isAbout(thresholds[i]!, claim))) return undefined;
  const sorted = [...claims].sort((a, b) => b - a);
  if (sorted.every((claim, i) => claim === n - i)) return "the rules stand in the wrong order";
  const always = claims.indexOf(1);
  if (always >= 0 && always < n - 1)
    return `rule ${choice[always]!.at.number} has no draw, so the ${n - 1 - always === 1 ? "rule" : `${n - 1 - always} rules`} behind it never match`;
  if (claims.every((claim, i) => i === 0 || claim < claims[i - 1]!)) {
    const missing = claims[0]! - n;
    const rules = missing === 1 ? "a rule is" : `${missing} rules are`;
    return `${rules} missing: the first rule takes 1/${claims[0]}, but ${n === 1 ? "it is the only one" : `there are only ${n}`}`;
  }
  return undefined;
}

/** The first rule whose draw is not 1 / (rules left). */
function firstWrong(choice: readonly ChoiceRule[]): ChoiceRule["at"] {
  const wrong = choice.find(({ threshold }, i) => Math.abs(threshold * (choice.length - i) - ALWAYS) > 2e-5 * ALWAYS);
  return wrong?.at ?? choice[0]!.at;
}

/** An endpoint that two rules of the choice lead to. */
function repeated(choice: readonly ChoiceRule[]): { readonly name: string; readonly at: ChoiceRule["at"] } | undefined {
  const seen = new Set<number>();
  for (const { at } of choice) {
    if (at.target === undefined) continue;
    if (seen.has(at.target.id)) return { name: endpointOf(at), at };
    seen.add(at.target.id);
  }
  return undefined;
}

/** Who gets most and least, and what is lost. */
function spread(choice: readonly ChoiceRule[], left: number): string {
  const parts = new Map<string, number>();
  shares(choice.map((rule) => rule.threshold)).forEach((share, i) => {
    const name = endpointOf(choice[i]!.at);
    parts.set(name, (parts.get(name) ?? 0) + share);
  });
  const byShare = [...parts].sort((a, b) => b[1] - a[1]);
  const [most, least] = [byShare[0]!, byShare[byShare.length - 1]!];
  const lost = left > 0 ? [`${percent(left)} of the connections get no endpoint at all`] : [];
  const uneven = byShare.length > 1 ? [`${most[0]} gets ${percent(most[1])}, ${least[0]} ${percent(least[1])}`] : [];
  return [...uneven, ...lost].join("; ");
}

function rightSequence(n: number): string {
  if (n === 1) return "one rule, without a draw";
  const first = n <= 5 ? Array.from({ length: n - 1 }, (_, i) => `1/${n - i}`) : [`1/${n}`, `1/${n - 1}`, "...", "1/2"];
  return `probabilities ${first.join(", ")}, and no draw in the last rule`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
