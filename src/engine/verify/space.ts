/**
 * The header space as a product of a few dimensions, each cut into numbered atoms: the smallest pieces that the rules' constants
 * and the compiled tables' own contents can tell apart. A box is one set of atoms a dimension.
 */
import { type Address, addressWords, type Family } from "../../packet/address.js";
import { type CtStateName, CtState } from "../../packet/connection.js";
import type { Entrance } from "../../packet/packet.js";
import { type IntervalSet, interval, sizeOf } from "./interval-set.js";

export const dimensions = [
  "entrance",
  "state",
  "mark",
  "iif",
  "flags",
  "protocol",
  "dst",
  "dport",
  "src",
  "sport",
] as const;
export type Dimension = (typeof dimensions)[number];

/** One set of atoms for each dimension. */
export type Box = Readonly<Record<Dimension, IntervalSet>>;

export const ENTRANCES: readonly Entrance[] = ["prerouting", "output"];
export const STATES = Object.keys(CtState).slice(0, 5) as readonly CtStateName[];

/** The addresses of a family, cut at given points. Atom i is all addresses from cuts[i] up to the one before cuts[i + 1]. */
export class AddressAxis {
  private readonly cuts: readonly bigint[];
  readonly bits: bigint;

  /** `points`: first addresses of atoms, in any order. */
  constructor(
    readonly family: Family,
    points: Iterable<bigint>,
  ) {
    this.bits = family === "ip" ? 32n : 128n;
    const end = 1n << this.bits;
    const inside = new Set([0n]);
    for (const point of points) if (point > 0n && point < end) inside.add(point);
    this.cuts = [...inside].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  get atoms(): number {
    return this.cuts.length;
  }

  /** The atom an address lies in. */
  atomOf(address: Address): number {
    return this.atomBelow(addressNumber(address));
  }

  /** The atoms of an address range whose ends are cuts. */
  range(first: bigint, last: bigint): IntervalSet {
    return interval(this.atomBelow(first), this.atomBelow(last));
  }

  first(atom: number): Address {
    return addressOf(this.cuts[atom]!, this.family);
  }

  last(atom: number): Address {
    return addressOf((this.cuts[atom + 1] ?? 1n << this.bits) - 1n, this.family);
  }

  /** How many addresses a set of atoms holds. */
  measure(set: IntervalSet): bigint {
    let sum = 0n;
    for (let i = 0; i < set.length; i += 2)
      sum += (this.cuts[set[i + 1]! + 1] ?? 1n << this.bits) - this.cuts[set[i]!]!;
    return sum;
  }

  private atomBelow(value: bigint): number {
    let low = 0;
    let high = this.cuts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.cuts[middle]! <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export function addressNumber(address: Address): bigint {
  return addressWords(address).reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

export function addressOf(value: bigint, family: Family): Address {
  if (family === "ip") return Number(value);
  const word = (i: bigint): number => Number((value >> (96n - 32n * i)) & 0xffffffffn);
  return [word(0n), word(1n), word(2n), word(3n)];
}

/** The axes of a header space. */
export interface Space {
  readonly family: Family;
  readonly addresses: AddressAxis;
  /** Interface names the rules tell apart, and one they do not know. */
  readonly interfaces: readonly string[];
  /** Marks a packet can come with: every setting of the bits that rules test, over zeros and over ones in the rest. */
  readonly marks: readonly number[];
  /** Whether rules look at TCP flags at all. */
  readonly testsFlags: boolean;
}

export const PROTOCOLS = 256;
export const PORTS = 65_536;
export const FLAGS = 64;

/** The whole space as a box. */
export function wholeOf(space: Space): Box {
  return {
    entrance: interval(0, ENTRANCES.length - 1),
    state: interval(0, STATES.length - 1),
    mark: interval(0, space.marks.length - 1),
    iif: interval(0, space.interfaces.length - 1),
    flags: interval(0, space.testsFlags ? FLAGS - 1 : 0),
    protocol: interval(0, PROTOCOLS - 1),
    dst: interval(0, space.addresses.atoms - 1),
    dport: interval(0, PORTS - 1),
    src: interval(0, space.addresses.atoms - 1),
    sport: interval(0, PORTS - 1),
  };
}

/** How many points of the space a box holds (addresses counted singly). */
export function measureOf(box: Box, space: Space): bigint {
  let product = space.addresses.measure(box.src) * space.addresses.measure(box.dst);
  for (const dimension of dimensions) {
    if (dimension !== "src" && dimension !== "dst") product *= BigInt(sizeOf(box[dimension]));
  }
  return product;
}
