import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Address, formatAddress, parseAddress } from "../../src/packet/address.js";
import { ICMP, TCP, UDP } from "../../src/packet/protocol.js";
import { formatTuple, replyTuple, type Tuple } from "../../src/packet/tuple.js";
import type { NatRange } from "../../src/ruleset/types.js";
import { jhash2, reciprocalScale } from "../../src/packet/jhash.js";
import { chooseDestination, chooseSource, EMPTY_SPACE, keepSource, type TupleSpace } from "../../src/conntrack/nat.js";

const ip = (text: string): Address => parseAddress(text)!;
const tuple = (src: string, sport: number, dst: string, dport: number, protocol = UDP): Tuple => ({
  src: ip(src),
  dst: ip(dst),
  protocol,
  sport,
  dport,
});
const to = (first: string, last = first): NatRange => ({ addresses: [ip(first), ip(last)] });

/** Connections as a list: original tuple and the tuple they leave with. */
class Connections implements TupleSpace {
  readonly list: { original: Tuple; final: Tuple }[] = [];
  asked = 0;
  add(original: Tuple, final: Tuple | undefined): Tuple | undefined {
    if (final !== undefined) this.list.unshift({ original, final });
    return final;
  }
  isTaken(wanted: Tuple): boolean {
    this.asked++;
    const key = formatTuple(wanted);
    return this.list.some((c) => formatTuple(c.original) === key || formatTuple(replyTuple(c.final)!) === key);
  }
  findMapping(
    source: Tuple,
    accept: (src: Address, sport: number) => boolean,
  ): { src: Address; sport: number } | undefined {
    const same = this.list.filter(
      (c) =>
        c.original.protocol === source.protocol && c.original.sport === source.sport && c.original.src === source.src,
    );
    return same.map((c) => c.final).find((final) => accept(final.src, final.sport));
  }
}

/** Numbers one after the other, then again. */
const sequence = (...numbers: number[]): (() => number) => {
  let at = 0;
  return () => (numbers[at++ % numbers.length]! << 16) >>> 0;
};

describe("an address of a range", () => {
  // What Linux 6.18 chose: DNAT to 10.5.0.3-10.5.1.77, SNAT to 10.6.0.10-10.6.3.20; the p stands for --persistent.
  const recorded = [
    ["dnat", "10.89.130.190", "10.9.0.1", "10.5.1.25"],
    ["dnat", "10.57.240.223", "10.9.0.1", "10.5.1.57"],
    ["dnat", "10.59.81.196", "10.9.0.1", "10.5.0.83"],
    ["dnat", "10.31.85.75", "10.9.0.1", "10.5.0.140"],
    ["dnatp", "10.55.14.216", "10.9.0.2", "10.5.1.42"],
    ["dnatp", "10.41.194.140", "10.9.0.2", "10.5.1.53"],
    ["dnatp", "10.19.71.159", "10.9.0.2", "10.5.0.46"],
    ["dnatp", "10.50.101.139", "10.9.0.2", "10.5.0.159"],
    ["snat", "10.3.238.199", "10.115.0.167", "10.6.2.155"],
    ["snat", "10.3.52.147", "10.115.0.4", "10.6.2.242"],
    ["snat", "10.3.227.33", "10.108.0.1", "10.6.2.62"],
    ["snat", "10.3.104.47", "10.144.0.51", "10.6.0.18"],
    ["snatp", "10.4.26.231", "10.110.0.29", "10.6.1.161"],
    ["snatp", "10.4.110.105", "10.117.0.47", "10.6.0.147"],
    ["snatp", "10.4.2.54", "10.149.0.56", "10.6.0.181"],
    ["snatp", "10.4.196.77", "10.101.0.93", "10.6.0.212"],
  ] as const;
  test.each(recorded)("%s from %s to %s", (kind, src, dst, chosen) => {
    const persistent = kind.endsWith("p");
    const packet = tuple(src, 2000, dst, 53);
    if (kind.startsWith("d")) {
      const range = { ...to("10.5.0.3", "10.5.1.77"), persistent };
      expect(formatAddress(chooseDestination(packet, range, EMPTY_SPACE, sequence(0)).dst)).toBe(chosen);
    } else {
      const range = { ...to("10.6.0.10", "10.6.3.20"), persistent };
      expect(formatAddress(chooseSource(packet, range, EMPTY_SPACE, sequence(0))!.src)).toBe(chosen);
    }
  });

  test("law: it lies in the range, IPv4 and IPv6; --persistent makes it a function of the source", () => {
    const six = fc.tuple(
      ...([0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 0xffffffff })) as [
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
      ]),
    );
    const four = fc.integer({ min: 0, max: 0xffffffff });
    const big = (a: Address): bigint =>
      typeof a === "number" ? BigInt(a) : a.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
    for (const address of [four, six] as fc.Arbitrary<Address>[]) {
      fc.assert(
        fc.property(address, address, address, address, address, (src, dst, other, a, b) => {
          // The kernel's way of filling in an IPv6 address word by word can miss a range whose ends differ before the last word.
          const end: Address = typeof a === "number" || typeof b === "number" ? b : [a[0], a[1], a[2], b[3]];
          const [first, last] = big(a) < big(end) ? [a, end] : [end, a];
          const packet = { src, dst, protocol: UDP, sport: 1, dport: 2 };
          const chosen = chooseDestination(packet, { addresses: [first, last] }, EMPTY_SPACE, sequence(0)).dst;
          expect(big(chosen) >= big(first) && big(chosen) <= big(last)).toBe(true);
          const pick = (of: Address): Address =>
            chooseSource(
              { ...packet, dst: of },
              { addresses: [first, last], persistent: true },
              EMPTY_SPACE,
              sequence(0),
            )!.src;
          expect(pick(dst)).toEqual(pick(other));
        }),
      );
    }
  });

  test("jhash2 and reciprocal_scale", () => {
    expect(jhash2([], 0)).toBe(0xdeadbeef);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff }), (x, range) => {
        expect(reciprocalScale(x, range)).toBe(Number((BigInt(x) * BigInt(range)) >> 32n));
      }),
    );
  });
});

