import { contains, hostPrefix } from "../../packet/prefix.js";
import type { Statement, Verdict } from "../../ruleset/types.js";
import type { ServicePort } from "../services.js";
import { destinationHost, rule, SOURCE_LOCAL, transport } from "../statements.js";
import {
  externallyAccessible,
  usableEndpoints,
  usesClusterEndpoints,
  usesLocalEndpoints,
} from "../usable-endpoints.js";
import { writeChoice, writeEndpoints } from "./endpoint-rules.js";
import { servicePortBase } from "./names.js";
import { commentedRule, goto, localPods, withinAny } from "./statements.js";
import { markForMasquerade, type Writing } from "./writing.js";

const REJECT = goto("reject-chain");
const DROP: Verdict = { kind: "drop" };

/** Writes all elements and chains of one service port, in the order of syncProxyRules (pkg/proxy/nftables/proxier.go). */
export function writeServicePort(writing: Writing, port: ServicePort): void {
  const { draft, layout, settings } = writing;
  const base = servicePortBase(port);
  const usable = usableEndpoints(port, settings.node);
  const hasInternal = usable.hasAny && !(port.internalLocal && usable.local.length === 0);
  const hasExternal = usable.hasAny && !(port.externalLocal && usable.local.length === 0);
  const clusterChain = `service-${base}`;
  const localChain = `local-${base}`;
  const internalChain = port.internalLocal ? localChain : clusterChain;
  const externalChain = `external-${base}`;
  const firewallChain = `firewall-${base}`;
  const usesFirewall = port.loadBalancerIPs.length > 0 && port.sourceRanges.length > 0;
  const unserved = usable.hasAny ? DROP : REJECT;

  draft.addClusterIP(port.clusterIP);
  if (hasInternal) draft.addDestination("service-ips", port, port.clusterIP, goto(internalChain));
  else draft.addDestination("no-endpoint-services", port, port.clusterIP, unserved, port.name);
  for (const address of [...port.externalIPs, ...port.loadBalancerIPs]) {
    if (usable.hasAny) draft.addDestination("service-ips", port, address, goto(externalChain));
    if (!hasExternal) draft.addDestination("no-endpoint-services", port, address, unserved, port.name);
  }
  if (usesFirewall)
    for (const address of port.loadBalancerIPs)
      draft.addDestination(
        "firewall-ips",
        port,
        address,
        goto(firewallChain),
        layout.firewallComments ? port.name : undefined,
      );
  if (port.nodePort !== 0) {
    if (usable.hasAny) draft.addNodePort("service-nodeports", port, goto(externalChain));
    if (!hasExternal) draft.addNodePort("no-endpoint-nodeports", port, unserved, port.name);
  }

  writeEndpoints(writing, port, usable.reachable);
  if (hasInternal && layout.masquerade === "chain") writeOutsideMark(writing, port, internalChain);
  if (usable.cluster.length > 0 && usesClusterEndpoints(port)) writeChoice(writing, port, clusterChain, usable.cluster);
  if (usable.local.length > 0 && usesLocalEndpoints(port)) writeChoice(writing, port, localChain, usable.local);
  if (usable.hasAny && externallyAccessible(port)) {
    const next = hasExternal ? (port.externalLocal ? localChain : clusterChain) : undefined;
    writeExternal(writing, port, externalChain, clusterChain, next);
  }
  if (usesFirewall) writeFirewall(writing, port, firewallChain);
}

/** Masquerades what comes to the cluster IP from outside the cluster, or whatever comes. */
function writeOutsideMark(writing: Writing, port: ServicePort, chain: string): void {
  const { draft, layout, settings } = writing;
  const { detector, masqueradeAll } = settings;
  if (!masqueradeAll && detector === undefined) return;
  const to: Statement[] = [destinationHost(port.clusterIP)];
  if (layout.masqueradeTestsPort) to.push(transport(port.protocol, port.port));
  if (!masqueradeAll) to.push(localPods(detector!, layout, true));
  draft.chain(chain).push(rule(...to, markForMasquerade(writing)));
}

/** What happens to traffic from outside before it is spread; `next` is undefined where no endpoint may be used. */
function writeExternal(
  writing: Writing,
  port: ServicePort,
  chain: string,
  clusterChain: string,
  next: string | undefined,
): void {
  const { layout, settings } = writing;
  const rules = writing.draft.chain(chain);
  const masquerade = markForMasquerade(writing);
  if (!port.externalLocal) rules.push(rule(masquerade));
  else {
    if (settings.detector !== undefined) {
      const local = localPods(settings.detector, layout, false);
      rules.push(commentedRule("short-circuit pod traffic", local, goto(clusterChain)));
    }
    rules.push(
      commentedRule("masquerade local traffic", SOURCE_LOCAL, masquerade),
      commentedRule("short-circuit local traffic", SOURCE_LOCAL, goto(clusterChain)),
    );
  }
  if (next !== undefined) rules.push(rule(goto(next)));
}

/** Drops sources a load balancer does not let in. Where the node itself is let in, so is the balancer's own address. */
function writeFirewall({ draft, settings }: Writing, port: ServicePort, chain: string): void {
  const { family, primaryAddress: node } = settings;
  const allowed = [...port.sourceRanges];
  if (node !== undefined && port.sourceRanges.some((range) => contains(range, node)))
    allowed.push(...port.loadBalancerIPs.map(hostPrefix));
  draft.chain(chain).push(rule(withinAny("saddr", family, allowed, true), DROP));
}
