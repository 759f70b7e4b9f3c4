import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Address, Family } from "../../src/packet/address.js";
import { CtStatus } from "../../src/packet/connection.js";
import { TCP, UDP } from "../../src/packet/protocol.js";
import { formatTuple, replyTuple, type Tuple } from "../../src/packet/tuple.js";
import { EXPIRES } from "../../src/conntrack/layout.js";
import { ConntrackTable } from "../../src/conntrack/table.js";

const word = fc.integer({ min: 0xfffffffd, max: 0xffffffff });
const address = (family: Family): fc.Arbitrary<Address> =>
  family === "ip" ? word : fc.tuple(fc.constant(0xfe800000), fc.constant(0), word, word);

/** Few addresses and ports, so that equal tuples and chains of collisions are common. */
const tuples = (family: Family): fc.Arbitrary<Tuple> =>
  fc.record({
    src: address(family),
    dst: address(family),
    protocol: fc.constantFrom(TCP, UDP),
    sport: fc.integer({ min: 65530, max: 65535 }),
    dport: fc.integer({ min: 0, max: 3 }),
  });

type Command =
  | { do: "insert"; tuple: Tuple; translated: Tuple; snat: boolean; ttl: number }
  | { do: "remove"; tuple: Tuple }
  | { do: "sweep"; budget: number; pass: number };

const commands = (family: Family): fc.Arbitrary<Command[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant("insert" as const),
          tuple: tuples(family),
          translated: tuples(family),
          snat: fc.boolean(),
          ttl: fc.integer({ min: 1, max: 1000 }),
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), tuple: tuples(family) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant("sweep" as const),
          budget: fc.integer({ min: 0, max: 60 }),
          pass: fc.integer({ min: 0, max: 200 }),
        }),
      },
    ),
    { maxLength: 200, size: "max" },
  );

interface Known {
  original: Tuple;
  reply: Tuple;
  snat: boolean;
  expires: number;
  age: number;
}

/** The same table as a list. */
class Model {
  known: Known[] = [];
  find(tuple: Tuple): Known | undefined {
    const key = formatTuple(tuple);
    return this.known.find((k) => formatTuple(k.original) === key || formatTuple(k.reply) === key);
  }
}

describe.each(["ip", "ip6"] as const)("a table of family %s", (family) => {
  test("equals a list of connections, whatever is entered, removed and swept", () => {
    fc.assert(
      fc.property(commands(family), fc.integer({ min: 1, max: 40 }), (list, maxEntries) => {
        const table = new ConntrackTable(family, maxEntries, 1);
        const model = new Model();
        let now = 0;
        let age = 0;
        table.tick(now);
        for (const command of list) {
          if (command.do === "insert") {
            const reply = replyTuple({ ...command.translated, protocol: command.tuple.protocol })!;
            if (model.find(command.tuple) || model.find(reply)) continue;
            const meta = command.tuple.protocol | ((CtStatus.confirmed | (command.snat ? CtStatus.snat : 0)) << 8);
            const ref = table.insert(command.tuple, reply, meta, now + command.ttl);
            expect(ref !== 0).toBe(model.known.length < maxEntries);
            if (ref === 0) continue;
            model.known.push({
              original: command.tuple,
              reply,
              snat: command.snat,
              expires: now + command.ttl,
              age: age++,
            });
          } else if (command.do === "remove") {
            const ref = table.lookup(command.tuple);
            const found = model.find(command.tuple);
            expect(ref !== 0).toBe(found !== undefined);
            if (ref !== 0) table.remove(ref);
            model.known = model.known.filter((k) => k !== found);
          } else {
            now += command.pass;
            const before = table.size;
            const swept = table.sweep(table.tick(now), command.budget);
            expect(table.size).toBe(before - swept);
            model.known = model.known.filter((k) => k.expires > now || table.lookup(k.original) !== 0);
          }
          expect(table.size).toBe(model.known.length);
        }
        for (const { original, reply, snat, expires } of model.known) {
          const ref = table.lookup(original);
          expect(table.tuple(ref & ~1)).toEqual(original);
          expect(table.tuple(ref | 1)).toEqual(reply);
          expect(table.lookup(reply) >>> 1).toBe(ref >>> 1);
          expect(table.records[(ref >>> 1) * table.stride + EXPIRES]).toBe(expires);
          // The youngest translated connection of the same source comes first.
          const same = model.known
            .filter((k) => k.snat && sameSource(k.original, original))
            .sort((a, b) => b.age - a.age)
            .map((k) => replyTuple(k.reply)!);
          const seen: Address[] = [];
          const found = table.findMapping(original, (src) => (seen.push(src), false));
          expect(found).toBeUndefined();
          expect(seen).toEqual(same.map((k) => k.src));
          if (snat) expect(same.length).toBeGreaterThan(0);
        }
        expect([...table.refs()].length).toBe(model.known.length);
        table.sweep(table.tick(now + 2000), Infinity);
        expect(table.size).toBe(0);
        expect(table.index.every((slot) => slot === 0)).toBe(true);
      }),
      { numRuns: family === "ip" ? 150 : 50 },
    );
  });
});

