/** The parts of a rule set that kube-proxy writes for services, as checks look at them. */
import { formatEndpoint } from "../packet/address.js";
import { choiceRules } from "../kube/choice-rules.js";
import { translationOf } from "../kube/read-endpoints.js";
import { type Frontend, frontendsOf } from "../kube/read-frontends.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Rule } from "../ruleset/types.js";

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

/** The rules by which a KUBE-SVC, SVL or XLB chain draws an endpoint; undefined where that is not all they ask for. */
export function choiceOf(chain: ResolvedChain): ChoiceRule[] | undefined {
  return choiceRules(chain.chain)?.draws.map(({ index, threshold }) => ({ at: chain.rules[index]!, threshold }));
}

/** The endpoint a rule leads to as `ip:port`, or the name of its chain where that is not shown. */
export function endpointOf(rule: ResolvedRule): string {
  const last = rule.rule.statements[rule.rule.statements.length - 1];
  const name = last?.kind === "jump" || last?.kind === "goto" ? last.chain : rule.chain.name;
  const { address, port } = translationOf(rule.target?.chain);
  return address === undefined || port === undefined ? name : formatEndpoint(address, port);
}
