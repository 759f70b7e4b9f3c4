import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IPv6 } from "../../src/packet/address.js";
import { maskAddress, prefixMask } from "../../src/packet/prefix.js";
import type { KeyPart } from "../../src/ruleset/types.js";
import { ElementIndex } from "../../src/engine/element-index.js";
import { holds, namePattern, type Value } from "../../src/engine/value.js";

/** Few values, so that elements and keys meet. */
const kinds = {
  ip: {
    value: fc.integer({ min: 0, max: 40 }).map((n): Value => 0x0a000000 + n),
    part: fc.oneof(
      fc
        .tuple(fc.nat(40), fc.nat(40))
        .map(([a, b]): KeyPart => ({ first: 0x0a000000 + Math.min(a, b), last: 0x0a000000 + Math.max(a, b) })),
      fc.tuple(fc.nat(40), fc.integer({ min: 26, max: 32 })).map(([a, length]): KeyPart => {
        const mask = prefixMask("ip", length);
        return { value: maskAddress(0x0a000000 + a, mask), mask };
      }),
    ),
  },
  ip6: {
    value: fc.tuple(fc.nat(2), fc.nat(40)).map(([a, n]): Value => [0x20010db8, 0, a, n]),
    part: fc.tuple(fc.nat(2), fc.nat(40), fc.nat(2), fc.nat(40)).map(([a, m, b, n]): KeyPart => {
      const [first, last] =
        a < b || (a === b && m <= n)
          ? [
              [a, m],
              [b, n],
            ]
          : [
              [b, n],
              [a, m],
            ];
      return { first: [0x20010db8, 0, ...first] as unknown as IPv6, last: [0x20010db8, 0, ...last] as unknown as IPv6 };
    }),
  },
  port: {
    value: fc.integer({ min: 0, max: 30 }) as fc.Arbitrary<Value>,
    part: fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]): KeyPart => [Math.min(a, b), Math.max(a, b)]),
  },
  name: {
    value: fc.constantFrom<Value>("eth0", "eth1", "eth10", "lo", "", "e*"),
    part: fc.constantFrom<KeyPart>("eth0", "eth1*", "e\\*", "lo", "*", "e*"),
  },
} as const;

describe("the index of a set", () => {
  it("finds a key exactly where some element holds it", () => {
    const types = fc.array(fc.constantFrom("ip", "ip6", "port", "name"), { minLength: 1, maxLength: 3 });
    const cases = types.chain((names) =>
      fc.tuple(
        fc.array(fc.tuple(...names.map((name) => kinds[name as keyof typeof kinds].part)), { maxLength: 12 }),
        fc.array(fc.tuple(...names.map((name) => kinds[name as keyof typeof kinds].value)), { maxLength: 12 }),
      ),
    );
    fc.assert(
      fc.property(cases, ([parts, keys]) => {
        // The kernel lets no two elements overlap: of those that do the first is kept.
        const elements = parts.map((key) => ({ key: key as KeyPart[] }));
        const apart = elements.filter((one, i) => elements.slice(0, i).every((other) => !overlap(one.key, other.key)));
        const index = new ElementIndex(apart);
        for (const key of keys) {
          const found = apart.find((element) => element.key.every((part, i) => holds(part, key[i]!)));
          expect(index.find(key)).toBe(found);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function overlap(a: readonly KeyPart[], b: readonly KeyPart[]): boolean {
  return a.every((part, i) => partsOverlap(part, b[i]!));
}

function partsOverlap(a: KeyPart, b: KeyPart): boolean {
  const starts = (part: KeyPart): Value[] => {
    if (typeof part === "string") return [namePattern(part).text];
    return "length" in part ? [part[0]] : ["value" in part ? part.value : part.first];
  };
  return starts(a).some((value) => holds(b, value)) || starts(b).some((value) => holds(a, value));
}
