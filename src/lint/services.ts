/** The parts of a rule set that kube-proxy writes for services, as checks look at them. */
import { formatEndpoint } from "../packet/address.js";
import { translationOf } from "../kube/read-endpoints.js";
import { type Frontend, frontendsOf } from "../kube/read-frontends.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Rule, Statement } from "../ruleset/types.js";

/** A rule that picks packets to a service, with its place. */
export interface PlacedFrontend extends Frontend {
  readonly at: ResolvedRule;
}

/** The frontends of each nat table, with those that refuse in its filter table. */
export function frontendsByTable(resolved: ResolvedRuleSet): PlacedFrontend[][] {
  const { tables } = resolved.ruleset;
  return tables
    .filter((table) => table.name === "nat")
    .map((nat) => {
      const filter = tables.find((table) => table.name === "filter" && table.family === nat.family);
      const places = new Map<Rule, ResolvedRule>();
      for (const name of ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES"])
        for (const table of filter === undefined ? [nat] : [nat, filter])
          for (const rule of resolved.findChain(table, name)?.rules ?? []) places.set(rule.rule, rule);
      return frontendsOf(nat, filter).map((frontend) => ({ ...frontend, at: places.get(frontend.rule)! }));
    });
}

/** A rule of a choice: it takes threshold / 2^31 of the packets that come to it. */
export interface ChoiceRule {
  readonly at: ResolvedRule;
  readonly threshold: number;
}

const CHOICE = /^KUBE-(SVC|SVL|XLB)-/;
const ENDPOINT = "KUBE-SEP-";

/**
 * The rules by which a KUBE-SVC, SVL or XLB chain chooses among endpoints, without those of session affinity. Undefined for other chains,
 * and where such a rule asks for something else besides a draw.
 */
export function choiceOf(chain: ResolvedChain): ChoiceRule[] | undefined {
  if (!CHOICE.test(chain.name)) return undefined;
  const choice: ChoiceRule[] = [];
  for (const at of chain.rules) {
    const { statements } = at.rule;
    const last = statements[statements.length - 1];
    if ((last?.kind !== "jump" && last?.kind !== "goto") || !last.chain.startsWith(ENDPOINT)) continue;
    if (statements.some((one) => one.kind === "recent")) continue;
    const threshold = thresholdOf(statements.slice(0, -1));
    if (threshold === undefined) return undefined;
    choice.push({ at, threshold });
  }
  return choice;
}

const ALWAYS = 2 ** 31;

/** Of matches that are at most one draw and comments. */
function thresholdOf(matches: readonly Statement[]): number | undefined {
  let threshold = ALWAYS;
  for (const match of matches) {
    if (match.kind === "comment") continue;
    if (match.kind !== "random" || threshold !== ALWAYS) return undefined;
    threshold = match.negate ? ALWAYS - match.threshold : match.threshold;
  }
  return threshold;
}

/** The endpoint a rule leads to as `ip:port`, or the name of its chain where that is not shown. */
export function endpointOf(rule: ResolvedRule): string {
  const last = rule.rule.statements[rule.rule.statements.length - 1];
  const name = last?.kind === "jump" || last?.kind === "goto" ? last.chain : rule.chain.name;
  const { address, port } = translationOf(rule.target?.chain);
  return address === undefined || port === undefined ? name : formatEndpoint(address, port);
}
