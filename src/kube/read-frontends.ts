import type { Address } from "../packet/address.js";
import { prefixLength } from "../packet/prefix.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Rule, Table } from "../ruleset/types.js";

/** What an address of a service is to it. */
export type FrontendRole = "cluster IP" | "external IP" | "loadbalancer IP" | "node port";

/** The chain a rule that picks packets to a service stands in. */
export type FrontendPlace = "nat" | "filter KUBE-SERVICES" | "filter KUBE-EXTERNAL-SERVICES";

/** One rule that picks packets to a service: an address and port, or a node port. */
export interface Frontend {
  readonly place: FrontendPlace;
  /** The service port name, or the name of the rule's chain where no comment tells. */
  readonly label: string;
  readonly role: FrontendRole;
  /** Undefined for a node port. */
  readonly address: Address | undefined;
  readonly port: number;
  readonly protocol: number;
  /** Kind and hash of the chain it leads to; undefined where packets are refused. */
  readonly chain: { readonly kind: string; readonly hash: string; readonly name: string } | undefined;
  readonly refused: "reject" | "drop" | undefined;
  readonly rule: Rule;
}

const SERVICE_CHAIN = /^KUBE-(SVC|SVL|EXT|FW|XLB)-([A-Z2-7]{16})$/;
const ROLE = /^(.*) (cluster IP|external IP|loadbalancer IP)$/s;
const HEALTH_CHECK = /^(.*) health check node port$/s;
const REFUSED = /^(.*) has no (?:local )?endpoints$/s;

/** All rules of kube-proxy's chains that pick packets to services, in their order: those of nat, then those that refuse. */
export function frontendsOf(nat: Table, filter: Table | undefined): Frontend[] {
  const served = [...rulesOf(nat, "KUBE-SERVICES"), ...rulesOf(nat, "KUBE-NODEPORTS")].map(readServed);
  const refused = (["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"] as const).flatMap((chain) =>
    rulesOf(filter, chain).map((rule) => readRefused(rule, `filter ${chain}`)),
  );
  return [...served, ...refused].filter((one) => one !== undefined);
}

/** The health-check node port of each service port name. */
export function healthCheckPortsOf(filter: Table | undefined): Map<string, number> {
  const ports = new Map<string, number>();
  for (const rule of rulesOf(filter, "KUBE-NODEPORTS")) {
    const destination = destinationOf(rule);
    const label = HEALTH_CHECK.exec(destination?.comment ?? "")?.[1];
    if (label !== undefined) ports.set(label, destination!.port);
  }
  return ports;
}

function rulesOf(table: Table | undefined, chain: string): readonly Rule[] {
  return table?.chains.find((one) => one.name === chain)?.rules ?? [];
}

interface Destination {
  address: Address | undefined;
  port: number;
  protocol: number;
  comment: string | undefined;
}

/** Destination address, protocol and port of a rule; undefined where it has no single port. */
function destinationOf(rule: Rule): Destination | undefined {
  const found: Destination = { address: undefined, port: 0, protocol: 0, comment: undefined };
  for (const statement of rule.statements) {
    if (statement.kind === "address" && statement.field === "daddr" && !statement.negate) {
      const bits = typeof statement.value === "number" ? 32 : 128;
      if (prefixLength(statement.mask) === bits) found.address = statement.value;
    } else if (statement.kind === "protocol" && !statement.negate) found.protocol = statement.protocol;
    else if (statement.kind === "transport") found.port = statement.dport?.ranges[0]?.[0] ?? 0;
    else if (statement.kind === "comment") found.comment = statement.text;
  }
  return found.port === 0 || found.protocol === 0 ? undefined : found;
}

function readServed(rule: Rule): Frontend | undefined {
  const target = jumpOf(rule)?.chain;
  const chain = target === undefined ? null : SERVICE_CHAIN.exec(target);
  const destination = destinationOf(rule);
  if (target === undefined || chain === null || destination === undefined) return undefined;
  // Before v1.22 two rules lead an external IP to its service; this is the second one, for local addresses.
  if (
    destination.address !== undefined &&
    rule.statements.some((one) => one.kind === "address-type" && one.destination)
  )
    return undefined;
  const { comment, ...rest } = destination;
  const [kind, hash] = [chain[1]!, chain[2]!];
  const told = comment === undefined ? null : ROLE.exec(comment);
  const guess: FrontendRole = kind === "FW" ? "loadbalancer IP" : kind === "EXT" ? "external IP" : "cluster IP";
  return {
    ...rest,
    place: "nat",
    label: told?.[1] ?? comment ?? `KUBE-SVC-${hash}`,
    role: rest.address === undefined ? "node port" : ((told?.[2] as FrontendRole | undefined) ?? guess),
    chain: { kind, hash, name: target },
    refused: undefined,
    rule,
  };
}

/**
 * In filter a comment only says that there are no endpoints. KUBE-SERVICES has the cluster IP and, until v1.23, after it the load balancer's
 * addresses; what stands in KUBE-EXTERNAL-SERVICES may be a load balancer's address as well.
 */
function readRefused(rule: Rule, place: FrontendPlace): Frontend | undefined {
  const verdict = rule.statements[rule.statements.length - 1]?.kind;
  const destination = destinationOf(rule);
  if (destination === undefined || (verdict !== "reject" && verdict !== "drop")) return undefined;
  const { comment, ...rest } = destination;
  const label = REFUSED.exec(comment ?? "")?.[1];
  if (label === undefined) return undefined;
  const reachedBy = place === "filter KUBE-SERVICES" ? "cluster IP" : "external IP";
  const role = rest.address === undefined ? "node port" : reachedBy;
  return { ...rest, place, label, role, chain: undefined, refused: verdict, rule };
}
