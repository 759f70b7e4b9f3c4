/** Membership in ipsets as `-m set` tests it (net/netfilter/ipset/ip_set_hash_*.c). */
import type { Address, Family } from "../packet/address.js";
import { insideMask, prefixLength } from "../packet/prefix.js";
import { hasPorts, isIcmp, TCP, UDP } from "../packet/protocol.js";
import type { Tuple } from "../packet/tuple.js";
import type { IpSet, IpSetElement, IpSetPort } from "../ruleset/ipset.js";
import type { SetMatch } from "../ruleset/types.js";

/** What an ipset can look at. */
export interface SetSubject extends Tuple {
  readonly family: Family;
  readonly mark: number;
  readonly iif: string;
  readonly oif: string;
}

/** Whether the packet is in the set, dimension by dimension in the given directions. Fewer directions than dimensions: never. */
export function inIpSet(set: IpSet, directions: SetMatch["directions"], subject: SetSubject): boolean {
  if (directions.length < set.dimensions.length) return false;
  if (set.family !== subject.family && set.dimensions.some((d) => d === "ip" || d === "net")) return false;
  let best: IpSetElement | undefined;
  let bestLength = -1;
  for (const element of set.elements) {
    if (!element.parts.every((part, i) => partHolds(set, i, part, directions[i]!, subject))) continue;
    const length = specificity(element);
    // hash:*net* sets try the longest prefixes first; a nomatch element ends the search as a miss
    if (length > bestLength || (length === bestLength && element.nomatch === true)) {
      best = element;
      bestLength = length;
    }
  }
  return best !== undefined && best.nomatch !== true;
}

function specificity(element: IpSetElement): number {
  let length = 0;
  for (const part of element.parts) if (typeof part === "object" && "mask" in part) length += prefixLength(part.mask);
  return length;
}

function partHolds(
  set: IpSet,
  dimension: number,
  part: IpSetElement["parts"][number],
  direction: "src" | "dst",
  subject: SetSubject,
): boolean {
  switch (set.dimensions[dimension]!) {
    case "ip":
    case "net": {
      const address: Address = direction === "src" ? subject.src : subject.dst;
      return typeof part === "object" && "mask" in part && insideMask(address, part.value, part.mask);
    }
    case "port":
      return typeof part === "object" && "protocol" in part && portHolds(part, direction, subject);
    case "mark":
      return Array.isArray(part) && subject.mark >= (part as number[])[0]! && subject.mark <= (part as number[])[1]!;
    case "iface":
      return part === (direction === "src" ? subject.iif : subject.oif);
    case "mac":
      return false;
  }
}

/** ip_set_get_ip_port: the port of a direction, type and code for ICMP, 0 for protocols without ports. */
function portHolds(part: IpSetPort, direction: "src" | "dst", subject: SetSubject): boolean {
  const { protocol } = subject;
  if (part.protocol !== null && part.protocol !== protocol) return false;
  if (part.protocol === null && protocol !== TCP && protocol !== UDP) return false; // bitmap:port
  const port = hasPorts(protocol)
    ? direction === "src"
      ? subject.sport
      : subject.dport
    : isIcmp(protocol)
      ? subject.dport
      : 0;
  return port >= part.first && port <= part.last;
}
