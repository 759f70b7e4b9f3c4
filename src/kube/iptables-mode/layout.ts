import type { ServiceOptions } from "../services.js";

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
}

const v1_30: Layout = {
  version: "v1.30",
  services: { emptyColon: false, sorted: true, ipMode: true, externalIPPolicy: true, hints: "topology-mode" },
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
};

const v1_26: Layout = {
  ...v1_30,
  version: "v1.26",
  services: { ...v1_30.services, ipMode: false, externalIPPolicy: false, hints: "topology-aware-hints" },
  firewall: "none",
  closingComment: false,
};

const v1_17: Layout = {
  ...v1_26,
  version: "v1.17",
  services: { emptyColon: true, sorted: false, ipMode: false, externalIPPolicy: false, hints: "none" },
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

export const LAYOUTS = { "v1.12": v1_12, "v1.17": v1_17, "v1.26": v1_26, "v1.30": v1_30 } as const;
export type LayoutName = keyof typeof LAYOUTS;
export const DEFAULT_LAYOUT = v1_30;
