import { describe, expect, it } from "vitest";
import { ICMP, TCP, UDP } from "../../src/packet/protocol.js";
import { formatAddress } from "../../src/packet/address.js";
import type { Packet } from "../../src/packet/packet.js";
import { linearEngine } from "../../src/engine/linear.js";
import { formatFraction, ratio } from "../../src/engine/fraction.js";
import { RuleMemory } from "../../src/engine/state.js";
import type { Statement } from "../../src/ruleset/types.js";
import { context, type Given, packet } from "./rules.js";
import {
  addMark,
  compare,
  dnat,
  field,
  goto,
  jump,
  key,
  lookup,
  map,
  numgen,
  resolved,
  set,
  setMark,
  table,
  verdict,
  verdictMap,
  vmap,
} from "./nft.js";

const [accept, drop] = [verdict("accept"), verdict("drop")];
const from = packet("10.0.0.1:4000 10.0.0.9:80");
const v6 = packet("[2001:db8::1]:4000 [2001:db8::9]:80");

/** The marks that rules of one chain at forward give a packet: each rule that comes to its end adds a bit of its own. */
function passing(
  rules: Statement[][],
  sent: Packet,
  given: Given = {},
  more: Parameters<typeof table>[2] = {},
): number[] {
  const marked = rules.map((statements, i) => [...statements, addMark(1 << i)]);
  const engine = linearEngine(resolved(table("inet", { c: ["filter forward 0", ...marked] }, more)));
  const { mark } = engine.classify(sent, context(given));
  return rules.flatMap((_, i) => ((mark >>> i) & 1 ? [i] : []));
}

describe("a packet without the field fails the rule, negated or not", () => {
  it("addresses of the other family", () => {
    const address = (negate: boolean): Statement => ({
      kind: "address",
      field: "saddr",
      value: 0x0b000000,
      mask: 0xff000000,
      negate,
    });
    const rules = [[address(false)], [address(true)], [compare(field("saddr", { family: "ip" }), "11.0.0.0/8", true)]];
    expect(passing(rules, from)).toEqual([1, 2]);
    expect(passing(rules, v6)).toEqual([]);
  });

  it("ports, types, marks of a connection that is not there", () => {
    const tcp = field("dport", { protocol: TCP });
    const rules = [
      [compare(tcp, 80)],
      [compare(tcp, 80, true)],
      [lookup([tcp], [[80]], true)],
      [compare(field("icmp-type"), 8, true)],
      [compare(field("tcp-flags", { protocol: TCP }), 2)],
      [compare(field("ctmark"), 7, true)],
    ];
    expect(passing(rules, from)).toEqual([0, 4, 5]);
    expect(passing(rules, { ...from, protocol: UDP, dport: 81 })).toEqual([5]);
    expect(passing(rules, { ...from, protocol: ICMP, dport: 0 })).toEqual([3, 5]);
    expect(
      passing(rules, from, { connection: { state: "invalid", direction: "original", status: 0, mark: 0 } }),
    ).toEqual([0, 4]);
  });

  it("a map or verdict map without the key", () => {
    const rules = [
      [vmap(key("dport"), [[[80], verdict("continue")]])],
      [vmap(key("dport"), [[[81], verdict("continue")]])],
      [compare(map(key("dport"), [[[81], [7]]]), 7, true)],
    ];
    expect(passing(rules, from)).toEqual([0]);
  });
});

describe("sets", () => {
  it("exact, intervals, concatenated with ranges, names", () => {
    const pair = key("daddr", "dport");
    const rules = [
      [lookup(key("saddr"), [["10.0.0.1"], ["10.0.0.3"]])],
      [lookup(key("saddr"), [["10.0.0.2-10.0.0.7"], ["9.0.0.0/8"], ["11.0.0.0/8"]])],
      [lookup(key("saddr"), [["10.0.0.0-10.0.0.1"], ["9.0.0.0/8"]])],
      [
        lookup(pair, [
          ["10.0.0.8-10.0.0.10", [79, 90]],
          ["10.1.0.0/16", 80],
        ]),
      ],
      [
        lookup(pair, [
          ["10.0.0.10-10.0.0.11", [79, 90]],
          ["10.0.0.9", [81, 90]],
        ]),
      ],
      [lookup(key("iif"), [["if:eth*"], ["if:lo"]])],
      [lookup(key("iif"), [["if:et"]])],
      [lookup(key("saddr"), [["2001:db8::-2001:db8::ff"]])],
    ];
    expect(passing(rules, from)).toEqual([0, 2, 3, 5]);
    expect(passing(rules, v6)).toEqual([5, 7]);
  });

  it("of thousands of elements cost one lookup", () => {
    const elements = Array.from({ length: 5000 }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, 80] as [string, number]);
    const sets = [
      set("s", elements),
      set(
        "t",
        elements.map(([net]) => [net]),
      ),
    ];
    const rules = [[lookup(key("daddr", "dport"), "s")], [lookup(key("daddr"), "t")]];
    const chain = ["filter forward 0", ...rules] as const;
    const { work } = linearEngine(resolved(table("ip", { c: chain }, { sets }))).classify(from, context());
    expect(work).toMatchObject({ mapLookups: 2, rulesVisited: 2 });
    expect(passing(rules, from, {}, { sets })).toEqual([0, 1]);
  });
});

