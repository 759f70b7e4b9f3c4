import { type Address, familyOf, sameAddress } from "../../packet/address.js";
import type { MaskedAddress } from "../../packet/prefix.js";
import { protocolName } from "../../packet/protocol.js";
import { jumpOf } from "../../ruleset/resolve.js";
import type {
  Chain,
  MapDefinition,
  MapElement,
  Rule,
  SetDefinition,
  SetElement,
  Statement,
  Table,
  Verdict,
} from "../../ruleset/types.js";
import { type EndpointChoice, type ReadEndpoint, translationOf } from "../read-endpoints.js";
import type { ReadServicePort } from "../read-service.js";
import { addressOf, firstDraw, mapsOf, numberOf } from "./read-draw.js";

/** `service-ULMVA6XW-ns1/svc1/tcp/p80`; the hash names the port in every chain of it. */
const CHAIN = /^(service|local|external|firewall)-([A-Z2-7]{8}-([^/]+)\/([^/]+)\/(tcp|udp|sctp)\/(.*))$/s;
/** The comment of an element that refuses: `ns1/svc1:p80`, or `ns1/svc1` where the port has no name. */
const LABEL = /^([^/]+)\/([^:]+)(?::(.*))?$/s;

/** A port of a service, with the names of the service. */
export interface NamedServicePort extends ReadServicePort {
  readonly namespace: string;
  readonly service: string;
}

/** What the maps lead to for one destination. */
interface Entry {
  readonly map: "service-ips" | "service-nodeports" | "firewall-ips" | "no-endpoint-services" | "no-endpoint-nodeports";
  /** Undefined: every address that takes node ports. */
  readonly address: Address | undefined;
  readonly protocol: number;
  readonly port: number;
  readonly verdict: Verdict;
}

/** What a table holds, by name. */
interface Names {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly maps: ReadonlyMap<string, MapDefinition>;
  readonly sets: ReadonlyMap<string, SetDefinition>;
  isClusterIP(address: Address): boolean;
}

interface Draft {
  readonly namespace: string;
  readonly service: string;
  readonly name: string;
  /** What follows the prefix in the names of its chains; undefined where none is left. */
  base: string | undefined;
  readonly entries: Entry[];
}

/**
 * The service ports of kube-proxy's nftables mode, in the order of the maps; none for a table that is not its. The maps do not tell an external
 * IP from an address of a load balancer: those with a firewall in front of them count as the load balancer's, all others as external IPs.
 */
export function servicePortsOfTable(table: Table): NamedServicePort[] {
  if (!isProxyTable(table)) return [];
  const sets = new Map(table.sets.map((set) => [set.name, set]));
  const clusterIPs = new Set((sets.get("cluster-ips")?.elements ?? []).map(({ key }) => String(addressOf(key[0]))));
  const names: Names = {
    chains: new Map(table.chains.map((chain) => [chain.name, chain])),
    maps: mapsOf(table),
    sets,
    isClusterIP: (address) => clusterIPs.has(String(address)),
  };
  return [...draftsOf(table).values()].map((draft) => readPort(draft, names));
}

/** Whether kube-proxy's nftables mode wrote it. */
export function isProxyTable(table: Table): boolean {
  return table.name === "kube-proxy" && table.maps.some(({ name }) => name === "service-ips");
}

function draftsOf(table: Table): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  const names = [
    "service-ips",
    "service-nodeports",
    "firewall-ips",
    "no-endpoint-services",
    "no-endpoint-nodeports",
  ] as const;
  for (const map of names) {
    for (const element of table.maps.find(({ name }) => name === map)?.elements ?? []) {
      const { verdict } = element as MapElement;
      const entry = entryOf(map, element, verdict);
      const to = verdict?.kind === "goto" || verdict?.kind === "jump" ? CHAIN.exec(verdict.chain) : null;
      const label = LABEL.exec(element.comment ?? "");
      if (entry === undefined || (to === null && label === null)) continue;
      const [namespace, service, name] = to === null ? label!.slice(1) : [to[3]!, to[4]!, to[6]!];
      const key = `${namespace}/${service}/${entry.protocol}/${name ?? ""}`;
      let draft = drafts.get(key);
      if (draft === undefined)
        drafts.set(
          key,
          (draft = { namespace: namespace!, service: service!, name: name ?? "", base: undefined, entries: [] }),
        );
      draft.base ??= to?.[2];
      draft.entries.push(entry);
    }
  }
  return drafts;
}

/** The key is address, protocol and port; of node ports without the address. */
function entryOf(map: Entry["map"], { key }: SetElement, verdict: Verdict | undefined): Entry | undefined {
  const ofNodePort = map === "service-nodeports" || map === "no-endpoint-nodeports";
  const address = ofNodePort ? undefined : addressOf(key[0]!);
  const [protocol, port] = key.slice(ofNodePort ? 0 : 1).map(numberOf);
  if (verdict === undefined || protocol === undefined || port === undefined) return undefined;
  return !ofNodePort && address === undefined ? undefined : { map, address, protocol, port, verdict };
}

