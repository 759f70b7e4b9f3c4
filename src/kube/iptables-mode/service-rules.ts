import { contains } from "../../packet/prefix.js";
import type { Settings } from "../configuration.js";
import type { ServicePort } from "../services.js";
import {
  externallyAccessible,
  usableEndpoints,
  usesClusterEndpoints,
  usesLocalEndpoints,
} from "../usable-endpoints.js";
import type { Draft } from "./draft.js";
import { endpointChains, type EndpointRuleOptions, writeChoice, writeEndpoints } from "./endpoint-rules.js";
import type { Layout } from "./layout.js";
import { ServicePortRules } from "./service-port-rules.js";
import {
  ACCEPT,
  accounting,
  comment,
  destinationHost,
  DROP,
  jump,
  localTraffic,
  protocol,
  rule,
  sourceWithin,
  sourceHost,
  SOURCE_LOCAL,
  transport,
  withLocalTraffic,
} from "../statements.js";
import { TCP } from "../../packet/protocol.js";

const MARK_MASQ = jump("KUBE-MARK-MASQ");
/** The counter of LocalhostNodePortAcceptedNFAcctCounter (pkg/proxy/metrics). */
const LOCALHOST_ACCEPTED = accounting("localhost_nps_accepted_pkts");

/**
 * Writes all rules of one service port in the layouts of v1.24 and later, in the order of syncProxyRules
 * (pkg/proxy/iptables/proxier.go). `commented` is false in a large cluster, where endpoint rules carry no comments.
 */
export function writeServicePort(
  draft: Draft,
  port: ServicePort,
  layout: Layout,
  settings: Settings,
  commented: boolean,
): void {
  const rules = new ServicePortRules(port);
  const usable = usableEndpoints(port, settings.node);
  const { family } = settings;
  const hasInternal = usable.hasAny && !(port.internalLocal && usable.local.length === 0);
  const hasExternal = usable.hasAny && !(port.externalLocal && usable.local.length === 0);
  const internalChain = port.internalLocal ? rules.svl : rules.svc;
  const externalChain = port.externalLocal ? rules.svl : rules.svc;
  const usesExternal = usable.hasAny && externallyAccessible(port);
  const usesFirewall = usable.hasAny && port.loadBalancerIPs.length > 0 && port.sourceRanges.length > 0;
  const services = draft.chain("nat", "KUBE-SERVICES");
  const unserved = rules.unserved(usable.hasAny, family);
  const rejected = draft.chain("filter", "KUBE-EXTERNAL-SERVICES");

  const clusterIP = destinationHost(port.clusterIP);
  const clusterComment = comment(`${port.name} cluster IP`);
  if (hasInternal) services.push(rules.to([clusterIP], clusterComment, jump(internalChain)));
  else draft.chain("filter", "KUBE-SERVICES").push(rules.to([clusterIP], comment(unserved.text), unserved.end));

  for (const address of port.externalIPs) {
    if (usable.hasAny) services.push(rules.toAddress(address, `${port.name} external IP`, jump(rules.ext)));
    if (!hasExternal) rejected.push(rules.toAddress(address, unserved.text, unserved.end));
  }
  for (const address of port.loadBalancerIPs) {
    if (usable.hasAny) {
      const to = jump(usesFirewall ? rules.fw : rules.ext);
      services.push(rules.toAddress(address, `${port.name} loadbalancer IP`, to));
    }
    if (usesFirewall) {
      const text = `${port.name} traffic not accepted by ${rules.fw}`;
      draft.chain("filter", "KUBE-PROXY-FIREWALL").push(rules.toAddress(address, text, DROP));
    }
  }
  if (!hasExternal)
    for (const address of port.loadBalancerIPs) rejected.push(rules.toAddress(address, unserved.text, unserved.end));
  if (port.nodePort !== 0) {
    if (usable.hasAny) {
      const nodePorts = draft.chain("nat", "KUBE-NODEPORTS");
      if (layout.countsLocalhost && settings.node.nfacct === true && settings.localhostNodePorts)
        nodePorts.push(rules.toLocalhostNodePort(LOCALHOST_ACCEPTED, jump(rules.ext)));
      nodePorts.push(rules.toNodePort(jump(rules.ext)));
    }
    if (!hasExternal) rejected.push(rules.toUnservedNodePort(unserved.text, unserved.end));
  }
  if (port.healthCheckNodePort !== 0)
    draft
      .chain("filter", "KUBE-NODEPORTS")
      .push(
        rule(
          protocol(TCP),
          comment(`${port.name} health check node port`),
          transport(TCP, port.healthCheckNodePort),
          ACCEPT,
        ),
      );

  if (hasInternal) {
    if (settings.masqueradeAll)
      draft.chain("nat", internalChain).push(rules.to([clusterIP], clusterComment, MARK_MASQ));
    else if (settings.detector !== undefined)
      draft
        .chain("nat", internalChain)
        .push(rules.to(withLocalTraffic(settings.detector, true, clusterIP), clusterComment, MARK_MASQ));
  }
  if (usesExternal) writeExternal(draft, rules, settings, hasExternal ? externalChain : undefined);
  if (usesFirewall) writeFirewall(draft, rules, layout, settings);

  const names = endpointChains(port, usable.reachable);
  const choice: EndpointRuleOptions = {
    family,
    decimals: layout.decimals,
    choiceComment: commented ? (endpoint) => `${port.name} -> ${endpoint.text}` : undefined,
    ownComment: commented ? port.name : undefined,
  };
  if (usable.cluster.length > 0 && usesClusterEndpoints(port))
    writeChoice(draft, rules.svc, port, usable.cluster, names, choice);
  if (usable.local.length > 0 && usesLocalEndpoints(port))
    writeChoice(draft, rules.svl, port, usable.local, names, choice);
  writeEndpoints(draft, port, usable.reachable, names, choice);
}

