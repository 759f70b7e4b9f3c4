/** Random statements in the canonical form that reading an iptables text gives: the whole language of iptables. */
import * as fc from "fast-check";
import type { Family } from "../../src/packet/address.js";
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "../../src/packet/protocol.js";
import type { AddressRangeMatch, AddressTypeName, Match, Statement } from "../../src/ruleset/types.js";
import {
  address,
  interfaceName,
  mask,
  masked,
  negate,
  optional,
  portRange,
  portTest,
  present,
  realPortTest,
  remember,
  seldom,
  text,
  uint32,
  word,
} from "./values.js";

const one = (arbitrary: fc.Arbitrary<Match>): fc.Arbitrary<Statement[]> => arbitrary.map((match) => [match]);

/** Statements without `-m`, at most one a field, in their order. */
export function arbitraryHeader(family: Family): fc.Arbitrary<Match[]> {
  return remember(`header ${family}`, () => makeHeader(family));
}

function makeHeader(family: Family): fc.Arbitrary<Match[]> {
  const side = (field: "saddr" | "daddr"): fc.Arbitrary<Match> =>
    fc.tuple(masked(family, 1), negate).map(([range, not]) => ({ kind: "address", field, ...range, negate: not }));
  const device = (field: "iif" | "oif"): fc.Arbitrary<Match> =>
    fc.tuple(interfaceName, negate).map(([name, not]) => ({ kind: "interface", field, ...name, negate: not }));
  const number = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(TCP, TCP, UDP, SCTP, family === "ip" ? ICMP : ICMPV6) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }) },
  );
  const protocol: fc.Arbitrary<Match> = fc.record({
    kind: fc.constant("protocol" as const),
    protocol: number,
    negate: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  });
  const fragment: fc.Arbitrary<Match> = fc.record({ kind: fc.constant("fragment" as const), negate });
  return fc
    .tuple(
      optional(side("saddr")),
      optional(side("daddr")),
      seldom(device("iif")),
      seldom(device("oif")),
      fc.option(protocol, { freq: 4 }),
      family === "ip"
        ? fc.integer({ min: 0, max: 30 }).chain((n) => (n === 0 ? fragment : fc.constant(null)))
        : fc.constant(null),
    )
    .map((fields) => fields.filter((field): field is Match => field !== null));
}

const addressTypes: readonly AddressTypeName[] = ["UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST"];
const types = fc.record({
  types: fc.subarray([...addressTypes], { minLength: 1 }),
  negate,
});

/** The `-m` matches a rule of this family and protocol (null: none named) may have; each entry is what one `-m` gives. */
export function arbitraryMatch(family: Family, protocol: number | null): fc.Arbitrary<Statement[]> {
  return remember(`match ${family} ${protocol}`, () => makeMatch(family, protocol));
}

function makeMatch(family: Family, protocol: number | null): fc.Arbitrary<Statement[]> {
  const random = fc.oneof(
    fc.constantFrom(0, 2 ** 19, 2 ** 30, 2 ** 31, 715827883),
    fc.integer({ min: 0, max: 2 ** 31 }),
  );
  const matches: fc.Arbitrary<Statement[]>[] = [
    one(text.map((comment) => ({ kind: "comment", text: comment }))),
    one(fc.record({ kind: fc.constant("random" as const), threshold: random, negate })),
    one(
      fc
        .tuple(fc.integer({ min: 1, max: 5 }), fc.nat(4), negate)
        .map(([every, at, not]) => ({ kind: "nth", every, packet: at % every, negate: not })),
    ),
    one(
      fc.record({
        kind: fc.constant("mark" as const),
        field: fc.constantFrom("mark" as const, "ctmark" as const),
        value: uint32,
        mask: uint32,
        negate,
      }),
    ),
    one(conntrack(family)),
    one(
      fc.record({ kind: fc.constant("conntrack" as const), module: fc.constant("state" as const), state: bits(1, 31) }),
    ),
    one(
      fc
        .tuple(fc.option(types), fc.option(types), fc.constantFrom("in" as const, "out" as const, null))
        .filter(([source, destination]) => source !== null || destination !== null)
        .map(([source, destination, limit]) =>
          present<Match>({ kind: "address-type", source, destination, limit } as never),
        ),
    ),
    one(recent(family)),
    one(physdev),
    one(
      fc
        .tuple(word, fc.array(fc.constantFrom("src" as const, "dst" as const), { minLength: 1, maxLength: 3 }), negate)
        .map(([set, directions, not]) => ({ kind: "set", set, directions, negate: not })),
    ),
    one(
      fc
        .tuple(
          fc.constantFrom(["second", 99], ["minute", 59], ["hour", 59], ["day", 23] as const),
          fc.nat(1000),
          fc.integer({ min: 1, max: 9 }),
        )
        .map(([[unit, most], n, burst]) => ({
          kind: "limit",
          rate: 1 + (n % (most as number)),
          unit: unit as "day",
          burst,
          negate: false,
        })),
    ),
    one(
      fc
        .tuple(fc.stringMatching(/^([0-9A-F]{2}:){5}[0-9A-F]{2}$/), negate)
        .map(([mac, not]) => ({ kind: "mac", address: mac, negate: not })),
    ),
    one(word.map((name) => ({ kind: "accounting", name }))),
    addressRanges(family),
    fc
      .constantFrom("-m ttl --ttl-eq 5", "-m owner ! --uid-owner 0", '-m string --string "a b" --algo bm')
      .map((source) => [{ kind: "opaque-match", module: source.split(" ")[1]!, text: source }]),
  ];
  if (protocol === TCP || protocol === UDP || protocol === SCTP)
    matches.push(one(transport(protocol)), one(transport(protocol)));
  if (protocol === TCP || protocol === UDP || protocol === SCTP) matches.push(one(multiport));
  if (protocol === (family === "ip" ? ICMP : ICMPV6)) matches.push(one(icmp(protocol)));
  return fc.oneof(...matches);
}

