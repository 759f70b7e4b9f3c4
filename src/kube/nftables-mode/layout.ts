import { error, type Problem, ProblemError, warning } from "../../ruleset/problem.js";
import type { BaseChain, ChainType, Hook } from "../../ruleset/types.js";
import { layoutOf as iptablesLayoutOf } from "../iptables-mode/layout.js";
import type { ServiceOptions } from "../services.js";

/**
 * How one generation of kube-proxy writes its nftables rules (pkg/proxy/nftables/proxier.go). A layout is data: each field is one
 * difference between versions, and the writers ask for it where it matters.
 */
export interface NftablesLayout {
  /** The version it is named by, for example `v1.30`. */
  readonly version: string;
  readonly services: ServiceOptions;
  /**
   * Where services without endpoints are refused: by the destination before DNAT (`pre-dnat`, priority -110), or after it
   * (`post-dnat`, priority 0; kubernetes/kubernetes#132456: v1.34, and v1.33.6).
   */
  readonly filter: "pre-dnat" | "post-dnat";
  /** The rule that masquerades traffic from outside the cluster tests the service's port too (until #131492, v1.34). */
  readonly masqueradeTestsPort: boolean;
  /** Interfaces are told by `iif`, which must exist when the rules are loaded, or by `iifname` (#134024: v1.35, v1.34.3, v1.33.7). */
  readonly interfaces: "iif" | "iifname";
  /** Marks and hairpin connections: by the chain mark-for-masquerade, or by mark statements and one set (#135800, #136499: v1.36). */
  readonly masquerade: "chain" | "hairpin-set";
  /** Which services have a chain for each endpoint: all, or only those with session affinity (v1.36). */
  readonly endpointChains: "all" | "affinity";
  /** A single endpoint is translated to without a map (after v1.36). */
  readonly directToOne: boolean;
  /** Elements of firewall-ips say their service in a comment (until v1.31; #126013). */
  readonly firewallComments: boolean;
  /** Two elements of one key and different verdicts: nft refuses all rules, or the later replaces the other (v1.32; #126013). */
  readonly replacesElements: boolean;
}

type Switches = Omit<NftablesLayout, "version" | "services">;

/** Generation A, as v1.30.3 wrote it (genuine dumps). */
const first: Switches = {
  filter: "pre-dnat",
  masqueradeTestsPort: true,
  interfaces: "iif",
  masquerade: "chain",
  endpointChains: "all",
  directToOne: false,
  firewallComments: true,
  replacesElements: false,
};

/** Generation B, from the source and tests of v1.34 and v1.35. */
const second: Switches = {
  ...first,
  filter: "post-dnat",
  masqueradeTestsPort: false,
  interfaces: "iifname",
  firewallComments: false,
  replacesElements: true,
};

/** Generation C, from a listing of v1.36.2 and descriptions: what masqueradeAll and external traffic policy Local look like in it is not verified. */
const third: Switches = { ...second, masquerade: "hairpin-set", endpointChains: "affinity" };

const OLDEST = 29;
const NEWEST_KNOWN = 36;

/** What changed in which patch release: the newest of a minor is meant where no patch is given. */
function switchesOf(minor: number, patch: number): Switches {
  if (minor <= 31) return first;
  const storing: Switches = { ...first, firewallComments: false, replacesElements: true };
  if (minor === 32) return storing;
  if (minor === 33)
    return {
      ...storing,
      filter: patch >= 6 ? "post-dnat" : "pre-dnat",
      interfaces: patch >= 7 ? "iifname" : "iif",
    };
  if (minor === 34) return { ...second, interfaces: patch >= 3 ? "iifname" : "iif" };
  if (minor === 35) return second;
  return { ...third, directToOne: minor > NEWEST_KNOWN };
}

/**
 * The layout of a version: `v1.30`, `1.34.1`, or `current` (v1.36). Throws ProblemError for a version without nftables mode, or
 * one that is none.
 */
