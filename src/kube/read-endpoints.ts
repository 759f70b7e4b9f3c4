import { type Address, formatAddress, sameAddress } from "../packet/address.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule, Statement } from "../ruleset/types.js";
import { parseSloppyAddress } from "./sloppy-address.js";

/** An endpoint a chain leads to. Address and port are undefined where a listing does not show its chain. */
export interface ReadEndpoint {
  readonly chain: string;
  readonly address: Address | undefined;
  readonly port: number | undefined;
  /** The address as the EndpointSlice spelled it, where a comment shows that this is not its canonical form: chains are hashed by it. */
  readonly spelled: string | undefined;
  /** Of its rule: it takes threshold / 2^31 of the packets that reach it; 2^31 where it has no draw. */
  readonly threshold: number;
  /** Of one draw for all (nftables mode): the numbers that lead to it, both ends included. */
  readonly numbers?: readonly [first: number, last: number];
  /** Its share of all packets that come to the choice: the exact product of the thresholds, or its part of the numbers, as a double. */
  readonly probability: number;
}

/** The endpoints a chain chooses among, in the order of its rules. */
export interface EndpointChoice {
  readonly endpoints: readonly ReadEndpoint[];
  /** Session affinity by client address, in seconds; 0: none. */
  readonly affinitySeconds: number;
  /** One number below this is drawn for all of them (nftables mode); thresholds say nothing then. */
  readonly mod?: number;
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
    const to = translationOf(chains.get(target));
    endpoints.push({ chain: target, ...to, spelled: spellingOf(rule, to.address), threshold, probability: share });
  }
  return { endpoints, affinitySeconds };
}

/** From the comment `name -> ip:port` or `name -> [ip]:port` (v1.24 and later). */
function spellingOf(rule: Rule, address: Address | undefined): string | undefined {
  const comment = rule.statements.find((one) => one.kind === "comment");
  const [, bracketed, plain] = / -> (?:\[([^\]]+)\]|([^:\s]+)):\d+$/.exec(comment?.text ?? "") ?? [];
  const text = bracketed ?? plain;
  if (text === undefined || address === undefined || text === formatAddress(address)) return undefined;
  const read = parseSloppyAddress(text);
  return read !== undefined && sameAddress(read, address) ? text : undefined;
}

/** Where the chain of an endpoint sends packets. */
export function translationOf(chain: Chain | undefined): { address: Address | undefined; port: number | undefined } {
  for (const rule of chain?.rules ?? []) {
    const dnat = rule.statements.find((one: Statement) => one.kind === "dnat");
    if (dnat !== undefined) return { address: dnat.to.addresses?.[0], port: dnat.to.ports?.[0] };
  }
  return { address: undefined, port: undefined };
}