describe("source ports", () => {
  const masquerade = to("10.200.0.1");

  test("a free port stays, a taken one moves within its class, from a random offset on", () => {
    for (const [port, expected] of [
      [300, 1 + (1000 % 511)],
      [512, 600 + (1000 % 424)],
      [700, 600 + (1000 % 424)],
      [1024, 1024 + 1000],
      [40000, 1024 + 1000],
    ] as const) {
      const space = new Connections();
      const first = tuple("10.7.0.1", port, "10.120.0.1", 53);
      expect(space.add(first, chooseSource(first, masquerade, space, sequence(1000)))!.sport).toBe(port);
      const second = tuple("10.7.0.2", port, "10.120.0.1", 53);
      expect(chooseSource(second, masquerade, space, sequence(1000))!.sport).toBe(expected);
      const elsewhere = tuple("10.7.0.2", port, "10.120.0.2", 53);
      expect(chooseSource(elsewhere, masquerade, space, sequence(1000))!.sport).toBe(port);
    }
  });

  test("a source that was given another port keeps it towards everybody (find_appropriate_src)", () => {
    const space = new Connections();
    const first = tuple("10.7.0.1", 4000, "10.120.0.1", 53);
    space.add(first, chooseSource(first, masquerade, space, sequence(7)));
    const ports = ["10.120.0.1", "10.120.0.2", "10.120.0.3"].map((dst, i) => {
      const packet = tuple("10.7.0.2", 4000, dst, 53);
      return space.add(packet, chooseSource(packet, masquerade, space, sequence(100 * i)))!.sport;
    });
    expect(ports).toEqual([1024, 1024, 1024]);
    const other = tuple("10.7.0.2", 4000, "10.120.0.1", 53, TCP);
    expect(chooseSource(other, masquerade, space, sequence(5))!.sport).toBe(4000);
  });

  test("--random-fully and --random ask for a random port at once; --to-ports bounds it", () => {
    const packet = tuple("10.7.0.1", 4000, "10.120.0.1", 53);
    for (const range of [{ fullyRandom: true }, { random: true }]) {
      expect(chooseSource(packet, { ...masquerade, ...range }, EMPTY_SPACE, sequence(5000))!.sport).toBe(1024 + 5000);
    }
    expect(chooseSource(packet, { ...masquerade, ports: [600, 609] }, EMPTY_SPACE, sequence(5))!.sport).toBe(605);
    expect(chooseSource(packet, { ...masquerade, ports: [3990, 4009] }, EMPTY_SPACE, sequence(5))!.sport).toBe(4000);
  });

  test("at most 128 tries, then half as many, until fewer than 16: then it gives up", () => {
    const space = new Connections();
    space.isTaken = () => (space.asked++, true);
    expect(
      chooseSource(tuple("10.7.0.1", 4000, "10.120.0.1", 53), masquerade, space, sequence(1, 2, 3, 4, 5)),
    ).toBeUndefined();
    // One for the port it had, 128 + 64 + 32 + 16 + 8 tries, one to see that the last of them is taken.
    expect(space.asked).toBe(1 + 248 + 1);
  });

  test("a small range is searched once, all of it", () => {
    const space = new Connections();
    const range: NatRange = { ...masquerade, ports: [5000, 5003] };
    const ports = [0, 1, 2, 3, 4].map((i) => {
      const packet = tuple(`10.7.0.${i + 1}`, 4000, "10.120.0.1", 53);
      return space.add(packet, chooseSource(packet, range, space, sequence(2)))?.sport;
    });
    expect(ports).toEqual([5002, 5003, 5000, 5001, undefined]);
  });

  test("an ICMP identifier is chosen like a port, out of all", () => {
    const space = new Connections();
    const first = tuple("10.7.0.1", 77, "10.120.0.9", 8 << 8, ICMP);
    space.add(first, chooseSource(first, masquerade, space, sequence(9)));
    const second = chooseSource(tuple("10.7.0.2", 77, "10.120.0.9", 8 << 8, ICMP), masquerade, space, sequence(26406))!;
    expect([second.sport, second.dport]).toEqual([26406, 8 << 8]);
  });

  test("protocols without ports keep their tuple, or fail", () => {
    const space = new Connections();
    const packet = (src: string): Tuple => tuple(src, 0, "10.120.0.1", 0, 99);
    space.add(packet("10.7.0.1"), chooseSource(packet("10.7.0.1"), masquerade, space, sequence(1)));
    expect(chooseSource(packet("10.7.0.2"), masquerade, space, sequence(1))).toBeUndefined();
  });
});

