import { CtState, CtStatus } from "../../packet/connection.js";
import { hostPrefix, type MaskedAddress } from "../../packet/prefix.js";
import type { Match, Statement } from "../../ruleset/types.js";
import type { Settings } from "../configuration.js";
import {
  conntrackState,
  destination,
  DESTINATION_LOCAL,
  jump,
  loopback,
  mark,
  reject,
  RETURN,
  rule,
  setMark,
} from "../statements.js";
import type { Draft } from "./draft.js";
import { baseChainsOf, type NftablesLayout } from "./layout.js";
import {
  addressField,
  byDestination,
  byPort,
  commentedRule,
  inSet,
  localPods,
  PORT_FIELD,
  PROTOCOL_FIELD,
  withinAny,
} from "./statements.js";

const NEW = conntrackState(CtState.new);
const MASQUERADE = { kind: "masquerade", to: { fullyRandom: true } } as const;

/** Writes everything that does not depend on a service (setupNFTables). */
export function writeStaticChains(
  draft: Draft,
  layout: NftablesLayout,
  settings: Settings,
  serviceCIDRs: readonly MaskedAddress[],
): void {
  const { family } = settings;
  if (layout.masquerade === "hairpin-set")
    draft.addSet("hairpin-connections", "service hairpin connections", [
      draft.addressType,
      draft.addressType,
      "inet_proto",
      "inet_service",
    ]);
  draft.addSet("cluster-ips", "Active ClusterIPs");
  writeNodePortAddresses(draft, settings);

  for (const { name, base, jumps } of baseChainsOf(layout)) {
    const condition = base.type === "filter" ? [NEW] : [];
    draft.chain(name, { base }).push(...jumps.map((chain) => rule(...condition, jump(chain))));
  }
  const [atNodePort, servesNodePort] = nodePortTests(settings);
  draft.chain("nodeport-endpoints-check").push(rule(...atNodePort, byPort("no-endpoint-nodeports")));
  draft.chain("service-endpoints-check").push(rule(byDestination(family, "no-endpoint-services")));
  draft.chain("firewall-check").push(rule(byDestination(family, "firewall-ips")));
  const services = draft.chain("services");
  if (layout.masquerade === "hairpin-set") writeOutsideMark(draft, layout, settings);
  services.push(rule(byDestination(family, "service-ips")), rule(...servesNodePort, byPort("service-nodeports")));
  writeMasquerading(draft, layout, settings);

  const check = draft.chain("cluster-ips-check");
  const text = "Reject traffic to invalid ports of ClusterIPs";
  check.push(commentedRule(text, inSet("daddr", family, "cluster-ips"), reject(family)));
  if (serviceCIDRs.length > 0) {
    const inside = withinAny("daddr", family, serviceCIDRs, false);
    check.push(commentedRule("Drop traffic to unallocated ClusterIPs", inside, { kind: "drop" }));
  }
  const comment = "helper for @no-endpoint-services / @no-endpoint-nodeports";
  draft.chain("reject-chain", { comment }).push(rule(reject(family)));
}

/** The set of addresses that serve node ports; there is none where all do. Node ports on loopback are not served. */
function writeNodePortAddresses(draft: Draft, { nodePortAddresses }: Settings): void {
  if (nodePortAddresses === undefined) return;
  draft.addSet("nodeport-ips", "IPs that accept NodePort traffic");
  for (const address of nodePortAddresses) draft.addElement("nodeport-ips", { key: [hostPrefix(address)] });
}

/** Whether a packet is for a node port: after routing (the input hook), where it is known to be for the node; and before. */
function nodePortTests({ family, nodePortAddresses }: Settings): [Match[], Match[]] {
  if (nodePortAddresses !== undefined) {
    const test = [inSet("daddr", family, "nodeport-ips")];
    return [test, test];
  }
  const notLoopback = destination(loopback(family), true);
  return [[notLoopback], [DESTINATION_LOCAL, notLoopback]];
}

function writeMasquerading(draft: Draft, layout: NftablesLayout, { mark: bit, family }: Settings): void {
  const rules = draft.chain("masquerading");
  if (layout.masquerade === "chain") {
    rules.push(rule(mark(0, false, bit), RETURN), rule(setMark(0, bit)), rule(MASQUERADE));
    draft.chain("mark-for-masquerade").push(rule(setMark(bit, bit)));
    return;
  }
  const toItself: Match = {
    kind: "lookup",
    key: [addressField("saddr", family), addressField("daddr", family), PROTOCOL_FIELD, PORT_FIELD],
    set: "hairpin-connections",
    negate: false,
  };
  const translated: Match = {
    kind: "conntrack",
    module: "conntrack",
    status: { bits: CtStatus.dnat, negate: false },
  };
  rules.push(rule(mark(0, true, bit), setMark(0, bit), MASQUERADE), rule(translated, toItself, MASQUERADE));
}

/** Marks what comes from outside the cluster to a cluster IP; with masqueradeAll whatever comes. */
function writeOutsideMark(draft: Draft, layout: NftablesLayout, settings: Settings): void {
  const { detector, family, masqueradeAll } = settings;
  const toClusterIP: Statement[] = [inSet("daddr", family, "cluster-ips")];
  if (masqueradeAll)
    draft
      .chain("services")
      .push(commentedRule("masquerade all clusterIP traffic", ...toClusterIP, setMark(settings.mark, settings.mark)));
  else if (detector !== undefined) {
    const text = "masquerade clusterIP traffic from outside cluster";
    const outside = localPods(detector, layout, true);
    draft.chain("services").push(commentedRule(text, ...toClusterIP, outside, setMark(settings.mark, settings.mark)));
  }
}
