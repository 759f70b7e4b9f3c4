import * as fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import {
  addressWords,
  compareAddresses,
  formatAddress,
  formatEndpoint,
  type IPv6,
  parseAddress,
  parseEndpoint,
  sameAddress,
} from "../../src/packet/address.js";
import {
  formatPrefix,
  insideMask,
  maskAddress,
  parsePrefix,
  prefixLength,
  prefixMask,
} from "../../src/packet/prefix.js";

const word = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffff, 0xffffffff));
const ipv6 = fc.tuple(word, word, word, word) as fc.Arbitrary<IPv6>;
const address = fc.oneof(word, ipv6);

describe("addresses", () => {
  it("print and parse back", () => {
    fc.assert(
      fc.property(address, (a) => {
        expect(parseAddress(formatAddress(a))).toEqual(a);
      }),
    );
  });

  it("print as another implementation does", () => {
    fc.assert(
      fc.property(word, (a) => {
        expect(formatAddress(a)).toBe(ipaddr.IPv4.parse(String(a)).toString());
      }),
    );
  });

  it.each([
    ["10.0.0.1", 0x0a000001],
    ["255.255.255.255", 0xffffffff],
    ["::1", [0, 0, 0, 1]],
    ["2001:db8::2", [0x20010db8, 0, 0, 2]],
    ["::ffff:10.0.0.1", [0, 0, 0xffff, 0x0a000001]],
  ])("%s", (text, want) => {
    expect(parseAddress(text)).toEqual(want);
    expect(formatAddress(parseAddress(text)!)).toBe(text);
  });

  it.each([
    "",
    "10",
    "10.1",
    "10.0.0.256",
    "10.0.0.1.2",
    "010.0.0.1",
    "1.2.3.",
    "::g",
    "1::2::3",
    "fe80::1%eth0",
    " 1.2.3.4",
  ])("%j is none", (text) => expect(parseAddress(text)).toBeUndefined());

  it("order as unsigned integers", () => {
    fc.assert(
      fc.property(ipv6, ipv6, (a, b) => {
        const [x, y] = [a, b].map((each) => addressWords(each).reduce((n, w) => (n << 32n) | BigInt(w), 0n));
        expect(Math.sign(compareAddresses(a, b))).toBe(x! < y! ? -1 : x! > y! ? 1 : 0);
        expect(sameAddress(a, b)).toBe(x === y);
      }),
    );
  });

  it("with ports", () => {
    fc.assert(
      fc.property(address, fc.nat(65535), (a, port) => {
        expect(parseEndpoint(formatEndpoint(a, port))).toEqual({ address: a, port });
      }),
    );
    for (const bad of ["10.0.0.1", "10.0.0.1:70000", "::1:80", "[10.0.0.1]:80", "x:1"])
      expect(parseEndpoint(bad)).toBeUndefined();
  });
});

describe("prefixes and masks", () => {
  it("have a length exactly when they are prefixes", () => {
    for (const [family, bits] of [
      ["ip", 32],
      ["ip6", 128],
    ] as const) {
      for (let length = 0; length <= bits; length++) expect(prefixLength(prefixMask(family, length))).toBe(length);
    }
    expect(prefixLength(0xff00ff00)).toBe(-1);
    expect(prefixLength([0xffffffff, 0, 1, 0])).toBe(-1);
    expect(prefixLength([0xffff0000, 0xffffffff, 0, 0])).toBe(-1);
  });

  it("print and parse back, cleared outside the mask", () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(word, word), fc.tuple(ipv6, ipv6)), ([a, mask]) => {
        const prefix = { value: maskAddress(a, mask), mask };
        expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix);
        expect(insideMask(a, prefix.value, prefix.mask)).toBe(true);
      }),
    );
  });

  it.each(["10.0.0.0/33", "10.0.0.0/x", "::/129", "10.0.0.0/ffff::", "10.0.0.0/-1"])("%j is none", (text) =>
    expect(parsePrefix(text)).toBeUndefined(),
  );
});