describe("destination ports", () => {
  test("plain DNAT never changes the port; a single port is taken whether it is free or not", () => {
    const packet = tuple("10.1.0.1", 3000, "10.9.0.3", 53);
    expect(chooseDestination(packet, to("10.5.9.9"), EMPTY_SPACE, sequence(1))).toEqual(
      tuple("10.1.0.1", 3000, "10.5.9.9", 53),
    );
    expect(chooseDestination(packet, { ...to("10.5.9.9"), random: true }, EMPTY_SPACE, sequence(1)).dport).toBe(53);
    expect(chooseDestination(packet, { ...to("10.5.9.9"), ports: [5353, 5353] }, EMPTY_SPACE, sequence(1)).dport).toBe(
      5353,
    );
  });

  test("two services in front of one endpoint: the second connection of a client port gets another source port", () => {
    const space = new Connections();
    const leave = ["10.9.0.3", "10.9.0.4", "10.5.9.9"].map((dst, i) => {
      const packet = tuple("10.1.0.1", 3000, dst, 53);
      const bound = chooseDestination(packet, to("10.5.9.9"), space, sequence(i));
      return space.add(packet, chooseSource(bound, keepSource(bound), space, sequence(500 * i)))!.sport;
    });
    expect(leave).toEqual([3000, 1024 + 500, 1024 + 1000]);
  });

  test("a range that is used up gives a taken port, and the source changes instead", () => {
    const space = new Connections();
    const seen = [0, 1, 2, 3, 4].map((i) => {
      const packet = tuple("10.1.0.2", 3100, "10.9.0.5", 53 + i);
      const bound = chooseDestination(packet, { ...to("10.5.9.9"), ports: [5000, 5003] }, space, sequence(0));
      const final = space.add(packet, chooseSource(bound, keepSource(bound), space, sequence(9)))!;
      return [final.sport, final.dport];
    });
    expect(seen).toEqual([
      [3100, 5000],
      [3100, 5001],
      [3100, 5002],
      [3100, 5003],
      [1033, 5003],
    ]);
  });
});

test("law: no two connections ever share a reply tuple, and replies lead back", () => {
  const ranges: NatRange[] = [
    to("10.200.0.1"),
    { ...to("10.200.0.1"), fullyRandom: true },
    { ...to("10.200.0.1", "10.200.0.2"), ports: [1, 4] },
  ];
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 0, max: 3 }),
          fc.nat(0xffff),
        ),
        { maxLength: 60 },
      ),
      (packets) => {
        const space = new Connections();
        for (const [client, port, which, random] of packets) {
          const packet = tuple(`10.7.0.${client}`, port, "10.120.0.1", 53);
          if (space.isTaken(packet)) continue;
          const final = chooseSource(packet, ranges[which] ?? keepSource(packet), space, sequence(random, random * 3));
          if (final === undefined) continue;
          expect(space.isTaken(replyTuple(final)!), `${formatTuple(packet)} as ${formatTuple(final)}`).toBe(false);
          space.add(packet, final);
        }
      },
    ),
  );
});