function sameSource(a: Tuple, b: Tuple): boolean {
  return a.protocol === b.protocol && a.sport === b.sport && String(a.src) === String(b.src);
}

/** Connection number n of 64 for each client. */
function flow(n: number): Tuple {
  return {
    src: 0x0a000000 + (n >>> 6),
    dst: 0xac100000 + (n % 9973),
    protocol: TCP,
    sport: 1024 + (n & 63) * 517,
    dport: 80,
  };
}

function fill(table: ConntrackTable, from: number, to: number, meta: number, expires = 1000): number {
  let entered = 0;
  for (let n = from; n < to; n++) {
    const reply = { ...replyTuple(flow(n))!, src: 0x0a800000 + (n & 0xffff), sport: 8080 };
    if (table.insert(flow(n), reply, meta, expires) !== 0) entered++;
  }
  return entered;
}

const UNASSURED = TCP | (CtStatus.confirmed << 8);
const ASSURED = TCP | ((CtStatus.confirmed | CtStatus.seenReply | CtStatus.assured) << 8);

function meanDistance(table: ConntrackTable): number {
  let sum = 0;
  for (const ref of table.refs()) {
    const home = table.hashOf(table.tuple(ref)) & table.indexMask;
    let at = home;
    while ((table.index[at]! & table.refMask) !== ref) at = (at + 1) & table.indexMask;
    sum += (at - home) & table.indexMask;
  }
  return sum / table.size;
}

describe("a large table", () => {
  test("a million IPv4 connections take at most 100 bytes each, and are all found", () => {
    const table = new ConntrackTable("ip", 1_000_000);
    expect(fill(table, 0, 1_000_000, ASSURED)).toBe(1_000_000);
    expect(table.size).toBe(1_000_000);
    expect(table.full).toBe(true);
    expect(table.byteLength / table.size).toBeLessThanOrEqual(100);
    for (let n = 0; n < 1_000_000; n += 997) expect(table.tuple(table.lookup(flow(n)))).toEqual(flow(n));
    // Slots in use lie close to home: the mean probe sequence of linear probing at this load is below two.
    expect(meanDistance(table)).toBeLessThan(1);
  });

  test("source translations keep it below 100 bytes", () => {
    const table = new ConntrackTable("ip", 125_000);
    fill(table, 0, 125_000, ASSURED | (CtStatus.snat << 8));
    expect(table.byteLength / table.size).toBeLessThanOrEqual(100);
  });

  test("full: nothing more enters; early drop takes what is not assured, and only near the new tuple", () => {
    const table = new ConntrackTable("ip", 1000);
    fill(table, 0, 1000, ASSURED);
    expect(fill(table, 1000, 1001, UNASSURED)).toBe(0);
    expect(table.earlyDrop(flow(1000), 0)).toBe(false);

    const open = new ConntrackTable("ip", 1000);
    fill(open, 0, 1000, UNASSURED);
    expect(open.earlyDrop(flow(1000), 0)).toBe(true);
    // One bucket is emptied: with four slots each half full, a handful at most.
    expect(open.size).toBeLessThan(1000);
    expect(open.size).toBeGreaterThan(990);
    expect(fill(open, 1000, 1001, UNASSURED)).toBe(1);
  });

  test("full of assured connections that are over: early drop collects them", () => {
    const table = new ConntrackTable("ip", 100);
    fill(table, 0, 100, ASSURED, 500);
    expect(table.earlyDrop(flow(100), 499)).toBe(false);
    expect(table.earlyDrop(flow(100), 500)).toBe(true);
  });
});

describe("the clock", () => {
  test("a connection is live until its time, not at it", () => {
    const table = new ConntrackTable("ip");
    table.insert(flow(1), replyTuple(flow(1))!, ASSURED, table.tick(5000) + 100);
    expect(table.lookupLive(flow(1), table.tick(5099))).not.toBe(0);
    expect(table.lookupLive(flow(1), table.tick(5100))).toBe(0);
    expect(table.size).toBe(0);
  });

  test("decades pass, and time left stays exact", () => {
    const table = new ConntrackTable("ip");
    const day = 86_400_000;
    table.insert(flow(1), replyTuple(flow(1))!, ASSURED, table.tick(0) + day);
    for (let now = 0; now < 20_000 * day; now += 12 * day) {
      const tick = table.tick(now + day - 1);
      const ref = table.lookupLive(flow(1), tick);
      expect(ref, `day ${now / day}`).not.toBe(0);
      expect(table.records[(ref >>> 1) * table.stride + EXPIRES]! - tick).toBe(1);
      table.records[(ref >>> 1) * table.stride + EXPIRES] = table.tick(now + 12 * day) + day;
    }
  });
});
