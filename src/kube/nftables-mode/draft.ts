import { type Address, type Family, formatAddress } from "../../packet/address.js";
import { hostPrefix } from "../../packet/prefix.js";
import { type Problem, warning } from "../../ruleset/problem.js";
import type {
  BaseChain,
  KeyType,
  MapElement,
  Rule,
  RuleSet,
  SetDefinition,
  SetElement,
  Verdict,
  VerdictMapDefinition,
} from "../../ruleset/types.js";
import { dataTypes } from "../../syntax/nft/data-types.js";
import { arrange } from "../../syntax/nft/elements.js";
import type { ServicePort } from "../services.js";
import { elementKey } from "./statements.js";

/** The verdict maps of kube-proxy, by what they are looked up with. */
export type DestinationMap = "no-endpoint-services" | "firewall-ips" | "service-ips";
export type NodePortMap = "no-endpoint-nodeports" | "service-nodeports";

const MAPS: readonly { readonly name: DestinationMap | NodePortMap; readonly comment: string }[] = [
  { name: "no-endpoint-services", comment: "vmap to drop or reject packets to services with no endpoints" },
  { name: "no-endpoint-nodeports", comment: "vmap to drop or reject packets to service nodeports with no endpoints" },
  { name: "firewall-ips", comment: "destinations that are subject to LoadBalancerSourceRanges" },
  { name: "service-ips", comment: "ClusterIP, ExternalIP and LoadBalancer IP traffic" },
  { name: "service-nodeports", comment: "NodePort traffic" },
];

/** The size the kernel gives a set that rules add to, as listings show it. */
const DYNAMIC_SET_SIZE = 65535;

/** A table while it is being written: rules are appended by chain, elements by set or map; a chain is there from its first mention. */
export class Draft {
  private readonly chains = new Map<string, { base?: BaseChain; comment?: string; rules: Rule[] }>();
  private readonly sets = new Map<string, SetDefinition & { elements: SetElement[] }>();
  private readonly maps = new Map<string, Map<string, MapElement>>(MAPS.map(({ name }) => [name, new Map()]));
  private readonly clusterIPs = new Set<string>();

  /** What nft would refuse, or resolves by an order that is random in kube-proxy. */
  readonly problems: Problem[] = [];

  constructor(
    private readonly family: Family,
    private readonly replacesElements: boolean,
  ) {}

  get addressType(): KeyType {
    return this.family === "ip" ? "ipv4_addr" : "ipv6_addr";
  }

  /** Makes sure that a chain exists; its rules, to append to. */
  chain(name: string, facts: { base?: BaseChain; comment?: string } = {}): Rule[] {
    let chain = this.chains.get(name);
    if (chain === undefined) this.chains.set(name, (chain = { ...facts, rules: [] }));
    return chain.rules;
  }

  addSet(name: string, comment: string, type: readonly KeyType[] = [this.addressType]): void {
    this.sets.set(name, { name, type, flags: [], comment, elements: [] });
  }

  /** The set of clients that went to an endpoint. */
  addAffinitySet(name: string, seconds: number): void {
    this.sets.set(name, {
      name,
      type: [this.addressType],
      flags: ["dynamic", "timeout"],
      size: DYNAMIC_SET_SIZE,
      timeout: seconds * 1000,
      elements: [],
    });
  }

  addElement(set: string, element: SetElement): void {
    this.sets.get(set)!.elements.push(element);
  }

  /** Ports of one Service share their address: it stands in the set once. */
  addClusterIP(address: Address): void {
    const text = formatAddress(address);
    if (this.clusterIPs.has(text)) return;
    this.clusterIPs.add(text);
    this.addElement("cluster-ips", { key: [hostPrefix(address)] });
  }

  /** An element for an address and the service's own port. */
  addDestination(map: DestinationMap, port: ServicePort, address: Address, verdict: Verdict, comment?: string): void {
    const key = `${formatAddress(address)} . ${port.protocolName} . ${port.port}`;
    this.put(map, key, {
      key: elementKey(address, port.protocol, port.port),
      verdict,
      ...(comment === undefined ? {} : { comment }),
    });
  }

  /** An element for the service's node port. */
  addNodePort(map: NodePortMap, port: ServicePort, verdict: Verdict, comment?: string): void {
    const key = `${port.protocolName} . ${port.nodePort}`;
    this.put(map, key, {
      key: elementKey(undefined, port.protocol, port.nodePort),
      verdict,
      ...(comment === undefined ? {} : { comment }),
    });
  }

  /** Of two elements with one key the later counts, as in v1.32 and later where that order is random. */
  private put(map: string, key: string, element: MapElement): void {
    const elements = this.maps.get(map)!;
    const known = elements.get(key);
    if (known !== undefined && JSON.stringify(known.verdict) !== JSON.stringify(element.verdict)) {
      const what = `two services want ${key} in ${map}`;
      const then = this.replacesElements
        ? "kube-proxy keeps one of them by chance; here it is the later"
        : "nft refuses all that kube-proxy before v1.32 writes then; here the later counts";
      this.problems.push(warning("duplicate-element", `${what}: ${then}`));
    }
    elements.set(key, element);
  }

  finish(): RuleSet {
    const maps = MAPS.map(({ name, comment }): VerdictMapDefinition => {
      const port: readonly KeyType[] = ["inet_proto", "inet_service"];
      const type = name.endsWith("-nodeports") ? port : [this.addressType, ...port];
      return {
        name,
        type,
        flags: [],
        comment,
        value: "verdict",
        elements: arranged([...this.maps.get(name)!.values()], type),
      };
    });
    const chains = [...this.chains].map(([name, chain]) => ({ name, ...chain }));
    const sets = [...this.sets.values()].map((set) => ({ ...set, elements: arranged(set.elements, set.type) }));
    const table = { family: this.family, name: "kube-proxy", chains, sets, maps, comment: "rules for kube-proxy" };
    return { tables: [table] };
  }
}

/** In the order nft lists them. */
function arranged<E extends SetElement>(elements: readonly E[], type: readonly KeyType[]): E[] {
  return arrange(
    elements,
    type.map((name) => dataTypes[name]),
    "hash",
    false,
  );
}
