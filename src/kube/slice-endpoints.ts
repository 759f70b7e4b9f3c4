import { type Address, type Family, familyOf, formatEndpoint } from "../packet/address.js";
import { namespaceOf, ObjectCritic, type Report } from "./object-problem.js";
import { type EndpointSlice, type ServiceSpecPort, type SliceEndpoint, SERVICE_NAME_LABEL } from "./objects.js";
import { parseSloppyAddress } from "./sloppy-address.js";

/** One endpoint of a service port. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
  /** `ip:port` or `[ip]:port`: what chains are hashed by and endpoints ordered by. Before v1.33 the address as the slice spells it. */
  readonly text: string;
  /** It runs on this node. */
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Zones and nodes the slice hints it for. */
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

/** How a version of kube-proxy reads slices. */
export interface SliceOptions {
  /** Endpoints by the text `ip:port` and each once (v1.19 and later), or as the objects list them. */
  readonly sorted: boolean;
  /** Addresses are written in their canonical form wherever they stand (v1.33 and later). */
  readonly canonicalAddresses: boolean;
}

/** A slice's endpoint with its address read. */
interface ReadAddress {
  readonly endpoint: SliceEndpoint;
  readonly address: Address;
  readonly text: string;
}

const NONE: readonly string[] = [];
const nameOf = ({ name }: { readonly name: string }): string => name;

/**
 * The slices of a family, by `namespace/service`: each address is read once, whatever the number of ports. What kube-proxy leaves out is
 * left out with a warning (pkg/proxy/endpointslicecache.go).
 */
export class SliceIndex {
  private readonly slices = new Map<string, Map<string, EndpointSlice>>();
  private readonly addresses = new Map<EndpointSlice, readonly ReadAddress[]>();

  constructor(
    private readonly family: Family,
    private readonly nodeName: string,
    private readonly options: SliceOptions,
    private readonly report: Report,
  ) {}

  add(slice: EndpointSlice): void {
    const { metadata } = slice;
    const owner = metadata.labels?.[SERVICE_NAME_LABEL];
    if (owner === undefined || owner === "") {
      const message = `it has no label ${SERVICE_NAME_LABEL}: kube-proxy cannot tell its Service and leaves it out`;
      new ObjectCritic(slice, this.report).warn("slice-without-service", ["metadata"], message);
      return;
    }
    if (slice.addressType !== (this.family === "ip" ? "IPv4" : "IPv6")) return;
    const key = `${namespaceOf(metadata)}/${owner}`;
    let known = this.slices.get(key);
    if (known === undefined) this.slices.set(key, (known = new Map<string, EndpointSlice>()));
    if (known.has(metadata.name))
      new ObjectCritic(slice, this.report).warn("duplicate-object", [], "it stands twice; the later one counts");
    known.set(metadata.name, slice);
  }

  /** Reads the slices no service port asked for: what is wrong in them is said all the same. */
  checkRest(): void {
    for (const slices of this.slices.values()) for (const slice of slices.values()) this.read(slice);
  }

  /** Slice ports are matched by name and protocol; of equal endpoints one stays, a local one before others. */
  endpointsOf(service: string, servicePort: ServiceSpecPort): Endpoint[] {
    const all: Endpoint[] = [];
    for (const slice of this.slices.get(service)?.values() ?? []) {
      for (const port of slice.ports ?? []) {
        if (port.port === undefined || port.port === 0 || (port.name ?? "") !== (servicePort.name ?? "")) continue;
        if ((port.protocol ?? "TCP") !== (servicePort.protocol ?? "TCP")) continue;
        for (const one of this.read(slice)) all.push(this.endpoint(one, port.port));
      }
    }
    return this.options.sorted && all.length > 1 ? sortUnique(all) : all;
  }

  private endpoint({ endpoint, address, text }: ReadAddress, port: number): Endpoint {
    const { conditions, hints, nodeName } = endpoint;
    return {
      address,
      port,
      text: `${text}:${port}`,
      local: nodeName !== undefined && nodeName === this.nodeName,
      ready: conditions?.ready ?? true,
      serving: conditions?.serving ?? true,
      terminating: conditions?.terminating ?? false,
      zones: hints?.forZones?.map(nameOf) ?? NONE,
      nodes: hints?.forNodes?.map(nameOf) ?? NONE,
    };
  }

  /** Only the first address of an endpoint counts. */
  private read(slice: EndpointSlice): readonly ReadAddress[] {
    const known = this.addresses.get(slice);
    if (known !== undefined) return known;
    const read: ReadAddress[] = [];
    (slice.endpoints ?? []).forEach((endpoint, i) => {
      const spelled = endpoint.addresses[0];
      const address = spelled === undefined ? undefined : parseSloppyAddress(spelled);
      if (spelled === undefined || address === undefined || familyOf(address) !== this.family)
        return this.complain(slice, i, spelled, address);
      const canonical = this.options.canonicalAddresses ? formatEndpoint(address, 0).slice(0, -2) : undefined;
      read.push({ endpoint, address, text: canonical ?? (typeof address === "number" ? spelled : `[${spelled}]`) });
    });
    this.addresses.set(slice, read);
    return read;
  }

  private complain(slice: EndpointSlice, i: number, text: string | undefined, address: Address | undefined): void {
    const critic = new ObjectCritic(slice, this.report);
    const path = ["endpoints", i, "addresses"];
    if (text === undefined)
      critic.warn("endpoint-without-address", path, "the endpoint has no address; kube-proxy leaves it out");
    else if (address === undefined)
      critic.error("bad-address", [...path, 0], `${JSON.stringify(text)} is no IP address`);
    else {
      const message = `${text} is no ${slice.addressType} address; kube-proxy leaves the endpoint out`;
      critic.warn("other-family", [...path, 0], message);
    }
  }
}

function sortUnique(all: readonly Endpoint[]): Endpoint[] {
  const unique = new Map<string, Endpoint>();
  for (const endpoint of all) if (endpoint.local || !unique.has(endpoint.text)) unique.set(endpoint.text, endpoint);
  return [...unique.values()].sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
}
