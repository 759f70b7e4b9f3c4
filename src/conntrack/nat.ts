/** Which tuple a translated connection gets: get_unique_tuple and what it calls in net/netfilter/nf_nat_core.c. */
import { type Address, addressWords, compareAddresses, type IPv6 } from "../packet/address.js";
import type { PickedSource } from "../engine/types.js";
import { hasPorts, isIcmp } from "../packet/protocol.js";
import { replyTuple, type Tuple } from "../packet/tuple.js";
import type { NatRange } from "../ruleset/types.js";
import { jhash2, reciprocalScale, swapBytes } from "../packet/jhash.js";

/** NF_NAT_MAX_ATTEMPTS. */
const MAX_ATTEMPTS = 128;

/** What the choice of a tuple asks of the connections there are. */
export interface TupleSpace {
  /** Whether a connection is found under this tuple, in either direction. */
  isTaken(tuple: Tuple): boolean;
  /** The sources that connections from the same source address and port are translated to, the youngest first: the first that `accept` takes. */
  findMapping(
    source: Tuple,
    accept: (src: Address, sport: number) => boolean,
  ): { readonly src: Address; readonly sport: number } | undefined;
}

/** No connection at all. */
export const EMPTY_SPACE: TupleSpace = { isTaken: () => false, findMapping: () => undefined };

/** A uint32, every one as likely as any other. */
export type Random = () => number;

type Side = "source" | "destination";

/**
 * The tuple after DNAT. Without a port range the port stays. A tuple that is taken may come back where the range holds no free one: the
 * source is then changed at postrouting (chooseSource with `keepSource`), as in the kernel.
 */
export function chooseDestination(tuple: Tuple, range: NatRange, space: TupleSpace, random: Random): Tuple {
  return uniqueTuple(tuple, range, space, random, "destination");
}

/**
 * The tuple after SNAT or MASQUERADE; undefined where no free one was found, and the packet is dropped. `tuple` is the packet's after
 * DNAT. A mapping the source has already is used again; else the same port where it is free; else one of the port's class.
 */
export function chooseSource(tuple: Tuple, range: NatRange, space: TupleSpace, random: Random): Tuple | undefined {
  const { chosen, free } = pickSource(tuple, range, space, random);
  return free ? chosen : undefined;
}

/** The same with the tuple that is not free: chains behind NAT see it, before the packet is dropped for it (__nf_conntrack_confirm). */
export function pickSource(tuple: Tuple, range: NatRange, space: TupleSpace, random: Random): PickedSource {
  const chosen = mapSource(tuple, range, space) ?? uniqueTuple(tuple, range, space, random, "source");
  return { chosen, free: !isUsed(chosen, space) };
}

/** The range of a connection that no source rule translates (nf_nat_alloc_null_binding): its own address, and another port only in a clash. */
export function keepSource(tuple: Tuple): NatRange {
  return { addresses: [tuple.src, tuple.src] };
}

function isUsed(tuple: Tuple, space: TupleSpace): boolean {
  const reply = replyTuple(tuple);
  return reply !== undefined && space.isTaken(reply);
}

/** Step 1 of get_unique_tuple. */
function mapSource(tuple: Tuple, range: NatRange, space: TupleSpace): Tuple | undefined {
  if (range.random || range.fullyRandom) return undefined;
  if (sourceInRange(tuple.src, tuple.sport, tuple.protocol, range)) return isUsed(tuple, space) ? undefined : tuple;
  const mapping = space.findMapping(tuple, (src, sport) => sourceInRange(src, sport, tuple.protocol, range));
  if (mapping === undefined) return undefined;
  const mapped = { ...tuple, src: mapping.src, sport: mapping.sport };
  return isUsed(mapped, space) ? undefined : mapped;
}

function sourceInRange(src: Address, sport: number, protocol: number, range: NatRange): boolean {
  if (range.addresses !== undefined) {
    const [first, last] = range.addresses;
    if (compareAddresses(src, first) < 0 || compareAddresses(src, last) > 0) return false;
  }
  return range.ports === undefined || !hasPart(protocol) || within(sport, range.ports);
}

