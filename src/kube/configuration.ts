import { type Address, type Family, familyOf } from "../packet/address.js";
import { contains, hostPrefix, type MaskedAddress } from "../packet/prefix.js";
import { error, ProblemError } from "../ruleset/problem.js";
import { parseSloppyPrefix } from "./sloppy-address.js";

/** What kube-proxy recognises traffic of local pods by. */
export type DetectLocalMode = "ClusterCIDR" | "NodeCIDR" | "BridgeInterface" | "InterfaceNamePrefix" | "None";

/** The fields of a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) that decide which rules are written. */
export interface ProxyConfiguration {
  /** Comma-separated for two families; empty: none. */
  readonly clusterCIDR: string;
  readonly detectLocalMode: DetectLocalMode;
  readonly bridgeInterface: string;
  readonly interfaceNamePrefix: string;
  /** Prefixes; none for a family means all of the node's addresses. */
  readonly nodePortAddresses: readonly string[];
  readonly masqueradeAll: boolean;
  /** The bit of the packet mark that asks for masquerade: 0..31. */
  readonly masqueradeBit: number;
  readonly localhostNodePorts: boolean;
}

export const DEFAULT_CONFIGURATION: ProxyConfiguration = {
  clusterCIDR: "",
  detectLocalMode: "ClusterCIDR",
  bridgeInterface: "",
  interfaceNamePrefix: "",
  nodePortAddresses: [],
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: true,
};

/** In place of nodePortAddresses: the node's primary address of each family. */
export const PRIMARY_ADDRESS = "primary";

/** The node kube-proxy runs on. */
export interface NodeFacts {
  readonly name: string;
  /** All addresses besides loopback; the first of a family is its primary one. */
  readonly addresses: readonly Address[];
  /** Its label topology.kubernetes.io/zone. */
  readonly zone?: string;
  /** Prefixes of its own pods, for detectLocalMode NodeCIDR. */
  readonly podCIDRs?: readonly string[];
  /** net.netfilter.nf_conntrack_tcp_be_liberal is set: INVALID packets are not dropped (v1.29 and later). */
  readonly conntrackBeLiberal?: boolean;
  /** kube-proxy can make its nfacct counters (v1.32 and later count with them). */
  readonly nfacct?: boolean;
}

/** The test for traffic of local pods: a source prefix or an incoming interface. */
export type LocalDetector =
  | { readonly kind: "prefix"; readonly prefix: MaskedAddress }
  | { readonly kind: "interface"; readonly name: string; readonly prefix: boolean };

/** What the configuration makes of a node of one family, worked out once. */
export interface Settings {
  readonly family: Family;
  readonly node: NodeFacts;
  readonly detector: LocalDetector | undefined;
  readonly masqueradeAll: boolean;
  /** The mark bit as uint32. */
  readonly mark: number;
  readonly localhostNodePorts: boolean;
  /** The node's addresses that serve node ports; undefined: every local address. */
  readonly nodePortAddresses: readonly Address[] | undefined;
  /** The address load-balancer source ranges are tested against. */
  readonly primaryAddress: Address | undefined;
}

/**
 * Works a configuration out for one family (cmd/kube-proxy/app/server_linux.go, pkg/proxy/util/nodeport_addresses.go).
 * Throws ProblemError where a prefix cannot be read.
 */
export function settingsOf(configuration: ProxyConfiguration, node: NodeFacts, family: Family): Settings {
  const addresses = node.addresses.filter((address) => familyOf(address) === family);
  const own = configuration.nodePortAddresses
    .flatMap((text) => {
      if (text !== PRIMARY_ADDRESS) return [readPrefix(text, "nodePortAddresses")];
      return addresses.slice(0, 1).map(hostPrefix);
    })
    .filter((prefix) => familyOf(prefix.value) === family);
  const all = own.length === 0 || own.some((prefix) => isZero(prefix.mask));
  const reachesLoopback = all || own.some((prefix) => isLoopback(prefix.value));
  const localhostNodePorts = family === "ip" && configuration.localhostNodePorts && reachesLoopback;
  return {
    family,
    node,
    detector: detectorOf(configuration, node, family),
    masqueradeAll: configuration.masqueradeAll,
    mark: (1 << configuration.masqueradeBit) >>> 0,
    localhostNodePorts,
    nodePortAddresses: all
      ? undefined
      : [...(localhostNodePorts ? [LOOPBACK_4] : []), ...addresses].filter((address) =>
          own.some((prefix) => contains(prefix, address)),
        ),
    primaryAddress: addresses[0],
  };
}

const LOOPBACK_4 = 0x7f000001;

function detectorOf(configuration: ProxyConfiguration, node: NodeFacts, family: Family): LocalDetector | undefined {
  switch (configuration.detectLocalMode) {
    case "ClusterCIDR":
      return prefixDetector(configuration.clusterCIDR.split(","), "clusterCIDR", family);
    case "NodeCIDR":
      return prefixDetector(node.podCIDRs ?? [], "podCIDRs", family);
    case "BridgeInterface":
      return { kind: "interface", name: configuration.bridgeInterface, prefix: false };
    case "InterfaceNamePrefix":
      return { kind: "interface", name: configuration.interfaceNamePrefix, prefix: true };
    case "None":
      return undefined;
  }
}

function prefixDetector(texts: readonly string[], field: string, family: Family): LocalDetector | undefined {
  const prefix = texts
    .filter((text) => text.trim() !== "")
    .map((text) => readPrefix(text.trim(), field))
    .find((prefix) => familyOf(prefix.value) === family);
  return prefix === undefined ? undefined : { kind: "prefix", prefix };
}

function readPrefix(text: string, field: string): MaskedAddress {
  const prefix = parseSloppyPrefix(text);
  if (prefix === undefined)
    throw new ProblemError(error("bad-prefix", `${field}: ${text} is no prefix; write address/length`));
  return prefix;
}

function isZero(mask: Address): boolean {
  return typeof mask === "number" ? mask === 0 : mask.every((word) => word === 0);
}

/** Only IPv4: node ports on ::1 never work. */
function isLoopback(address: Address): boolean {
  return typeof address === "number" && address >>> 24 === 127;
}
