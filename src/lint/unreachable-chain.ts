import type { ResolvedChain } from "../ruleset/resolve.js";
import { chainPlace, placeOf } from "./place.js";
import type { Check } from "./types.js";

/** Static chains of kube-proxy's nftables mode, which services jump to where there are such. */
const BY_DESIGN_NFT = /^(reject-chain|mark-for-masquerade)$/;

/** Chains that stand there without a jump by design: kube-proxy and kubelet look whether they were flushed; kubelet marks its iptables version; other components jump to the last two. */
const BY_DESIGN = /^KUBE-(PROXY-CANARY|KUBELET-CANARY|IPTABLES-HINT|MARK-DROP|MARK-MASQ)$/;

export const unreachableChain: Check = {
  code: "unreachable-chain",
  summary: "A chain that no packet can enter.",
  severity: "warning",
  find({ resolved, reached, callers, isWhole, shadows }) {
    return resolved.chains
      .filter((chain) => reached[chain.id] === 0 && isWhole(chain.table) && !isByDesign(chain))
      .filter((chain) => !isUnusedEndpoint(chain, callers[chain.id]!))
      .map((chain) => {
        const by = callers[chain.id]!;
        const dead = by.filter((rule) => shadows.has(rule.id)).length;
        const why =
          by.length === 0
            ? "no rule jumps to it"
            : dead === by.length
              ? "the rules that jump to it never match"
              : "only chains that no packet enters jump to it";
        return {
          code: "unreachable-chain",
          severity: chain.rules.length === 0 ? "info" : "warning",
          message: `no packet enters chain ${chain.name}: ${why}`,
          right:
            chain.rules.length === 0
              ? "an empty chain that is not used does no harm; otherwise remove it"
              : "a jump from a chain that is reached, or no such chain",
          place: chainPlace(chain),
          related: by.slice(0, 3).map((rule) => ({ ...placeOf(rule), message: "the jump to it" })),
        };
      });
  },
};

function isByDesign({ name, table }: ResolvedChain): boolean {
  return BY_DESIGN.test(name) || (table.name === "kube-proxy" && BY_DESIGN_NFT.test(name));
}

/** Left to the check of endpoints. */
export function isUnusedEndpoint({ name, table, rules }: ResolvedChain, callers: readonly unknown[]): boolean {
  if (callers.length > 0) return false;
  // kube-proxy's nftables mode empties a chain first, and removes it a second later.
  return (
    name.startsWith("KUBE-SEP-") || (table.name === "kube-proxy" && name.startsWith("endpoint-") && rules.length > 0)
  );
}
