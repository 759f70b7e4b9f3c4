import { CtState } from "../../packet/connection.js";
import type { Rule } from "../../ruleset/types.js";
import type { LocalDetector, Settings } from "../configuration.js";
import type { Draft, TableName } from "./draft.js";
import type { Layout } from "./layout.js";
import {
  ACCEPT,
  accounting,
  comment,
  conntrackState,
  destination,
  destinationHost,
  DESTINATION_LOCAL,
  DROP,
  jump,
  loopback,
  mark,
  RETURN,
  rule,
  setMark,
  source,
} from "../statements.js";

/** The bit kubelet marks packets with that are to be dropped. */
const DROP_MARK = 0x8000;

/** The counter of IPTablesCTStateInvalidDroppedNFAcctCounter (pkg/proxy/metrics). */
const INVALID_DROPPED = accounting("ct_state_invalid_dropped_pkts");

const NEW = conntrackState(CtState.new);
const ESTABLISHED = conntrackState(CtState.established | CtState.related);

/** A jump from a built-in chain: where from, where to, its comment, and whether for new connections only. */
interface Jump {
  readonly table: TableName;
  readonly from: string;
  readonly to: string;
  readonly comment: string;
  readonly newOnly: boolean;
}

function jumpOf(table: TableName, from: string, to: string, text: string, newOnly = false): Jump {
  return { table, from, to, comment: text, newOnly };
}

const PORTALS = "kubernetes service portals";
const EXTERNAL_PORTALS = "kubernetes externally-visible service portals";
const FIREWALL = "kubernetes load balancer firewall";

