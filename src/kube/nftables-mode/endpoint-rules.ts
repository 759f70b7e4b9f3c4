import type { Family } from "../../packet/address.js";
import { hostPrefix } from "../../packet/prefix.js";
import type { Action } from "../../ruleset/types.js";
import type { Endpoint, ServicePort } from "../services.js";
import { dnat, protocol, rule, sourceHost } from "../statements.js";
import { endpointBase } from "./names.js";
import { addressField, chooseChain, dnatToOneOf, elementKey, goto, inSet } from "./statements.js";
import { markForMasquerade, type Writing } from "./writing.js";

const affinitySet = (base: string): string => `affinity-${base}`;
const endpointChain = (base: string): string => `endpoint-${base}`;

/** Writes the chain of each endpoint, with its set of clients where there is session affinity, and notes what may turn back on itself. */
export function writeEndpoints(writing: Writing, port: ServicePort, endpoints: readonly Endpoint[]): void {
  const { draft, layout, settings } = writing;
  for (const endpoint of endpoints) {
    if (layout.masquerade === "hairpin-set" && endpoint.local) {
      const [address, ...rest] = elementKey(endpoint.address, port.protocol, endpoint.port);
      draft.addElement("hairpin-connections", { key: [address!, hostPrefix(endpoint.address), ...rest] });
    }
    if (layout.endpointChains === "affinity" && port.affinitySeconds === 0) continue;
    const base = endpointBase(port, endpoint);
    const rules = draft.chain(endpointChain(base));
    if (layout.masquerade === "chain") rules.push(rule(sourceHost(endpoint.address), markForMasquerade(writing)));
    if (port.affinitySeconds > 0) {
      draft.addAffinitySet(affinitySet(base), port.affinitySeconds);
      rules.push(rule(remember(base, settings.family)));
    }
    rules.push(rule(protocol(port.protocol), dnat(endpoint.address, endpoint.port)));
  }
}

function remember(base: string, family: Family): Action {
  const key = [addressField("saddr", family)];
  return { kind: "set-update", operation: "update", set: affinitySet(base), key };
}

/** Writes the rules of one chain that choose among endpoints: first those of session affinity, then the draw (writeServiceToEndpointRules). */
export function writeChoice(
  { draft, layout, settings }: Writing,
  port: ServicePort,
  chain: string,
  endpoints: readonly Endpoint[],
): void {
  const rules = draft.chain(chain);
  if (layout.endpointChains === "affinity" && port.affinitySeconds === 0) {
    const [only] = endpoints;
    const direct = layout.directToOne && endpoints.length === 1;
    const to = direct ? dnat(only!.address, only!.port) : dnatToOneOf(endpoints);
    rules.push(rule(protocol(port.protocol), to));
    return;
  }
  const bases = endpoints.map((endpoint) => endpointBase(port, endpoint));
  if (port.affinitySeconds > 0)
    for (const base of bases)
      rules.push(rule(inSet("saddr", settings.family, affinitySet(base)), goto(endpointChain(base))));
  rules.push(rule(chooseChain(bases.map(endpointChain))));
}
