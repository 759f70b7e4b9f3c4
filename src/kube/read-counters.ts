import { formatEndpoint } from "../packet/address.js";
import type { RuleSet, Table } from "../ruleset/types.js";
import { shares } from "./choice-precision.js";
import { choiceRules } from "./choice-rules.js";
import type { CountedChoice } from "./counted-choice.js";
import { countedDraws } from "./nftables-mode/counted-draws.js";
import { translationOf } from "./read-endpoints.js";
import { frontendsOf } from "./read-frontends.js";

/** The counted choices of a rule set of kube-proxy, in the order of its chains. Undefined where its rules have no counters. */
export function countedChoices(ruleset: RuleSet): CountedChoice[] | undefined {
  const choices = ruleset.tables
    .map((table) => (table.name === "nat" ? countedRules(table) : countedDraws(table)))
    .filter((found) => found !== undefined);
  return choices.length === 0 ? undefined : choices.flat();
}

/** Of iptables mode: the counters of the rules that draw. */
function countedRules(nat: Table): CountedChoice[] | undefined {
  if (!nat.chains.some((chain) => chain.rules.some((rule) => rule.counters !== undefined))) return undefined;
  const chains = new Map(nat.chains.map((chain) => [chain.name, chain]));
  const labels = new Map(
    frontendsOf(nat, undefined).flatMap(({ chain, label }) => (chain ? [[chain.hash, label]] : [])),
  );
  return nat.chains.flatMap((chain): CountedChoice[] => {
    const choice = choiceRules(chain);
    if (choice === undefined || choice.draws.length === 0) return [];
    const parts = shares(choice.draws.map(({ threshold }) => threshold));
    const taken = parts.reduce((sum, part) => sum + part, 0);
    return [
      {
        chain: chain.name,
        service: labels.get(chain.name.slice("KUBE-SVC-".length)) ?? chain.name,
        local: !chain.name.startsWith("KUBE-SVC-"),
        endpoints: choice.draws.map(({ rule, target }, i) => {
          const { address, port } = translationOf(chains.get(target));
          const to = address === undefined || port === undefined ? target : formatEndpoint(address, port);
          // What reaches no rule of the choice is in no counter: shares are of what the rules took.
          return { to, share: taken === 0 ? 0 : parts[i]! / taken, packets: rule.counters?.packets ?? 0 };
        }),
        byAffinity: choice.affinity.reduce((sum, rule) => sum + (rule.counters?.packets ?? 0), 0),
        mixed: false,
      },
    ];
  });
}