const NAT_JUMPS: readonly Jump[] = [
  jumpOf("nat", "PREROUTING", "KUBE-SERVICES", PORTALS),
  jumpOf("nat", "OUTPUT", "KUBE-SERVICES", PORTALS),
  jumpOf("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
];

/** In the order of the chains: kube-proxy prepends each, so the one its code names last stands first. */
const FILTER_JUMPS: readonly Jump[] = [
  jumpOf("filter", "INPUT", "KUBE-PROXY-FIREWALL", FIREWALL, true),
  jumpOf("filter", "INPUT", "KUBE-NODEPORTS", "kubernetes health check service ports"),
  jumpOf("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", EXTERNAL_PORTALS, true),
  jumpOf("filter", "FORWARD", "KUBE-PROXY-FIREWALL", FIREWALL, true),
  jumpOf("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
  jumpOf("filter", "FORWARD", "KUBE-SERVICES", PORTALS, true),
  jumpOf("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", EXTERNAL_PORTALS, true),
  jumpOf("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", FIREWALL, true),
  jumpOf("filter", "OUTPUT", "KUBE-SERVICES", PORTALS, true),
];

const OLD_FILTER_JUMPS: readonly Jump[] = [
  jumpOf("filter", "INPUT", "KUBE-SERVICES", PORTALS, true),
  jumpOf("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", EXTERNAL_PORTALS, true),
  jumpOf("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
  jumpOf("filter", "FORWARD", "KUBE-SERVICES", PORTALS, true),
  jumpOf("filter", "OUTPUT", "KUBE-SERVICES", PORTALS, true),
];

/** A jump as it stands in a chain. */
export interface JumpRule {
  readonly from: string;
  readonly to: string;
  readonly rule: Rule;
}

/** The jumps of a layout, chain by chain in the order they stand. */
export function jumpRules(layout: Layout, table: TableName): JumpRule[] {
  const jumps = [...NAT_JUMPS, ...(layout.oldJumps ? OLD_FILTER_JUMPS : FILTER_JUMPS)];
  const rules = jumps
    .filter((one) => one.table === table)
    .map(({ from, to, newOnly, comment: text }) => ({
      from,
      to,
      rule: rule(...(newOnly ? [NEW] : []), comment(text), jump(to)),
    }));
  if (table !== "filter" || layout.firewall === "none") return rules;
  const both = ["INPUT", "OUTPUT"].map((from) => ({ from, to: "KUBE-FIREWALL", rule: rule(jump("KUBE-FIREWALL")) }));
  // kube-proxy prepends its jumps after kubelet has appended its own; since v1.27 both are kube-proxy's.
  return layout.firewall === "kube-proxy" ? [...both, ...rules] : [...rules, ...both];
}

/** KUBE-MARK-MASQ and KUBE-POSTROUTING. */
export function masqueradeChains(layout: Layout, bit: number): { name: string; rules: Rule[] }[] {
  const to = layout.randomFully ? { fullyRandom: true } : {};
  const masquerade = { kind: "masquerade", to } as const;
  const reason = comment("kubernetes service traffic requiring SNAT");
  const postrouting = layout.clearMark
    ? [rule(mark(bit, true), RETURN), rule(setMark(0, bit)), rule(reason, masquerade)]
    : [rule(reason, mark(bit), masquerade)];
  return [
    { name: "KUBE-MARK-MASQ", rules: [rule(setMark(bit, bit))] },
    { name: "KUBE-POSTROUTING", rules: postrouting },
  ];
}

/** KUBE-MARK-DROP, the chain kubelet made for kube-proxy to jump to. */
export function markDropRules(): Rule[] {
  return [rule(setMark(DROP_MARK, DROP_MARK))];
}

/** KUBE-FIREWALL as kube-proxy or kubelet writes it. */
export function firewallRules(layout: Layout, family: Settings["family"], localhostNodePorts: boolean): Rule[] {
  if (layout.firewall === "kubelet")
    return [rule(comment("kubernetes firewall for dropping marked packets"), mark(DROP_MARK), DROP)];
  if (family !== "ip" || !localhostNodePorts) return [];
  const states = CtState.related | CtState.established | CtState.dnat;
  return [
    rule(
      source(loopback(family), true),
      destination(loopback(family)),
      comment("block incoming localnet connections"),
      conntrackState(states, true),
      DROP,
    ),
  ];
}

/** What KUBE-FORWARD depends on besides the layout. */
export interface ForwardOptions {
  readonly detector?: LocalDetector | undefined;
  readonly conntrackBeLiberal?: boolean | undefined;
  readonly nfacct?: boolean | undefined;
}

/** KUBE-FORWARD. */
export function forwardRules(layout: Layout, bit: number, options: ForwardOptions = {}): Rule[] {
  const { detector } = options;
  const rules: Rule[] = [];
  if (!(layout.beLiberal && options.conntrackBeLiberal === true)) {
    const counted = layout.countsInvalid && options.nfacct === true ? [INVALID_DROPPED] : [];
    rules.push(rule(conntrackState(CtState.invalid), ...counted, DROP));
  }
  rules.push(rule(comment("kubernetes forwarding rules"), mark(bit), ACCEPT));
  if (!layout.forwardByPrefix) rules.push(rule(comment("kubernetes forwarding conntrack rule"), ESTABLISHED, ACCEPT));
  else if (detector?.kind === "prefix") {
    const { prefix } = detector;
    rules.push(
      rule(source(prefix), comment("kubernetes forwarding conntrack pod source rule"), ESTABLISHED, ACCEPT),
      rule(destination(prefix), comment("kubernetes forwarding conntrack pod destination rule"), ESTABLISHED, ACCEPT),
    );
  }
  return rules;
}

const NODE_PORTS = comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain");

/** The rules that end nat KUBE-SERVICES: whatever is left and addressed to the node goes to the node ports. */
export function nodePortJumps(settings: Pick<Settings, "family" | "localhostNodePorts" | "nodePortAddresses">): Rule[] {
  const to = jump("KUBE-NODEPORTS");
  if (settings.nodePortAddresses !== undefined)
    return settings.nodePortAddresses.map((address) => rule(destinationHost(address), NODE_PORTS, to));
  const withoutLoopback = settings.family === "ip6" || !settings.localhostNodePorts;
  return [
    withoutLoopback
      ? rule(destination(loopback(settings.family), true), NODE_PORTS, DESTINATION_LOCAL, to)
      : rule(NODE_PORTS, DESTINATION_LOCAL, to),
  ];
}

/** Writes everything that does not depend on a service, except the nodeports jump, which must come after all services. */
export function writeStaticChains(draft: Draft, layout: Layout, settings: Settings): void {
  for (const table of ["nat", "filter"] as const) {
    for (const { from, to, rule } of jumpRules(layout, table)) {
      draft.chain(table, from).push(rule);
      draft.chain(table, to);
    }
  }
  for (const { name, rules } of masqueradeChains(layout, settings.mark)) draft.chain("nat", name).push(...rules);
  draft.chain("nat", "KUBE-NODEPORTS");
  if (layout.canary) for (const table of ["nat", "mangle", "filter"] as const) draft.chain(table, "KUBE-PROXY-CANARY");
  if (layout.firewall === "kubelet") draft.chain("nat", "KUBE-MARK-DROP").push(...markDropRules());
  if (layout.firewall !== "none")
    draft.chain("filter", "KUBE-FIREWALL").push(...firewallRules(layout, settings.family, settings.localhostNodePorts));
  draft
    .chain("filter", "KUBE-FORWARD")
    .push(...forwardRules(layout, settings.mark, { ...settings.node, detector: settings.detector }));
}
