import type { Address } from "../../packet/address.js";
import { contains } from "../../packet/prefix.js";
import type { Settings } from "../configuration.js";
import type { Endpoint, ServicePort } from "../services.js";
import type { Draft } from "./draft.js";
import { endpointChains, type EndpointRuleOptions, writeChoice, writeEndpoints } from "./endpoint-rules.js";
import type { Layout } from "./layout.js";
import { ServicePortRules } from "./service-port-rules.js";
import {
  comment,
  destinationHost,
  DESTINATION_LOCAL,
  jump,
  localTraffic,
  loopback,
  NOT_FROM_BRIDGE,
  reject,
  rule,
  source,
  sourceWithin,
  sourceHost,
  SOURCE_LOCAL,
  SOURCE_NOT_LOCAL,
  withLocalTraffic,
} from "../statements.js";

const MARK_MASQ = jump("KUBE-MARK-MASQ");
const MARK_DROP = jump("KUBE-MARK-DROP");

/**
 * Writes all rules of one service port in the layouts of v1.20 and older: two rules for each address in
 * KUBE-SERVICES, a KUBE-FW for every load balancer, KUBE-XLB for external traffic policy Local. Endpoints are used
 * while ready, wherever they are; internal traffic policy, topology and terminating endpoints are not known yet.
 */
export function writeOldServicePort(
  draft: Draft,
  port: ServicePort,
  layout: Layout,
  settings: Settings,
  commented: boolean,
): void {
  const rules = new ServicePortRules(port);
  const endpoints = port.endpoints.filter((endpoint) => endpoint.ready);
  if (endpoints.length === 0) return writeUnserved(draft, rules, settings);

  const services = draft.chain("nat", "KUBE-SERVICES");
  const clusterIP = destinationHost(port.clusterIP);
  const clusterComment = comment(`${port.name} cluster IP`);
  if (settings.masqueradeAll) services.push(rules.to([clusterIP], clusterComment, MARK_MASQ));
  else if (settings.detector !== undefined)
    services.push(rules.to(withLocalTraffic(settings.detector, true, clusterIP), clusterComment, MARK_MASQ));
  services.push(rules.to([clusterIP], clusterComment, jump(rules.svc)));

  for (const address of port.externalIPs) {
    const to = [destinationHost(address)];
    const text = comment(`${port.name} external IP`);
    services.push(
      rules.to(to, text, MARK_MASQ),
      rules.to(to, text, NOT_FROM_BRIDGE, SOURCE_NOT_LOCAL, jump(rules.svc)),
      rules.to(to, text, DESTINATION_LOCAL, jump(rules.svc)),
    );
  }
  for (const address of port.loadBalancerIPs) {
    services.push(rules.toAddress(address, `${port.name} loadbalancer IP`, jump(rules.fw)));
    writeBalancer(draft, rules, address, settings);
  }
  if (port.nodePort !== 0) {
    const nodePorts = draft.chain("nat", "KUBE-NODEPORTS");
    if (port.externalLocal)
      nodePorts.push(rules.toNodePort(MARK_MASQ, source(loopback(settings.family))), rules.toNodePort(jump(rules.xlb)));
    else nodePorts.push(rules.toNodePort(MARK_MASQ), rules.toNodePort(jump(rules.svc)));
  }

  const names = endpointChains(port, endpoints);
  const name = commented && layout.endpointComment === "name" ? port.name : undefined;
  const choice: EndpointRuleOptions = {
    family: settings.family,
    decimals: layout.decimals,
    choiceComment: name === undefined ? undefined : () => name,
    ownComment: name,
  };
  writeChoice(draft, rules.svc, port, endpoints, names, choice);
  writeEndpoints(draft, port, endpoints, names, choice);
  if (port.externalLocal) writeLocalBalancer(draft, rules, endpoints, names, choice, settings);
}

/** Every address of a service without ready endpoints is refused. */
function writeUnserved(draft: Draft, rules: ServicePortRules, settings: Settings): void {
  const { port } = rules;
  const { text, end } = { text: `${port.name} has no endpoints`, end: reject(settings.family) };
  const services = draft.chain("filter", "KUBE-SERVICES");
  const external = draft.chain("filter", "KUBE-EXTERNAL-SERVICES");
  services.push(rules.toAddress(port.clusterIP, text, end));
  for (const address of port.externalIPs) external.push(rules.toAddress(address, text, end));
  for (const address of port.loadBalancerIPs) services.push(rules.toAddress(address, text, end));
  if (port.nodePort !== 0) external.push(rules.toUnservedNodePort(text, end));
}

/** KUBE-FW: its rules are appended once more for each address of the balancer. */
function writeBalancer(draft: Draft, rules: ServicePortRules, address: Address, settings: Settings): void {
  const { port } = rules;
  const chain = draft.chain("nat", rules.fw);
  const text = comment(`${port.name} loadbalancer IP`);
  const next = jump(port.externalLocal ? rules.xlb : rules.svc);
  if (!port.externalLocal) chain.push(rule(text, MARK_MASQ));
  if (port.sourceRanges.length === 0) chain.push(rule(text, next));
  else {
    for (const range of port.sourceRanges) chain.push(rule(...sourceWithin(range), text, next));
    const node = settings.primaryAddress;
    if (node !== undefined && port.sourceRanges.some((range) => contains(range, node)))
      chain.push(rule(sourceHost(address), text, next));
  }
  chain.push(rule(text, MARK_DROP));
}

/** KUBE-XLB: pods go to the service, local processes too but masqueraded, the rest to the endpoints of this node. */
function writeLocalBalancer(
  draft: Draft,
  rules: ServicePortRules,
  endpoints: readonly Endpoint[],
  names: ReadonlyMap<Endpoint, string>,
  choice: EndpointRuleOptions,
  settings: Settings,
): void {
  const { port } = rules;
  const chain = draft.chain("nat", rules.xlb);
  if (settings.detector !== undefined)
    chain.push(
      rule(
        localTraffic(settings.detector, false),
        comment("Redirect pods trying to reach external loadbalancer VIP to clusterIP"),
        jump(rules.svc),
      ),
    );
  chain.push(
    rule(comment(`masquerade LOCAL traffic for ${port.name} LB IP`), SOURCE_LOCAL, MARK_MASQ),
    rule(comment(`route LOCAL traffic for ${port.name} LB IP to service chain`), SOURCE_LOCAL, jump(rules.svc)),
  );
  const local = endpoints.filter((endpoint) => endpoint.local);
  if (local.length === 0) chain.push(rule(comment(`${port.name} has no local endpoints`), MARK_DROP));
  else
    writeChoice(draft, rules.xlb, port, local, names, {
      ...choice,
      choiceComment: (_, i, affinity) => (affinity ? port.name : `Balancing rule ${i} for ${port.name}`),
    });
}
