import { error, ProblemError } from "../../ruleset/problem.js";
import { CURRENT_SERVICE_OPTIONS, type ServiceOptions } from "../services.js";

/**
 * How one generation of kube-proxy writes its iptables rules. A layout is data: each field is one difference between
 * versions, and the writers ask for it where it matters.
 */
export interface Layout {
  /** The version it is named by, for example `v1.30`. */
  readonly version: string;
  readonly services: ServiceOptions;
  /** Chains EXT and SVL (v1.24 and later), or XLB and an FW for every load balancer. */
  readonly external: "ext" | "xlb";
  /** Where the rule that marks traffic from outside the cluster stands: first in the service's chain (v1.22 and later), or before the jump to it. */
  readonly masquerade: "service-chain" | "services";
  /** Comments of endpoint rules: `name -> ip:port` (v1.24 and later), the name alone, or none (v1.14 to v1.17 lost them). */
  readonly endpointComment: "endpoint" | "name" | "none";
  /** Decimals of a probability: 10 since v1.17, 5 before. */
  readonly decimals: number;
  /** KUBE-PROXY-CANARY, and MASQUERADE --random-fully (both since v1.16). */
  readonly canary: boolean;
  readonly randomFully: boolean;
  /** The mark is taken back in KUBE-POSTROUTING (v1.19 and later). */
  readonly clearMark: boolean;
  /** The older jumps: filter INPUT to KUBE-SERVICES, none from FORWARD to KUBE-EXTERNAL-SERVICES (v1.18 and older). */
  readonly oldJumps: boolean;
  /** Established connections pass KUBE-FORWARD by one rule (v1.23 and later), or by two that name the cluster's prefix. */
  readonly forwardByPrefix: boolean;
  /** KUBE-FIREWALL against martian traffic to localhost by kube-proxy itself (v1.27), or kubelet's with KUBE-MARK-DROP, or left to kubelet. */
  readonly firewall: "kube-proxy" | "kubelet" | "none";
  /** KUBE-FW ends with a rule that only says what happens next (v1.27 and later). */
  readonly closingComment: boolean;
  /** INVALID packets are let through where conntrack is liberal with TCP (v1.29 and later). */
  readonly beLiberal: boolean;
  /** nfacct counters: of INVALID packets dropped (v1.32 and later), of node ports reached over localhost (v1.33 and later). */
  readonly countsInvalid: boolean;
  readonly countsLocalhost: boolean;
  /** Only what changed is sent to iptables-restore (KEP-3453; v1.27 and later). */
  readonly partialSync: boolean;
}

/** Above so many endpoints kube-proxy leaves comments of endpoint rules away (largeClusterEndpointsThreshold). */
export const LARGE_CLUSTER_ENDPOINTS = 1000;

const v1_30: Layout = {
  version: "v1.30",
  services: CURRENT_SERVICE_OPTIONS,
  external: "ext",
  masquerade: "service-chain",
  endpointComment: "endpoint",
  decimals: 10,
  canary: true,
  randomFully: true,
  clearMark: true,
  oldJumps: false,
  forwardByPrefix: false,
  firewall: "kube-proxy",
  closingComment: true,
  beLiberal: true,
  countsInvalid: false,
  countsLocalhost: false,
  partialSync: true,
};

/** v1.34 and later: the newest there is. Older ones since v1.32 are made of it by `layoutOf`. */
const current: Layout = {
  ...v1_30,
  version: "current",
  services: { ...v1_30.services, canonicalAddresses: true, hints: "nodes and zones" },
  countsInvalid: true,
  countsLocalhost: true,
};

const v1_26: Layout = {
  ...v1_30,
  version: "v1.26",
  services: { ...v1_30.services, ipMode: false, externalIPPolicy: false, hints: "topology-aware-hints" },
  firewall: "none",
  closingComment: false,
  beLiberal: false,
  partialSync: false,
};

const v1_17: Layout = {
  ...v1_26,
  version: "v1.17",
  services: { ...v1_26.services, emptyColon: true, sorted: false, hints: "none" },
  external: "xlb",
  masquerade: "services",
  endpointComment: "none",
  clearMark: false,
  oldJumps: true,
  forwardByPrefix: true,
  firewall: "kubelet",
};

/** The layout of 2018 (v1.10 to v1.13): v1.17's, still with comments in endpoint rules, with shorter probabilities and no canary. */
const v1_12: Layout = {
  ...v1_17,
  version: "v1.12",
  endpointComment: "name",
  decimals: 5,
  canary: false,
  randomFully: false,
};

export const LAYOUTS = { "v1.12": v1_12, "v1.17": v1_17, "v1.26": v1_26, "v1.30": v1_30, current } as const;
export type LayoutName = keyof typeof LAYOUTS;
export const DEFAULT_LAYOUT = v1_30;

/** The minors of kube-proxy each layout is known to stand for. */
const known: readonly { readonly layout: Layout; readonly first: number; readonly last: number }[] = [
  { layout: v1_12, first: 12, last: 12 },
  { layout: v1_17, first: 17, last: 17 },
  { layout: v1_26, first: 26, last: 26 },
  { layout: v1_30, first: 27, last: 31 },
  { layout: current, first: 32, last: Infinity },
];

/**
 * The layout of a version: `v1.30`, `1.30.3`, `v1.34.0-rc.1`, or `current`. v1.27 to v1.31 write as v1.30 does, and since v1.32 the
 * switches of the minor are set. Throws ProblemError for any other version, naming the nearest that is known.
 */
export function layoutOf(version: string): Layout {
  if (version.toLowerCase() === "current") return current;
  const minor = Number(/^v?1\.(\d{1,3})(?:\.\d+(?:[-+][\w.+-]+)?)?$/i.exec(version.trim())?.[1] ?? NaN);
  if (Number.isNaN(minor))
    throw refused(`${JSON.stringify(version)} is no version of kube-proxy: expected one such as v1.30 or v1.30.3`);
  const distance = ({ first, last }: (typeof known)[number]): number => Math.max(first - minor, minor - last, 0);
  const nearest = known.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  if (distance(nearest) > 0) {
    const near = minor < nearest.first ? nearest.first : nearest.last;
    throw refused(`the rules of kube-proxy v1.${minor} are not known; the nearest is v1.${near}`);
  }
  return withSwitches(nearest.layout, minor);
}

function withSwitches(layout: Layout, minor: number): Layout {
  if (minor < 31) return layout;
  return {
    ...layout,
    version: `v1.${minor}`,
    services: {
      ...layout.services,
      canonicalAddresses: minor >= 33,
      hints: minor >= 34 ? "nodes and zones" : "zones",
    },
    countsLocalhost: minor >= 33,
  };
}

function refused(message: string): ProblemError {
  return new ProblemError(error("unknown-version", message));
}
