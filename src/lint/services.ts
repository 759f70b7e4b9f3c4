/** The parts of a rule set that kube-proxy writes for services, as checks look at them. */
import { formatEndpoint } from "../packet/address.js";
import { numberOf } from "../kube/nftables-mode/read-draw.js";
import { isProxyTable } from "../kube/nftables-mode/read-services.js";
import { choiceRules } from "../kube/choice-rules.js";
import { translationOf } from "../kube/read-endpoints.js";
import { type Frontend, frontendsOf } from "../kube/read-frontends.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Rule } from "../ruleset/types.js";
import { type Place, placeOf } from "./place.js";

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

/** An element of kube-proxy's nftables maps that refuses packets, with the rule that looks it up. */
export interface PlacedRefusal {
  readonly label: string;
  readonly protocol: number;
  readonly refused: "reject" | "drop";
  readonly place: Place;
}

/** The destinations that each kube-proxy table of nftables refuses. */
export function refusalsByTable(resolved: ResolvedRuleSet): PlacedRefusal[][] {
  return resolved.ruleset.tables.filter(isProxyTable).map((table) =>
    [
      ["service-endpoints-check", "no-endpoint-services"] as const,
      ["nodeport-endpoints-check", "no-endpoint-nodeports"] as const,
    ].flatMap(([chain, map]) => {
      const rule = resolved.findChain(table, chain)?.rules[0];
      const elements = resolved.findMap(table, map)?.elements ?? [];
      if (rule === undefined) return [];
      return elements.flatMap((element): PlacedRefusal[] => {
        if (!("verdict" in element) || element.comment === undefined) return [];
        const protocol = numberOf(element.key[element.key.length - 2]) ?? 0;
        const refused = element.verdict.kind === "drop" ? "drop" : "reject";
        const place = { ...placeOf(rule), ...(element.span === undefined ? {} : { span: element.span }) };
        return [{ label: element.comment, protocol, refused, place }];
      });
    }),
  );
}

/** The endpoint a rule leads to as `ip:port`, or the name of its chain where that is not shown. */
export function endpointOf(rule: ResolvedRule): string {
  const last = rule.rule.statements[rule.rule.statements.length - 1];
  const name = last?.kind === "jump" || last?.kind === "goto" ? last.chain : rule.chain.name;
  const { address, port } = translationOf(rule.target?.chain);
  return address === undefined || port === undefined ? name : formatEndpoint(address, port);
}