export function nftablesLayoutOf(version: string): NftablesLayout {
  if (version.toLowerCase() === "current") return nftablesLayoutOf(`v1.${NEWEST_KNOWN}`);
  const { services } = iptablesLayoutOf(version);
  const [, minorText, patchText] = /^v?1\.(\d{1,3})(?:\.(\d+))?/i.exec(version.trim())!;
  const minor = Number(minorText);
  if (minor < OLDEST)
    throw new ProblemError(
      error("unknown-version", `kube-proxy v1.${minor} has no nftables mode; the oldest with it is v1.${OLDEST}`),
    );
  const switches = switchesOf(minor, patchText === undefined ? Infinity : Number(patchText));
  return { version: `v1.${minor}`, services, ...switches };
}

export const DEFAULT_NFTABLES_LAYOUT = nftablesLayoutOf("v1.30");

/** What is not certain about the rules of a version, as warnings. */
export function nftablesDoubts({ version }: NftablesLayout): Problem[] {
  const minor = Number(version.slice("v1.".length));
  if (minor === OLDEST)
    return [warning("unverified-layout", "nftables mode of v1.29 (alpha) is written as that of v1.30")];
  if (minor < NEWEST_KNOWN) return [];
  const message = `nftables mode of ${version} is written from a listing of v1.36.2 and descriptions: rules for masqueradeAll and externalTrafficPolicy Local are not verified`;
  return [warning("unverified-layout", message)];
}

/** A base chain with the chains it jumps to, in their order. */
export interface BaseChainLayout {
  readonly name: string;
  readonly base: BaseChain;
  readonly jumps: readonly string[];
}

function baseChain(
  name: string,
  type: ChainType,
  hook: Hook,
  priority: number,
  ...jumps: readonly string[]
): BaseChainLayout {
  return { name, base: { type, hook, priority, policy: "accept" }, jumps };
}

const DSTNAT = -100;
const SRCNAT = 100;
const PRE_DNAT = DSTNAT - 10;
const POST_DNAT = DSTNAT + 10;

const NAT: readonly BaseChainLayout[] = [
  baseChain("nat-prerouting", "nat", "prerouting", DSTNAT, "services"),
  baseChain("nat-output", "nat", "output", DSTNAT, "services"),
  baseChain("nat-postrouting", "nat", "postrouting", SRCNAT, "masquerading"),
];

const FILTER_PRE_DNAT: readonly BaseChainLayout[] = [
  baseChain("filter-prerouting", "filter", "prerouting", PRE_DNAT, "firewall-check"),
  baseChain("filter-input", "filter", "input", PRE_DNAT, "nodeport-endpoints-check", "service-endpoints-check"),
  baseChain("filter-forward", "filter", "forward", PRE_DNAT, "service-endpoints-check", "cluster-ips-check"),
  baseChain("filter-output", "filter", "output", PRE_DNAT, "service-endpoints-check", "firewall-check"),
  baseChain("filter-output-post-dnat", "filter", "output", POST_DNAT, "cluster-ips-check"),
];

const FILTER_POST_DNAT: readonly BaseChainLayout[] = [
  baseChain("filter-prerouting-pre-dnat", "filter", "prerouting", PRE_DNAT, "firewall-check"),
  baseChain("filter-output-pre-dnat", "filter", "output", PRE_DNAT, "firewall-check"),
  baseChain("filter-input", "filter", "input", 0, "nodeport-endpoints-check", "service-endpoints-check"),
  baseChain("filter-forward", "filter", "forward", 0, "service-endpoints-check", "cluster-ips-check"),
  baseChain("filter-output", "filter", "output", 0, "service-endpoints-check", "cluster-ips-check"),
];

/** The base chains of a layout (nftablesBaseChains and nftablesJumpChains). Jumps of filter chains are for new connections only. */
export function baseChainsOf({ filter }: NftablesLayout): readonly BaseChainLayout[] {
  return [...(filter === "pre-dnat" ? FILTER_PRE_DNAT : FILTER_POST_DNAT), ...NAT];
}
