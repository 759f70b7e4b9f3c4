/** What the matches of a rule say about a packet, taken apart into single facts that can be compared: does one imply another? */
import { type Address, addressWords, compareAddresses } from "../packet/address.js";
import { prefixLength } from "../packet/prefix.js";
import { hasPorts } from "../packet/protocol.js";
import type { AddressSpan, FlagTest, InterfaceTest, PortRange, PortTest, Statement } from "../ruleset/types.js";

/** `(subject is in the set) !== negate`. Facts of different subjects are never compared. */
export interface Fact {
  /** The field of the packet, or for `exact` the whole test. */
  readonly subject: string;
  readonly set: FactSet;
  readonly negate: boolean;
}

type FactSet =
  /** Words of 32 bits: (word & mask) === value, each. */
  | { readonly kind: "masked"; readonly value: readonly number[]; readonly mask: readonly number[] }
  /** Both ends belong to it. */
  | { readonly kind: "span"; readonly first: Address; readonly last: Address }
  | { readonly kind: "ranges"; readonly ranges: readonly PortRange[] }
  | { readonly kind: "interface"; readonly name: string; readonly prefix: boolean }
  /** Any of these bits; `single`: the packet has exactly one of all bits that are named here. */
  | { readonly kind: "bits"; readonly bits: number; readonly single: boolean }
  /** Nothing is known but that equal tests give equal answers. */
  | { readonly kind: "exact" };

const PROTOCOLS_WITH_PORTS: readonly PortRange[] = Array.from({ length: 256 }, (_, i) => i)
  .filter(hasPorts)
  .map((protocol) => [protocol, protocol]);
const NO_FRAGMENT: Fact = { subject: "fragment", set: { kind: "exact" }, negate: true };
/** Bits of CtState of which a packet has exactly one: all but snat and dnat. */
const STATES = 31;

/**
 * The facts a test is the conjunction of; undefined where its answer depends on more than the packet, its connection and the node (draws,
 * counters, time), or is not known.
 */
export function factsOf(match: Statement): readonly Fact[] | undefined {
  switch (match.kind) {
    case "comment":
    case "accounting":
      return [];
    case "random":
      return match.threshold >= 2 ** 31 && !match.negate ? [] : undefined;
    case "address":
      return [masked(match.field, addressWords(match.value), addressWords(match.mask), match.negate)];
    case "address-range":
      return [
        { subject: match.field, set: { kind: "span", first: match.first, last: match.last }, negate: match.negate },
      ];
    case "interface":
      return [interfaceFact(match.field, match)];
    case "protocol":
      return [ranges("protocol", [[match.protocol, match.protocol]], match.negate)];
    case "fragment":
      return [{ ...NO_FRAGMENT, negate: match.negate }];
    case "transport":
      return [
        NO_FRAGMENT,
        ranges("protocol", match.protocol === null ? PROTOCOLS_WITH_PORTS : [[match.protocol, match.protocol]], false),
        ...portFacts("sport", match.sport),
        ...portFacts("dport", match.dport),
        ...flagFacts(match.flags),
      ];
    case "multiport":
      return [
        NO_FRAGMENT,
        ranges("protocol", PROTOCOLS_WITH_PORTS, false),
        match.side === "either"
          ? exact(`either port ${JSON.stringify(match.ranges)}`, match.negate)
          : ranges(match.side === "source" ? "sport" : "dport", match.ranges, match.negate),
      ];
    case "icmp": {
      const { protocol, type, codes } = match;
      const range: PortRange =
        protocol === 1 && type === 255 ? [0, 0xffff] : [(type << 8) | codes[0], (type << 8) | codes[1]];
      return [NO_FRAGMENT, ranges("protocol", [[protocol, protocol]], false), ranges("icmp", [range], match.negate)];
    }
    case "mark":
      return [masked(match.field, [match.value], [match.mask], match.negate)];
    case "conntrack": {
      const { state, status: _status, module: _module, kind: _kind, ...rest } = match;
      const whole = match.status === undefined && Object.values(rest).every((test) => test === undefined);
      const facts: Fact[] = [];
      if (state !== undefined) {
        const set = { kind: "bits", bits: state.bits, single: (state.bits & ~STATES) === 0 } as const;
        facts.push({ subject: "ct state", set, negate: state.negate });
      }
      return whole && state !== undefined ? facts : [...facts, exact(JSON.stringify(match))];
    }
    case "address-type":
      if (match.limit !== undefined) return [exact(JSON.stringify(match))];
      return (["source", "destination"] as const).flatMap((end) => {
        const test = match[end];
        return test === undefined ? [] : [exact(`${end} type ${[...test.types].sort().join(",")}`, test.negate)];
      });
    case "physdev":
    case "mac":
      return [exact(JSON.stringify(match))];
    case "set":
      return match.options === undefined
        ? [exact(`set ${match.set} ${match.directions.join(",")}`, match.negate)]
        : undefined;
    default:
      return undefined;
  }
}