const multiport: fc.Arbitrary<Match> = fc.record({
  kind: fc.constant("multiport" as const),
  side: fc.constantFrom("source" as const, "destination" as const, "either" as const),
  ranges: fc.array(portRange, { minLength: 1, maxLength: 7 }),
  negate,
});

function transport(protocol: number): fc.Arbitrary<Match> {
  const test = fc
    .record({ mask: fc.nat(0x3f), value: fc.nat(0x3f), negate })
    .filter((flags) => flags.negate || flags.mask !== 0 || flags.value !== 0);
  return fc
    .tuple(fc.option(realPortTest), fc.option(realPortTest), protocol === TCP ? fc.option(test) : fc.constant(null))
    .map(([sport, dport, flags]) => present<Match>({ kind: "transport", protocol, sport, dport, flags } as never));
}

function icmp(protocol: 1 | 58): fc.Arbitrary<Match> {
  const codes = fc.oneof(
    fc.constant([0, 255] as const),
    fc.nat(255).map((code) => [code, code] as const),
  );
  return fc.record({
    kind: fc.constant("icmp" as const),
    protocol: fc.constant(protocol),
    type: fc.nat(254),
    codes,
    negate,
  });
}

function bits(min: number, max: number): fc.Arbitrary<{ bits: number; negate: boolean }> {
  return fc.record({ bits: fc.integer({ min, max }), negate });
}

function conntrack(family: Family): fc.Arbitrary<Match> {
  const side = fc.tuple(masked(family, 0), negate).map(([range, not]) => ({ ...range, negate: not }));
  return fc
    .record({
      state: fc.option(bits(1, 127)),
      status: seldom(bits(0, 15)),
      protocol: seldom(fc.record({ protocol: fc.constantFrom(TCP, UDP), negate })),
      originalSource: seldom(side),
      originalDestination: seldom(side),
      replySource: seldom(side),
      replyDestination: seldom(side),
      originalSourcePort: seldom(portTest),
      originalDestinationPort: seldom(portTest),
      replySourcePort: seldom(portTest),
      replyDestinationPort: seldom(portTest),
      direction: seldom(fc.constantFrom("original" as const, "reply" as const)),
    })
    .filter((tests) => Object.values(tests).some((test) => test !== null))
    .map((tests) => present<Match>({ kind: "conntrack", module: "conntrack", ...tests } as never));
}

function recent(family: Family): fc.Arbitrary<Match> {
  return fc
    .record({
      action: fc.constantFrom("set" as const, "rcheck" as const, "update" as const, "remove" as const),
      name: word,
      side: fc.constantFrom("source" as const, "destination" as const),
      mask: mask(family, 0),
      seconds: fc.option(fc.integer({ min: 1, max: 100000 })),
      reap: fc.option(fc.constant(true)),
      hitcount: fc.option(fc.integer({ min: 1, max: 20 })),
      ttl: seldom(fc.constant(true)),
      negate,
    })
    .map((fields) => {
      const timed = fields.action === "rcheck" || fields.action === "update";
      const { seconds, reap, hitcount, ttl } = fields;
      const counted = timed ? { seconds, reap: seconds === null ? null : reap, hitcount, ttl } : {};
      return present<Match>({
        kind: "recent",
        ...fields,
        seconds: null,
        reap: null,
        hitcount: null,
        ttl: null,
        ...counted,
      } as never);
    });
}

const physdev: fc.Arbitrary<Match> = fc
  .record({
    in: fc.option(fc.tuple(interfaceName, negate).map(([name, not]) => ({ ...name, negate: not }))),
    out: fc.option(fc.tuple(interfaceName, negate).map(([name, not]) => ({ ...name, negate: not }))),
    isIn: fc.option(fc.record({ negate })),
    isOut: fc.option(fc.record({ negate })),
    isBridged: fc.option(fc.record({ negate })),
  })
  .filter((tests) => Object.values(tests).some((test) => test !== null))
  .map((tests) => present<Match>({ kind: "physdev", ...tests } as never));

function addressRanges(family: Family): fc.Arbitrary<Statement[]> {
  const side = (field: "saddr" | "daddr"): fc.Arbitrary<Match> =>
    fc
      .tuple(address(family), address(family), negate)
      .map(([first, last, not]) => ({ kind: "address-range", field, first, last, negate: not }));
  return fc.oneof(
    side("saddr").map((match) => [match]),
    side("daddr").map((match) => [match]),
    fc
      .tuple(side("saddr"), side("daddr"))
      .map(([source, destination]) => [
        source,
        { ...(destination as AddressRangeMatch), joined: true } as AddressRangeMatch,
      ]),
  );
}