/** KUBE-EXT: what happens to traffic from outside before it is spread; `next` is undefined where no endpoint may be used. */
function writeExternal(draft: Draft, rules: ServicePortRules, settings: Settings, next: string | undefined): void {
  const chain = draft.chain("nat", rules.ext);
  const destinations = `${rules.port.name} external destinations`;
  if (!rules.port.externalLocal) chain.push(rule(comment(`masquerade traffic for ${destinations}`), MARK_MASQ));
  else {
    if (settings.detector !== undefined)
      chain.push(
        rule(localTraffic(settings.detector, false), comment(`pod traffic for ${destinations}`), jump(rules.svc)),
      );
    chain.push(
      rule(comment(`masquerade LOCAL traffic for ${destinations}`), SOURCE_LOCAL, MARK_MASQ),
      rule(comment(`route LOCAL traffic for ${destinations}`), SOURCE_LOCAL, jump(rules.svc)),
    );
  }
  if (next !== undefined) chain.push(rule(jump(next)));
}

/** KUBE-FW: the sources a load balancer lets in. Where the node itself is one, so is the balancer's own address. */
function writeFirewall(draft: Draft, rules: ServicePortRules, layout: Layout, settings: Settings): void {
  const { port } = rules;
  const chain = draft.chain("nat", rules.fw);
  const text = comment(`${port.name} loadbalancer IP`);
  for (const range of port.sourceRanges) chain.push(rule(...sourceWithin(range), text, jump(rules.ext)));
  const node = settings.primaryAddress;
  if (node !== undefined && port.sourceRanges.some((range) => contains(range, node)))
    for (const address of port.loadBalancerIPs) chain.push(rule(sourceHost(address), text, jump(rules.ext)));
  if (layout.closingComment)
    chain.push(rule(comment(`other traffic to ${port.name} will be dropped by KUBE-PROXY-FIREWALL`)));
}
