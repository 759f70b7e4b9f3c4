import { type Address, formatAddress } from "./address.js";
import { contains, insideMask, type MaskedAddress, prefixLength, prefixMask } from "./prefix.js";
import { DEFAULT_INTERFACE } from "./packet.js";

/** What routing says of a destination: whether it is the node itself, the way out, and the source address used on it. */
export interface Route {
  readonly local: boolean;
  /** The outgoing interface; `lo` where local. */
  readonly oif: string;
  /** The address MASQUERADE picks on that interface; undefined where the node was not told any of the family. */
  readonly source: Address | undefined;
}

/** A line of the routing table; the longest prefix wins, the first of equals. */
export interface RouteEntry extends MaskedAddress {
  readonly oif: string;
  /** The interface's own address; without it the node's first address of the family. */
  readonly source?: Address;
}

/** The address types of addrtype and fib, as the kernel's RTN_ names say. */
export type AddressType = "UNSPEC" | "UNICAST" | "LOCAL" | "BROADCAST" | "ANYCAST" | "MULTICAST";

const LOOPBACK_4 = { value: 0x7f000000, mask: 0xff000000 };

/** The node a walk takes place on: its addresses and routes. Immutable; engines compare nodes by identity. */
export class Node {
  /** All addresses besides loopback; the first of a family is its primary address. */
  readonly addresses: readonly Address[];
  readonly routes: readonly RouteEntry[];
  /** Where a packet leaves by when no route says otherwise. */
  readonly defaultInterface = DEFAULT_INTERFACE;
  private readonly local: ReadonlySet<string | number>;

  constructor(addresses: readonly Address[] = [], routes: readonly RouteEntry[] = []) {
    this.addresses = addresses;
    this.routes = [...routes].sort((a, b) => prefixLength(b.mask) - prefixLength(a.mask));
    this.local = new Set(addresses.map(key));
  }

  /** Whether the address is the node's own: one of its addresses, 127.0.0.0/8 or ::1. */
  isLocal(address: Address): boolean {
    if (typeof address === "number") {
      if (insideMask(address, LOOPBACK_4.value, LOOPBACK_4.mask)) return true;
    } else if (isLoopback6(address)) return true;
    return this.local.has(key(address));
  }

  /** Where a packet to this destination goes. What has no line in the table leaves by the default interface. */
  route(destination: Address): Route {
    if (this.isLocal(destination)) {
      // lo has no address of universal scope: IPv4 takes the node's first one (inet_select_addr), IPv6 the very same (RFC 6724, rule 1).
      const source = typeof destination === "number" ? this.primary(destination) : destination;
      return { local: true, oif: "lo", source };
    }
    for (const entry of this.routes) {
      if (contains(entry, destination)) {
        return { local: false, oif: entry.oif, source: entry.source ?? this.primary(destination) };
      }
    }
    return { local: false, oif: this.defaultInterface, source: this.primary(destination) };
  }

  /**
   * Where a packet goes that came in by an interface (empty: one of the node itself); undefined where no route leads there. Only ::1 asks by which:
   * from outside it is no address of the node, but goes by the routes of that interface (rt6_need_strict in net/ipv6/route.c).
   */
  routeFrom(iif: string, destination: Address): Route | undefined {
    if (iif === "" || iif === "lo" || !isLoopback6(destination)) return this.route(destination);
    const entries = this.routes.filter((entry) => contains(entry, destination));
    const entry = entries.find(({ oif }) => oif === iif);
    const byDefault = iif === this.defaultInterface && entries.every(({ mask }) => prefixLength(mask) > 0);
    if (entry === undefined && !byDefault) return undefined;
    return { local: false, oif: iif, source: entry?.source ?? this.primary(destination) };
  }

  /** inet_addr_type of an address (net/ipv4/fib_frontend.c): zero and all-ones are broadcast, 224.0.0.0/4 multicast. */
  addressType(address: Address): AddressType {
    if (this.isLocal(address)) return "LOCAL";
    if (typeof address === "number") {
      if (address >>> 24 === 0 || address === 0xffffffff) return "BROADCAST";
      return address >>> 28 === 0xe ? "MULTICAST" : "UNICAST";
    }
    if (address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] === 0) return "UNSPEC";
    return address[0] >>> 24 === 0xff ? "MULTICAST" : "UNICAST";
  }

  private primary(destination: Address): Address | undefined {
    return this.addresses.find((address) => typeof address === typeof destination);
  }
}

function isLoopback6(address: Address): boolean {
  return typeof address !== "number" && address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] === 1;
}

function key(address: Address): string | number {
  return typeof address === "number" ? address : formatAddress(address);
}

/** The default route over an interface, for building a routing table. */
export function defaultRoute(family: "ip" | "ip6", oif: string, source?: Address): RouteEntry {
  const mask = prefixMask(family, 0);
  return { value: mask, mask, oif, ...(source === undefined ? {} : { source }) };
}
