import type { Address } from "../packet/address.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Statement } from "../ruleset/types.js";

/** An endpoint a chain leads to. Address and port are undefined where a listing does not show its chain. */
export interface ReadEndpoint {
  readonly chain: string;
  readonly address: Address | undefined;
  readonly port: number | undefined;
  /** Of its rule: it takes threshold / 2^31 of the packets that reach it; 2^31 where it has no draw. */
  readonly threshold: number;
  /** Its share of all packets that come to the choice: the exact product of the thresholds, as a double. */
  readonly probability: number;
}

/** The endpoints a chain chooses among, in the order of its rules. */
export interface EndpointChoice {
  readonly endpoints: readonly ReadEndpoint[];
  /** Session affinity by client address, in seconds; 0: none. */
  readonly affinitySeconds: number;
}

const ALWAYS = 2 ** 31;

/** Reads KUBE-SVC, KUBE-SVL or KUBE-XLB: the rules that lead to KUBE-SEP chains, by affinity or by draw. */
export function readChoice(chain: Chain, chains: ReadonlyMap<string, Chain>): EndpointChoice {
  const endpoints: ReadEndpoint[] = [];
  let affinitySeconds = 0;
  let left = 1;
  for (const rule of chain.rules) {
    const target = jumpOf(rule)?.chain;
    if (target === undefined || !target.startsWith("KUBE-SEP-")) continue;
    const recent = rule.statements.find((one) => one.kind === "recent");
    if (recent !== undefined) {
      affinitySeconds = recent.seconds ?? 0;
      continue;
    }
    const random = rule.statements.find((one) => one.kind === "random");
    const threshold = random?.threshold ?? ALWAYS;
    const share = left * (threshold / ALWAYS);
    left -= share;
    endpoints.push({ chain: target, ...translationOf(chains.get(target)), threshold, probability: share });
  }
  return { endpoints, affinitySeconds };
}

/** Where the chain of an endpoint sends packets. */
function translationOf(chain: Chain | undefined): { address: Address | undefined; port: number | undefined } {
  for (const rule of chain?.rules ?? []) {
    const dnat = rule.statements.find((one: Statement) => one.kind === "dnat");
    if (dnat !== undefined) return { address: dnat.to.addresses?.[0], port: dnat.to.ports?.[0] };
  }
  return { address: undefined, port: undefined };
}
