import { type Address, formatEndpoint } from "../packet/address.js";
import type { RuleSet } from "../ruleset/types.js";
import { choiceRules } from "./choice-rules.js";
import { translationOf } from "./read-endpoints.js";
import { frontendsOf } from "./read-frontends.js";

/** The picks that a chain which chooses among endpoints has made, by the counters of its rules. */
export interface CountedChoice {
  /** `KUBE-SVC-...` */
  readonly chain: string;
  /** The service port name, or the name of the chain where no comment tells. */
  readonly service: string;
  /** `SVL` and `XLB` choose among the endpoints of this node. */
  readonly local: boolean;
  readonly endpoints: readonly CountedEndpoint[];
  /** First packets that session affinity led to the endpoint they had: they were not drawn. */
  readonly byAffinity: number;
}

export interface CountedEndpoint {
  /** `ip:port`, or the name of its chain where that is not shown. */
  readonly to: string;
  readonly address: Address | undefined;
  /** Of its rule: it takes threshold / 2^31 of the packets that come to it. */
  readonly threshold: number;
  /** Packets its rule matched: first packets of connections, as the nat chains see no others. */
  readonly packets: number;
}

/** The counted choices of a rule set in iptables mode, in the order of its chains. Undefined where its rules have no counters at all. */
export function countedChoices(ruleset: RuleSet): CountedChoice[] | undefined {
  let counted = false;
  const choices: CountedChoice[] = [];
  for (const nat of ruleset.tables) {
    if (nat.name !== "nat") continue;
    const chains = new Map(nat.chains.map((chain) => [chain.name, chain]));
    const labels = new Map(
      frontendsOf(nat, undefined).flatMap(({ chain, label }) => (chain ? [[chain.hash, label]] : [])),
    );
    for (const chain of nat.chains) {
      counted ||= chain.rules.some((rule) => rule.counters !== undefined);
      const choice = choiceRules(chain);
      if (choice === undefined || choice.draws.length === 0) continue;
      choices.push({
        chain: chain.name,
        service: labels.get(chain.name.slice("KUBE-SVC-".length)) ?? chain.name,
        local: !chain.name.startsWith("KUBE-SVC-"),
        endpoints: choice.draws.map(({ rule, target, threshold }) => {
          const { address, port } = translationOf(chains.get(target));
          const to = address === undefined || port === undefined ? target : formatEndpoint(address, port);
          return { to, address, threshold, packets: rule.counters?.packets ?? 0 };
        }),
        byAffinity: choice.affinity.reduce((sum, rule) => sum + (rule.counters?.packets ?? 0), 0),
      });
    }
  }
  return counted ? choices : undefined;
}
