/** Random values that statements are made of. */
import * as fc from "fast-check";
import type { Address, Family, IPv6 } from "../../src/packet/address.js";
import { type MaskedAddress, maskAddress, prefixMask } from "../../src/packet/prefix.js";
import type { NatRange, PortRange, PortTest } from "../../src/ruleset/types.js";

export const negate = fc.boolean();
export const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 2 });
export const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
export const uint32 = fc.oneof(
  fc.constantFrom(0, 1, 0x4000, 0x8000, 0xff, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const port = fc.oneof(fc.constantFrom(0, 53, 80, 443, 30080, 65535), fc.integer({ min: 0, max: 65535 }));
export const word = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_.-]{0,8}$/);
/** Whatever fits on a line. */
export const text = fc.string({ unit: "grapheme", maxLength: 30 }).map((s) => s.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " "));

const made = new Map<string, unknown>();

/** Making an arbitrary takes far longer than drawing from it: each is made once. */
export function remember<T>(key: string, make: () => fc.Arbitrary<T>): fc.Arbitrary<T> {
  if (!made.has(key)) made.set(key, make());
  return made.get(key) as fc.Arbitrary<T>;
}

/** Few addresses, so that rules and packets meet. */
export function address(family: Family): fc.Arbitrary<Address> {
  if (family === "ip") {
    return fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 15 }).map((n) => 0x0a000000 + n) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 0xffffffff }) },
    );
  }
  const words = fc.tuple(uint32, uint32, uint32, uint32) as fc.Arbitrary<IPv6>;
  return fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 15 }).map((n): IPv6 => [0xfd000000, 0, 0, n]) },
    { weight: 1, arbitrary: words },
  );
}

/** A mask: mostly a prefix, at times any bits. `shortest`: the shortest prefix. */
export function mask(family: Family, shortest: number): fc.Arbitrary<Address> {
  const bits = family === "ip" ? 32 : 128;
  const any: fc.Arbitrary<Address> =
    family === "ip" ? fc.integer({ min: 1, max: 0xffffffff }) : fc.tuple(uint32, uint32, uint32, fc.constant(1));
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant(prefixMask(family, bits)) },
    { weight: 4, arbitrary: fc.integer({ min: shortest, max: bits }).map((length) => prefixMask(family, length)) },
    { weight: 1, arbitrary: any },
  );
}

export function masked(family: Family, shortest: number): fc.Arbitrary<MaskedAddress> {
  return fc
    .tuple(address(family), mask(family, shortest))
    .map(([value, m]) => ({ value: maskAddress(value, m), mask: m }));
}

export const interfaceName = fc.record({ name: fc.stringMatching(/^[a-z]{1,5}[0-9]{0,2}$/), prefix: fc.boolean() });
export const portRange: fc.Arbitrary<PortRange> = fc
  .tuple(port, port, fc.boolean())
  .map(([a, b, single]) => (single ? [a, a] : [Math.min(a, b), Math.max(a, b)]));
export const portTest: fc.Arbitrary<PortTest> = fc.record({ ranges: fc.tuple(portRange), negate });
/** What -m tcp keeps: a test of all ports that always holds is left out. */
export const realPortTest = portTest.filter(
  (test) => test.negate || test.ranges[0]![0] !== 0 || test.ranges[0]![1] !== 65535,
);

/** Leaves out the fields that are null. */
export function present<T extends object>(value: { [K in keyof T]: T[K] | null }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null)) as T;
}

/** Where a translation goes; ports only where the rule names a protocol that has them. */
export function natRange(
  family: Family,
  ports: boolean,
  flags: readonly (keyof NatRange)[],
  hosts = true,
): fc.Arbitrary<NatRange> {
  const pair = fc.tuple(address(family), address(family), fc.boolean()).map(([a, b, single]) => [a, single ? a : b]);
  return fc
    .tuple(hosts ? pair : fc.constant(null), ports ? fc.option(portRange) : fc.constant(null), fc.subarray([...flags]))
    .map(([addresses, range, set]) =>
      present<NatRange>({ addresses, ports: range, ...Object.fromEntries(set.map((flag) => [flag, true])) } as never),
    );
}
