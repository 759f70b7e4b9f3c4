import type { ResolvedChain } from "../ruleset/resolve.js";
import { chainPlace, placeOf } from "./place.js";
import type { Subject } from "./subject.js";
import type { Check, Finding } from "./types.js";

/** Chains that exist to translate or let through. */
const SERVICE = /^KUBE-(SVC|SVL|XLB|EXT|FW|SEP)-/;
/** Empty until there is something for them, by design: kube-proxy's, kubelet's and docker's. */
const BY_DESIGN =
  /^(KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL|FIREWALL|FORWARD|POSTROUTING|NODE-PORT|IPVS-FILTER|IPVS-OUT-FILTER|MARK-DROP)|DOCKER(-.*)?)$/;

export const chainWithoutVerdict: Check = {
  code: "chain-without-verdict",
  summary: "A jump to a chain that never gives a verdict and changes nothing.",
  severity: "error",
  find(subject) {
    const { resolved, callers, reached } = subject;
    return resolved.chains
      .filter((chain) => chain.base === undefined && reached[chain.id] === 1 && callers[chain.id]!.length > 0)
      .flatMap((chain) => (SERVICE.test(chain.name) ? service(chain, subject) : other(chain, subject)));
  },
};

/** A chain of a service must decide. Where one it leads to fails to, that one is named. */
function service(chain: ResolvedChain, { traits, callers }: Subject): Finding[] {
  if (traits[chain.id]!.decides) return [];
  if (chain.rules.some((rule) => rule.target !== undefined && SERVICE.test(rule.target.name))) return [];
  const isEndpoint = chain.name.startsWith("KUBE-SEP-");
  return [
    {
      code: "chain-without-verdict",
      severity: "error",
      message: `chain ${chain.name} ${isEndpoint ? "translates no packet" : "leads to no endpoint"}: packets to its service go on as if there were no service`,
      right: isEndpoint ? "a DNAT rule to the endpoint" : "a rule for each endpoint, or a REJECT where there is none",
      place: chainPlace(chain),
      related: callers[chain.id]!.slice(0, 3).map((rule) => ({ ...placeOf(rule), message: "jumps to it" })),
    },
  ];
}

function other(chain: ResolvedChain, { traits, callers }: Subject): Finding[] {
  if (traits[chain.id]!.acts || BY_DESIGN.test(chain.name)) return [];
  const what = chain.rules.length === 0 ? "is empty" : "gives no verdict and changes nothing";
  return [
    {
      code: "chain-without-verdict",
      severity: "info",
      message: `chain ${chain.name} ${what}: a jump to it has no effect`,
      right: "rules in it, or no jump to it (an empty chain may be kept for rules to come)",
      place: placeOf(callers[chain.id]![0]!),
      related: [{ ...chainPlace(chain), message: "the chain" }],
    },
  ];
}