/** Steps 2 and 3: an address of the range, then a port or identifier that makes the tuple unique. */
function uniqueTuple(tuple: Tuple, range: NatRange, space: TupleSpace, random: Random, side: Side): Tuple {
  const chosen = { ...tuple, ...chooseAddress(tuple, range, side) };
  if (!range.random && !range.fullyRandom) {
    if (range.ports !== undefined) {
      const part = partOf(chosen, side);
      const fits = !hasPart(chosen.protocol) || within(part, range.ports);
      if (fits && (range.ports[0] === range.ports[1] || !isUsed(chosen, space))) return chosen;
    } else if (!isUsed(chosen, space)) return chosen;
  }
  return searchPart(chosen, range, space, random, side);
}

/** find_best_ips_proto: by a hash of source and destination, so that a client keeps its address; of the source alone with --persistent. */
function chooseAddress(tuple: Tuple, range: NatRange, side: Side): { src?: Address; dst?: Address } {
  if (range.addresses === undefined) return {};
  const [first, last] = range.addresses;
  const set = (address: Address): { src?: Address; dst?: Address } =>
    side === "source" ? { src: address } : { dst: address };
  if (compareAddresses(first, last) === 0) return set(first);
  const low = addressWords(first);
  const high = addressWords(last);
  const src = [0, 1, 2, 3].map((i) => swapBytes(addressWords(tuple.src)[i] ?? 0));
  const dst = addressWords(tuple.dst).map(swapBytes);
  let hash = jhash2(src, range.persistent ? 0 : dst[dst.length - 1]!);
  let full = false;
  const chosen = low.map((word, i) => {
    const from = full ? 0 : word;
    const distance = full ? 0xffffffff : (high[i]! - word + 1) >>> 0;
    const value = (from + reciprocalScale(hash, distance)) >>> 0;
    if (value !== high[i]) full = true;
    // The kernel hashes on with the word of the destination, which DNAT has just written.
    if (!range.persistent) hash = (hash ^ (side === "destination" ? swapBytes(value) : dst[i]!)) >>> 0;
    return value;
  });
  return set(chosen.length === 1 ? chosen[0]! : (chosen as unknown as IPv6));
}

/** nf_nat_l4proto_unique_tuple. Gives the last it tried where all were taken. */
function searchPart(tuple: Tuple, range: NatRange, space: TupleSpace, random: Random, side: Side): Tuple {
  if (!hasPart(tuple.protocol)) return tuple;
  const [first, last] = range.ports ?? defaultRange(tuple, side);
  if (last < first) return tuple;
  const size = last - first + 1;
  let attempts = Math.min(size, MAX_ATTEMPTS);
  let offset = random() >>> 16;
  let tried = tuple;
  for (;;) {
    for (let i = 0; i < attempts; i++) {
      tried = withPart(tuple, side, first + (offset % size));
      if (!isUsed(tried, space)) return tried;
      offset = (offset + 1) & 0xffff;
    }
    if (attempts >= size || attempts < 16) return tried;
    attempts >>>= 1;
    offset = random() >>> 16;
  }
}

/** Where the rule names no ports: any identifier; the class of the source port; a destination port is left alone (an empty range). */
function defaultRange(tuple: Tuple, side: Side): readonly [number, number] {
  if (isIcmp(tuple.protocol)) return [0, 65535];
  if (side === "destination") return [1, 0];
  if (tuple.sport < 512) return [1, 511];
  return tuple.sport < 1024 ? [600, 1023] : [1024, 65535];
}

/** Whether a tuple of the protocol has something besides addresses that translation can change. */
function hasPart(protocol: number): boolean {
  return hasPorts(protocol) || isIcmp(protocol);
}

function partOf(tuple: Tuple, side: Side): number {
  return side === "source" || isIcmp(tuple.protocol) ? tuple.sport : tuple.dport;
}

function withPart(tuple: Tuple, side: Side, part: number): Tuple {
  return side === "source" || isIcmp(tuple.protocol) ? { ...tuple, sport: part } : { ...tuple, dport: part };
}

function within(port: number, [first, last]: readonly [number, number]): boolean {
  return port >= first && port <= last;
}