describe("verdicts", () => {
  const fate = (chains: Parameters<typeof table>[1], sent = from): string => {
    const outcome = linearEngine(resolved(table("ip", chains))).classify(sent, context());
    return `${outcome.verdict} ${outcome.mark}`;
  };

  it("of a map come back to the next rule by jump, and not by goto", () => {
    const to = (way: typeof jump | typeof goto): string =>
      fate({
        c: ["filter forward 0", [vmap(key("dport"), [[[80], way("u")]])], [addMark(4)]],
        u: [undefined, [addMark(1)]],
      });
    expect(to(jump)).toBe("accept 5");
    expect(to(goto)).toBe("accept 1");
  });

  it("accept ends one base chain, drop all", () => {
    const chains = (first: Statement): Parameters<typeof table>[1] => ({
      late: ["filter forward 10", [addMark(2)]],
      early: ["filter forward -10", [first], [addMark(1)]],
    });
    expect(fate(chains(accept))).toBe("accept 2");
    expect(fate(chains(drop))).toBe("drop 0");
  });

  it("what stands before a match that fails has happened", () => {
    expect(fate({ c: ["filter forward 0", [addMark(1), compare(field("dport"), 81), drop], [addMark(2)]] })).toBe(
      "accept 3",
    );
  });

  it("nat chains run until one translates; accept does not end them", () => {
    const outcome = linearEngine(
      resolved(
        table("ip", {
          third: ["nat prerouting -90", [dnat("10.0.0.30")]],
          second: ["nat prerouting -100", [dnat("10.0.0.20", 8080)]],
          first: ["nat prerouting -110", [accept], [dnat("10.0.0.10")]],
        }),
      ),
    ).classify(from, context());
    expect(outcome.destination).toEqual({ address: 0x0a000014, port: 8080 });
  });
});