function readPort({ namespace, service, name, base, entries }: Draft, names: Names): NamedServicePort {
  const { chains, isClusterIP } = names;
  const chain = (prefix: string): Chain | undefined =>
    base === undefined ? undefined : chains.get(`${prefix}-${base}`);
  const [cluster, local, external, firewall] = ["service", "local", "external", "firewall"].map(chain);
  const chosen = cluster ?? local;
  const addresses = unique(entries.flatMap((entry) => (entry.address === undefined ? [] : [entry.address])));
  const guarded = new Set(entries.flatMap((entry) => (entry.map === "firewall-ips" ? [String(entry.address)] : [])));
  const outside = addresses.filter((address) => !isClusterIP(address));
  const loadBalancerIPs = outside.filter((address) => guarded.has(String(address)));
  const nodePort = entries.find((entry) => entry.address === undefined);
  const refusals = entries.filter((entry) => entry.map.startsWith("no-endpoint"));
  const refused = refusals.map((entry): "drop" | "reject" => (entry.verdict.kind === "drop" ? "drop" : "reject"));
  const ofCluster = entries.filter(({ address }) => address !== undefined && isClusterIP(address));
  const { protocol } = entries[0]!;
  return {
    namespace,
    service,
    name,
    protocol,
    protocolName: protocolName(protocol),
    clusterIPs: addresses.filter(isClusterIP),
    port: entries.find((entry) => entry.address !== undefined)?.port ?? 0,
    nodePort: nodePort?.port ?? 0,
    healthCheckNodePort: 0,
    externalIPs: outside.filter((address) => !guarded.has(String(address))),
    loadBalancerIPs,
    sourceRanges: sourceRangesOf(firewall, loadBalancerIPs),
    refused: refused[0],
    internalTrafficPolicy: ofCluster.some((entry) => leadsTo(entry, "local-") || entry.verdict.kind === "drop")
      ? "Local"
      : "Cluster",
    externalTrafficPolicy:
      outside.length === 0 && nodePort === undefined
        ? undefined
        : external?.rules.some((rule) => jumpOf(rule)?.chain.startsWith("local-")) === true ||
            entries.some((entry) => !ofCluster.includes(entry) && entry.verdict.kind === "drop")
          ? "Local"
          : "Cluster",
    chain: chosen?.name,
    choice: chosen === undefined ? { endpoints: [], affinitySeconds: 0 } : readDraw(chosen, names),
    localChoice: local === undefined ? undefined : readDraw(local, names),
    unserved: entries.every((entry) => entry.map.startsWith("no-endpoint")),
  };
}

function leadsTo({ verdict }: Entry, prefix: string): boolean {
  return (verdict.kind === "goto" || verdict.kind === "jump") && verdict.chain.startsWith(prefix);
}

/** The endpoints a chain draws among; session affinity by its rules that look for the client in a set. */
function readDraw(chain: Chain, { chains, maps, sets }: Names): EndpointChoice {
  const draw = firstDraw(chain, maps);
  if (draw === undefined) return { endpoints: [], affinitySeconds: 0 };
  const endpoints = draw.elements.map(({ chain: target, address, port, numbers }): ReadEndpoint => {
    const to = target === undefined ? { address, port } : translationOf(chains.get(target));
    const probability = (numbers[1] - numbers[0] + 1) / draw.mod;
    return { chain: target ?? chain.name, ...to, spelled: undefined, threshold: 2 ** 31, numbers, probability };
  });
  return { endpoints, affinitySeconds: affinityOf(chain.rules, sets), mod: draw.mod };
}

function affinityOf(rules: readonly Rule[], sets: Names["sets"]): number {
  for (const { statements } of rules) {
    const lookup = statements.find((one): one is Extract<Statement, { kind: "lookup" }> => one.kind === "lookup");
    const name = typeof lookup?.set === "string" && lookup.set.startsWith("affinity-") ? lookup.set : undefined;
    const set = name === undefined ? undefined : sets.get(name);
    if (set?.timeout !== undefined) return Math.round(set.timeout / 1000);
  }
  return 0;
}

/** `ip saddr != { ... } drop`, without the balancer's own addresses, which kube-proxy adds. */
function sourceRangesOf(firewall: Chain | undefined, own: readonly Address[]): MaskedAddress[] {
  const found = (firewall?.rules ?? []).flatMap(({ statements }) =>
    statements.flatMap((one): MaskedAddress[] => {
      if (one.kind === "address" && one.negate) return [{ value: one.value, mask: one.mask }];
      if (one.kind !== "lookup" || !one.negate || typeof one.set === "string") return [];
      return one.set.flatMap(({ key }) => (typeof key[0] === "object" && "mask" in key[0] ? [key[0]] : []));
    }),
  );
  const isOwn = ({ value, mask }: MaskedAddress): boolean =>
    own.some((address) => familyOf(address) === familyOf(value) && sameAddress(address, value)) && isHostMask(mask);
  const listed = found.filter((range) => !isOwn(range));
  return listed.length > 0 ? listed : found;
}

const isHostMask = (mask: Address): boolean =>
  typeof mask === "number" ? mask === 0xffffffff : mask.every((word) => word === 0xffffffff);

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [String(address), address])).values()];
}
