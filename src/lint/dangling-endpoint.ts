import { translationOf } from "../kube/read-endpoints.js";
import { formatEndpoint } from "../packet/address.js";
import { chainPlace } from "./place.js";
import type { Check } from "./types.js";
import { isUnusedEndpoint } from "./unreachable-chain.js";

export const danglingEndpoint: Check = {
  code: "dangling-endpoint",
  summary: "A chain of an endpoint (KUBE-SEP, endpoint-) that no rule jumps to.",
  severity: "warning",
  find({ resolved, callers, isWhole }) {
    return resolved.chains
      .filter((chain) => isUnusedEndpoint(chain, callers[chain.id]!) && isWhole(chain.table))
      .map((chain) => {
        const { address, port } = translationOf(chain.chain);
        const endpoint = address === undefined || port === undefined ? "" : ` (${formatEndpoint(address, port)})`;
        return {
          code: "dangling-endpoint",
          severity: "warning",
          message: `no rule jumps to endpoint chain ${chain.name}${endpoint}: the endpoint gets no packets`,
          right: `a rule in the ${chain.name.startsWith("KUBE-") ? "KUBE-SVC" : "service-"} chain of its service, or no such chain (kube-proxy removes it at its next full sync)`,
          place: chainPlace(chain),
          related: [],
        };
      });
  },
};