describe("draws", () => {
  const shares = (statement: Statement): Record<string, string> => {
    const names = ["a", "b", "c", "d"];
    const users = Object.fromEntries(names.map((name, i) => [name, [undefined, [setMark(i + 1)]] as const]));
    const engine = linearEngine(resolved(table("ip", { t: ["filter forward 0", [statement, addMark(16)]], ...users })));
    const { outcomes } = engine.outcomes(from, context());
    return Object.fromEntries(outcomes.map((one) => [one.outcome.mark, formatFraction(one.probability)]));
  };

  it("of numgen are 1/n each, and alike elements are one", () => {
    expect(
      shares(
        vmap(
          [numgen(3)],
          [
            [[0], goto("a")],
            [[1], goto("b")],
            [[2], goto("c")],
          ],
        ),
      ),
    ).toEqual({ 1: "1/3", 2: "1/3", 3: "1/3" });
    expect(
      shares(
        vmap(
          [numgen(6, "random", 10)],
          [
            [[[10, 13]], goto("a")],
            [[14], goto("b")],
          ],
        ),
      ),
    ).toEqual({ 0: "1/6", 1: "2/3", 2: "1/6" });
    expect(shares(compare(numgen(2 ** 31), [0, 2 ** 30 - 1]))).toEqual({ 0: "1/2", 16: "1/2" });
  });

  it("of meta random, masked", () => {
    const masked = (mask: number, xor = 0): Parameters<typeof compare>[0] => ({
      kind: "bitwise",
      of: field("random"),
      mask,
      xor,
    });
    expect(shares(compare(masked(0x7fffffff), [0, 3 * 2 ** 29 - 1]))).toEqual({ 0: "1/4", 16: "3/4" });
    expect(shares(compare(masked(0xf0, 0x33), [0x33, 0x73]))).toEqual({ 0: "11/16", 16: "5/16" });
    expect(shares(compare(field("random"), [0, 2 ** 29 - 1], true))).toEqual({ 0: "1/8", 16: "7/8" });
  });

  it("of a hundred thousand values are told by their cuts, and of a thousand chains one by one", () => {
    expect(Object.keys(shares(compare({ kind: "bitwise", of: numgen(2 ** 20), mask: 0xff, xor: 0 }, 7)))).toEqual([
      "0",
      "16",
    ]);
    const users = Array.from({ length: 1000 }, (_, i): [string, [undefined, Statement[]]] => [
      `u${i}`,
      [undefined, [dnat(`10.1.${i >> 8}.${i & 255}`)]],
    ]);
    const elements = users.map(([name], i) => [[i], goto(name)] as [number[], ReturnType<typeof goto>]);
    const chain = ["nat prerouting -100", [vmap([numgen(1000)], elements)]] as const;
    const engine = linearEngine(resolved(table("ip", { c: chain, ...Object.fromEntries(users) })));
    const began = performance.now();
    const { outcomes } = engine.outcomes(from, context());
    expect(performance.now() - began).toBeLessThan(2000);
    expect(outcomes).toHaveLength(1000);
    expect(new Set(outcomes.map(({ probability }) => formatFraction(probability)))).toEqual(new Set(["1/1000"]));
  });

  it("classify and outcomes agree on what a number leads to", () => {
    const statement = vmap(
      [{ kind: "bitwise", of: numgen(16), mask: 6, xor: 3 }],
      [
        [[[0, 4]], goto("a")],
        [[5], goto("b")],
      ],
    );
    const engine = linearEngine(
      resolved(
        table("ip", {
          t: ["filter forward 0", [statement]],
          a: [undefined, [setMark(1)]],
          b: [undefined, [setMark(2)]],
        }),
      ),
    );
    const seen = Array.from({ length: 16 }, (_, i) => engine.classify(from, context({ draw: () => i * 2 ** 28 })).mark);
    for (const { outcome, probability } of engine.outcomes(from, context()).outcomes)
      expect(probability).toEqual(ratio(seen.filter((mark) => mark === outcome.mark).length, 16));
  });

  it("of one rule have names of their own", () => {
    const names: string[] = [];
    const draw = (_: number, rule: number, visit: number): number => names.push(`${rule} ${visit}`);
    const statements = [compare(numgen(4), [0, 3]), compare(field("random"), [0, 2 ** 32 - 1])];
    passing([statements], from, { draw });
    expect(new Set(names).size).toBe(2);
  });
});

describe("what rules remember", () => {
  const memory = new RuleMemory();
  const send = (engine: ReturnType<typeof linearEngine>, sent: Packet, now: number): number => {
    const outcome = engine.classify(sent, context({ state: memory, now }));
    outcome.changes.forEach((change) => memory.apply(change));
    return outcome.mark;
  };

  it("numgen inc counts from its offset", () => {
    const statement: Statement = {
      kind: "assign",
      field: "mark",
      value: map(
        [numgen(3, "inc", 5)],
        [
          [[5], [50]],
          [[6], [60]],
          [[7], [70]],
        ],
      ),
    };
    const engine = linearEngine(resolved(table("ip", { c: ["filter forward 0", [statement]] })));
    expect([1, 2, 3, 4].map((now) => send(engine, from, now))).toEqual([50, 60, 70, 50]);
  });

  it("a dynamic set: time-outs, refreshed by update and not by add, and its size", () => {
    const write = (operation: "add" | "update" | "delete"): Statement => ({
      kind: "set-update",
      operation,
      set: "s",
      key: key("saddr"),
    });
    const engine = (operation: "add" | "update" | "delete"): ReturnType<typeof linearEngine> =>
      linearEngine(
        resolved(
          table(
            "ip",
            { c: ["filter forward 0", [lookup(key("saddr"), "s"), addMark(1)], [write(operation), addMark(2)]] },
            {
              name: operation,
              sets: [set("s", [], { flags: ["dynamic", "timeout"], timeout: 1000, size: 2 })],
            },
          ),
        ),
      );
    const other = (i: number): Packet => ({ ...from, src: 0x0a000000 + i });
    const update = engine("update");
    expect([0, 900, 1800, 2799, 3799].map((now) => send(update, from, now))).toEqual([2, 3, 3, 3, 2]);
    const add = engine("add");
    expect([0, 900, 1000].map((now) => send(add, from, now))).toEqual([2, 3, 2]);
    expect([
      send(add, other(2), 1100),
      send(add, other(3), 1200),
      send(add, other(2), 1300),
      send(add, other(3), 2100),
    ]).toEqual([2, 0, 3, 2]);
    expect(formatAddress(from.src)).toBe("10.0.0.1");
  });

  it("delete takes an element out, listed ones too", () => {
    const sets = [set("s", [["10.0.0.1"]], { flags: ["dynamic"] })];
    const statements: Statement[][] = [
      [lookup(key("saddr"), "s"), addMark(1)],
      [{ kind: "set-update", operation: "delete", set: "s", key: key("saddr") }, addMark(2)],
    ];
    const engine = linearEngine(
      resolved(table("ip", { c: ["filter forward 0", ...statements] }, { name: "gone", sets })),
    );
    expect([1, 2].map((now) => send(engine, from, now))).toEqual([3, 2]);
  });

  it("limit in nanoseconds, and over", () => {
    const limit = (negate: boolean): Statement => ({
      kind: "limit",
      nft: true,
      rate: 10,
      unit: "second",
      burst: 2,
      negate,
    });
    const engine = linearEngine(
      resolved(
        table(
          "ip",
          { c: ["filter forward 0", [limit(false), addMark(1)], [limit(true), addMark(2)]] },
          { name: "limit" },
        ),
      ),
    );
    expect([0, 1, 2, 99, 101, 102].map((now) => send(engine, from, now))).toEqual([1, 1, 2, 2, 1, 2]);
  });
});

