import type { CommentMatch, Statement } from "../../ruleset/types.js";
import { endpointChainName } from "../names.js";
import type { Endpoint, ServicePort } from "../services.js";
import type { Family } from "../../packet/address.js";
import type { Draft } from "./draft.js";
import {
  comment,
  dnat,
  jump,
  oneOf,
  protocol,
  remember,
  rule,
  seenWithin,
  sourceHost,
  transport,
} from "../statements.js";

/** What endpoint rules need to know besides their service port. */
export interface EndpointRuleOptions {
  readonly family: Family;
  /** Decimals of 1/n. */
  readonly decimals: number;
  /** The comment of the n-th rule that leads to an endpoint, by affinity or by choice; undefined: none. */
  readonly choiceComment: ((endpoint: Endpoint, index: number, affinity: boolean) => string) | undefined;
  /** The comment of the rules in the endpoint's own chain; undefined: none. */
  readonly ownComment: string | undefined;
}

const MARK_MASQ = jump("KUBE-MARK-MASQ");

/** The endpoints' chain names, by endpoint; each is hashed once. */
export function endpointChains(port: ServicePort, endpoints: readonly Endpoint[]): Map<Endpoint, string> {
  return new Map(
    endpoints.map((endpoint) => [endpoint, endpointChainName(port.name, port.protocolName, endpoint.text)]),
  );
}

function commented(text: string | undefined): CommentMatch[] {
  return text === undefined ? [] : [comment(text)];
}

/**
 * Writes the rules of one chain that choose among endpoints: first those of session affinity, then a chain of draws,
 * 1/n for the first of n left, the last without a draw (writeServiceToEndpointRules).
 */
export function writeChoice(
  draft: Draft,
  chain: string,
  port: ServicePort,
  endpoints: readonly Endpoint[],
  names: ReadonlyMap<Endpoint, string>,
  options: EndpointRuleOptions,
): void {
  const rules = draft.chain("nat", chain);
  const text = (endpoint: Endpoint, i: number, affinity: boolean): CommentMatch[] =>
    commented(options.choiceComment?.(endpoint, i, affinity));
  if (port.affinitySeconds > 0) {
    endpoints.forEach((endpoint, i) => {
      const name = names.get(endpoint)!;
      const seen = seenWithin(name, port.affinitySeconds, options.family);
      rules.push(rule(...text(endpoint, i, true), seen, jump(name)));
    });
  }
  endpoints.forEach((endpoint, i) => {
    const left = endpoints.length - i;
    const draw: Statement[] = left > 1 ? [oneOf(left, options.decimals)] : [];
    rules.push(rule(...text(endpoint, i, false), ...draw, jump(names.get(endpoint)!)));
  });
}

/** Writes the chain of each endpoint: masquerade for a pod that reaches itself, then the translation. */
export function writeEndpoints(
  draft: Draft,
  port: ServicePort,
  endpoints: readonly Endpoint[],
  names: ReadonlyMap<Endpoint, string>,
  options: EndpointRuleOptions,
): void {
  const text = commented(options.ownComment);
  for (const endpoint of endpoints) {
    const name = names.get(endpoint)!;
    const affinity = port.affinitySeconds > 0 ? [remember(name, options.family)] : [];
    draft
      .chain("nat", name)
      .push(
        rule(sourceHost(endpoint.address), ...text, MARK_MASQ),
        rule(
          protocol(port.protocol),
          ...text,
          ...affinity,
          transport(port.protocol),
          dnat(endpoint.address, endpoint.port),
        ),
      );
  }
}
