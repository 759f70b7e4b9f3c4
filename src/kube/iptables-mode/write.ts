import type { Family } from "../../packet/address.js";
import type { RuleSet } from "../../ruleset/types.js";
import { type NodeFacts, type ProxyConfiguration, type Settings, settingsOf } from "../configuration.js";
import type { KubernetesObject } from "../objects.js";
import { type ServicePort, servicePortsOf } from "../services.js";
import { Draft } from "./draft.js";
import { DEFAULT_LAYOUT, LARGE_CLUSTER_ENDPOINTS, type Layout } from "./layout.js";
import { writeOldServicePort } from "./old-service-rules.js";
import { writeServicePort } from "./service-rules.js";
import { nodePortJumps, writeStaticChains } from "./static-chains.js";

/**
 * The rule set kube-proxy in iptables mode leaves in the kernel for these objects, as iptables-legacy-save shows it:
 * tables nat, mangle, filter, chains by name. Services keep the order of the objects. Throws ProblemError on bad objects.
 */
export function generateIptables(
  objects: Iterable<KubernetesObject>,
  configuration: ProxyConfiguration,
  node: NodeFacts,
  family: Family = "ip",
  layout: Layout = DEFAULT_LAYOUT,
): RuleSet {
  const ports = servicePortsOf(objects, family, node.name, layout.services);
  return writeIptables(ports, settingsOf(configuration, node, family), layout);
}

/** The same from service ports that are already read. */
export function writeIptables(
  ports: readonly ServicePort[],
  settings: Settings,
  layout: Layout = DEFAULT_LAYOUT,
): RuleSet {
  const draft = new Draft();
  writeStaticChains(draft, layout, settings);
  const endpoints = ports.reduce((sum, port) => sum + port.endpoints.length, 0);
  const commented = layout.endpointComment !== "none" && endpoints <= LARGE_CLUSTER_ENDPOINTS;
  const write = layout.external === "ext" ? writeServicePort : writeOldServicePort;
  for (const port of ports) write(draft, port, layout, settings, commented);
  draft.chain("nat", "KUBE-SERVICES").push(...nodePortJumps(settings));
  return draft.finish(settings.family);
}