describe("translations by maps", () => {
  const verdictOf = (statement: Statement, sent = from): unknown =>
    linearEngine(resolved(table("ip", { c: ["nat prerouting -100", [statement]] }))).classify(sent, context())
      .destination;

  it("to an address, and an address with its port", () => {
    const to = map(key("saddr"), [[["10.0.0.1"], ["10.9.9.9", 8080]]]);
    expect(verdictOf({ kind: "dnat", to: {}, mapped: { addresses: to } })).toEqual({ address: 0x0a090909, port: 8080 });
    expect(verdictOf({ kind: "dnat", to: {}, mapped: { addresses: to } }, { ...from, src: 5 })).toBeUndefined();
    const port = map(key("dport"), [[[80], [81]]]);
    const fixed = { addresses: [7, 7] as const };
    expect(verdictOf({ kind: "dnat", to: fixed, mapped: { ports: port } })).toEqual({ address: 7, port: 81 });
  });
});

describe("what cannot be told is refused", () => {
  it("jhash without a seed, ranges of ports of a packet without ports, a set that is not there", () => {
    const jhash = { kind: "hash", inputs: key("saddr"), mod: 2, offset: 0 } as const;
    const ping = { ...from, protocol: ICMP, dport: 0x800 };
    expect(() => passing([[compare(jhash, 1)]], from)).toThrow(/seed/);
    expect(() => passing([[compare(field("dport"), [1, 9])]], ping)).toThrow(/no ports/);
    expect(passing([[compare(field("dport"), 9)], [lookup(key("dport"), [[9]], true)]], ping)).toEqual([1]);
    expect(() => passing([[lookup(key("protocol", "dport"), [[1, [1, 9]]])]], ping)).toThrow(/no ports/);
    expect(passing([[lookup(key("protocol", "dport"), [[6, [1, 9]]])]], ping)).toEqual([]);
    expect(() => passing([[lookup(key("saddr"), "gone")]], from)).toThrow(/the set gone is not defined/);
  });
});

describe("a trace", () => {
  it("tells lookups under the rules that made them, and none of rules that failed", () => {
    const chains = {
      c: [
        "nat prerouting -100",
        [vmap(key("protocol", "dport"), "none")],
        [vmap(key("daddr", "protocol", "dport"), "services")],
      ],
      u: [undefined, [dnat("10.0.0.20", 8080)]],
    } as const;
    const maps = [verdictMap("none", []), verdictMap("services", [[["10.0.0.9", 6, 80], goto("u")]])];
    const { steps } = linearEngine(resolved(table("ip", chains, { maps }))).trace(from, context());
    const shown = steps.map((step) =>
      step.kind === "rule"
        ? `rule ${step.rule.chain.name} ${step.rule.number}`
        : step.kind === "lookup"
          ? `${step.table}: ${step.key} -> ${step.found}`
          : step.kind === "chain"
            ? `${step.chain}${step.instead === true ? " instead" : ""}`
            : step.kind,
    );
    expect(shown.slice(0, 8)).toEqual([
      "hook",
      "c",
      "t none: tcp . 80 -> undefined",
      "rule c 2",
      "t services: 10.0.0.9 . tcp . 80 -> goto u",
      "u instead",
      "rule u 1",
      "translate",
    ]);
  });
});