/** Subjects that a rule before may have changed for the same packet. */
export function isMutable(fact: Fact): boolean {
  return !["saddr", "daddr", "sport", "dport", "icmp", "protocol", "iif", "oif", "fragment", "tcp flags"].includes(
    fact.subject,
  );
}

/** Whether `given` cannot hold without `asked`. False where that cannot be told. */
export function implies(given: Fact, asked: Fact): boolean {
  if (given.subject !== asked.subject) return false;
  if (given.negate) return asked.negate && within(asked.set, given.set);
  return asked.negate ? apart(given.set, asked.set) : within(given.set, asked.set);
}

const masked = (subject: string, value: readonly number[], mask: readonly number[], negate: boolean): Fact => ({
  subject,
  set: { kind: "masked", value, mask },
  negate,
});

const ranges = (subject: string, list: readonly PortRange[], negate: boolean): Fact => ({
  subject,
  set: { kind: "ranges", ranges: list },
  negate,
});

const exact = (subject: string, negate = false): Fact => ({ subject, set: { kind: "exact" }, negate });

function interfaceFact(subject: string, { name, prefix, negate }: InterfaceTest): Fact {
  return { subject, set: { kind: "interface", name, prefix }, negate };
}

function portFacts(subject: string, test: PortTest | undefined): Fact[] {
  return test === undefined ? [] : [ranges(subject, test.ranges, test.negate)];
}

function flagFacts(test: FlagTest | undefined): Fact[] {
  return test === undefined ? [] : [masked("tcp flags", [test.value], [test.mask], test.negate)];
}

/** Whether every value of `inner` is in `outer`. */
function within(inner: FactSet, outer: FactSet): boolean {
  if (inner.kind === "masked" && outer.kind === "masked")
    return (
      inner.mask.length === outer.mask.length &&
      outer.mask.every(
        (mask, i) => (inner.mask[i]! & mask) >>> 0 === mask && (inner.value[i]! & mask) >>> 0 === outer.value[i],
      )
    );
  if (inner.kind === "ranges" && outer.kind === "ranges")
    return inner.ranges.every(([first, last]) => outer.ranges.some(([a, b]) => a <= first && last <= b));
  if (inner.kind === "interface" && outer.kind === "interface")
    return outer.prefix ? inner.name.startsWith(outer.name) : !inner.prefix && inner.name === outer.name;
  if (inner.kind === "bits" && outer.kind === "bits") return (inner.bits & ~outer.bits) === 0;
  if (inner.kind === "exact" && outer.kind === "exact") return true;
  const [a, b] = [spanOf(inner), spanOf(outer)];
  return (
    a !== undefined && b !== undefined && sameFamily(a, b) && notAfter(b.first, a.first) && notAfter(a.last, b.last)
  );
}

/** Whether no value is in both. */
function apart(a: FactSet, b: FactSet): boolean {
  if (a.kind === "masked" && b.kind === "masked")
    return (
      a.mask.length === b.mask.length &&
      a.mask.some((mask, i) => ((a.value[i]! ^ b.value[i]!) & mask & b.mask[i]!) !== 0)
    );
  if (a.kind === "ranges" && b.kind === "ranges")
    return a.ranges.every(([first, last]) => b.ranges.every(([from, to]) => last < from || to < first));
  if (a.kind === "interface" && b.kind === "interface") {
    if (a.prefix && b.prefix) return !a.name.startsWith(b.name) && !b.name.startsWith(a.name);
    return !within(a, b) && !within(b, a);
  }
  if (a.kind === "bits" && b.kind === "bits") return a.single && b.single && (a.bits & b.bits) === 0;
  const [x, y] = [spanOf(a), spanOf(b)];
  return (
    x !== undefined && y !== undefined && sameFamily(x, y) && (!notAfter(x.first, y.last) || !notAfter(y.first, x.last))
  );
}

const notAfter = (a: Address, b: Address): boolean => compareAddresses(a, b) <= 0;

const sameFamily = (a: AddressSpan, b: AddressSpan): boolean => typeof a.first === typeof b.first;

/** The addresses of a set as a span; undefined where they are none, or not next to each other. */
function spanOf(set: FactSet): AddressSpan | undefined {
  if (set.kind === "span") return set;
  if (set.kind !== "masked") return undefined;
  const toAddress = (words: readonly number[]): Address => (words.length === 1 ? words[0]! : (words as never));
  if (prefixLength(toAddress(set.mask)) < 0) return undefined;
  return { first: toAddress(set.value), last: toAddress(set.value.map((word, i) => (word | ~set.mask[i]!) >>> 0)) };
}
