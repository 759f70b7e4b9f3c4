import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, equals, formatFraction, type Fraction, toNumber } from "../../src/engine/fraction.js";
import { linearEngine } from "../../src/engine/linear.js";
import type { Outcome } from "../../src/engine/outcome.js";
import {
  type Connection,
  CtStatus,
  INVALID_CONNECTION,
  NEW_CONNECTION,
  UNTRACKED_CONNECTION,
} from "../../src/packet/connection.js";
import { replyTuple } from "../../src/packet/tuple.js";
import { hostPrefix, parsePrefix } from "../../src/packet/prefix.js";
import { parseAddress } from "../../src/packet/address.js";
import { TCP, UDP } from "../../src/packet/protocol.js";
import { type Packet, tupleOf } from "../../src/packet/packet.js";
import { resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import type { Rule, RuleSet, Statement, Table } from "../../src/ruleset/types.js";
import { builtinBase } from "../../src/syntax/iptables/builtin.js";
import { translate, type Translation } from "../../src/translate/translate.js";
import { packetsFor } from "../arbitrary/packets.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { NODE } from "../engine/rules.js";
import { contextFor } from "../law/engines-agree.js";
import { translatable } from "./translatable.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260611);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/translate/law.test.ts`;

/** All that a packet and the rules after it can tell. Lists of addresses are other state than sets of them. */
function keyOf({ verdict, rejectWith, tuple, source, mark, way, oif, notrack, changes }: Outcome): string {
  const marks = changes.filter((change) => change.kind === "ctmark");
  return JSON.stringify([verdict, rejectWith, tuple, source, mark, way, oif, notrack, marks]);
}

/** What conntrack may know of a packet: each gets one of these. */
function connectionsOf(packet: Packet): Connection[] {
  const tuple = tupleOf(packet);
  const reply = replyTuple(tuple) ?? tuple;
  const entry = { original: tuple, reply, direction: "original", mark: 5 } as const;
  const turned = { ...entry, reply: { ...reply, src: NODE.addresses[packet.family === "ip" ? 0 : 1]! } };
  return [
    NEW_CONNECTION,
    INVALID_CONNECTION,
    UNTRACKED_CONNECTION,
    { ...entry, state: "established", status: CtStatus.seenReply | CtStatus.confirmed },
    { ...turned, state: "established", status: CtStatus.dnat | CtStatus.confirmed },
    { ...entry, state: "related", status: CtStatus.confirmed | CtStatus.assured },
  ];
}

type Outcomes = Map<string, Fraction>;

function distributionOf(resolved: ResolvedRuleSet, packet: Packet, connection: Connection): Outcomes {
  const context = { ...contextFor(NODE, 0), connection };
  const { outcomes } = linearEngine(resolved).outcomes(packet, context);
  const table = new Map<string, Fraction[]>();
  for (const { outcome, probability } of outcomes) {
    const key = keyOf(outcome);
    table.set(key, [...(table.get(key) ?? []), probability]);
  }
  return new Map([...table].map(([key, parts]) => [key, parts.length === 1 ? parts[0]! : sum(parts)]));
}

function sum(parts: readonly Fraction[]): Fraction {
  return parts.reduce((a, b) => add(a, b));
}

/** Linear over the translation gives what linear gives over the original, and with the same probability; 1/n for an even choice. */
function expectSame(original: ResolvedRuleSet, translation: Translation, packets: readonly Packet[]): void {
  const resolved = resolve(translation.ruleset);
  expect(
    resolved.problems.filter((one) => one.severity === "error"),
    rerun,
  ).toEqual([]);
  const near = translation.inChoices > 0;
  const same = (a: Fraction, b: Fraction | undefined): boolean =>
    b !== undefined && (near ? Math.abs(toNumber(a) - toNumber(b)) < 1e-8 : equals(a, b));
  for (const [i, packet] of packets.entries()) {
    const connections = connectionsOf(packet);
    const connection = connections[i % connections.length]!;
    const [want, got] = [original, resolved].map((one) => distributionOf(one, packet, connection)) as [
      Outcomes,
      Outcomes,
    ];
    if (want.size === got.size && [...want].every(([key, p]) => same(p, got.get(key)))) continue;
    const show = (table: Outcomes): string[] => [...table].map(([key, p]) => `${formatFraction(p)} ${key}`);
    expect(show(got).toSorted(), `${JSON.stringify(packet)}; ${rerun}`).toEqual(show(want).toSorted());
    throw new Error(`probabilities differ: ${JSON.stringify([show(want), show(got)])}; ${rerun}`);
  }
}

const drawing = ({ rules }: ResolvedRuleSet): number =>
  rules.filter(({ rule }) => rule.statements.some((statement) => statement.kind === "random")).length;

describe("a translated rule set decides every packet alike", () => {
  it("random rule sets over the language that has counterparts", { timeout: 3_600_000 }, () => {
    let kept = 0;
    fc.assert(
      fc.property(arbitraryRuleSet({ rules: 5, evaluable: true }), fc.nat(), (drawn, packetSeed) => {
        const ruleset = translatable(drawn);
        const resolved = resolve(ruleset);
        if (resolved.problems.some((problem) => problem.severity === "error") || drawing(resolved) > 6) return;
        const translation = translate(ruleset, { withoutBridges: true });
        kept += resolved.rules.length;
        const family = ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
        expectSame(resolved, translation, packetsFor(resolved, NODE, family, 12, String(packetSeed)));
      }),
      { seed, numRuns: long ? 2000 : 150 },
    );
    expect(kept, "most rules must have a counterpart").toBeGreaterThan(long ? 20_000 : 1500);
  });

  it("chains of exact rules, shared keys, tests besides the key, and even choices", { timeout: 3_600_000 }, () => {
    let folded = 0;
    let chosen = 0;
    fc.assert(
      fc.property(serviceLike, fc.nat(), (ruleset, packetSeed) => {
        const resolved = resolve(ruleset);
        expect(resolved.problems).toEqual([]);
        const packets = packetsFor(resolved, NODE, "ip", 20, String(packetSeed));
        const translation = translate(ruleset);
        expectSame(resolved, translation, packets);
        expectSame(resolved, translate(ruleset, { fold: false }), packets.slice(0, 5));
        folded += translation.inMaps;
        chosen += translation.inChoices;
      }),
      { seed, numRuns: long ? 4000 : 300 },
    );
    expect(folded).toBeGreaterThan(500);
    expect(chosen).toBeGreaterThan(50);
  });
});

const hosts = ["172.30.0.1", "172.30.0.2", "172.30.0.3"].map((text) => hostPrefix(parseAddress(text)!));

/** A test of one destination, with more tests and any end. */
const exactRule: fc.Arbitrary<Rule> = fc
  .record({
    host: fc.constantFrom(...hosts),
    protocol: fc.constantFrom(TCP, TCP, UDP),
    port: fc.constantFrom(80, 443, null),
    bare: fc.boolean(),
    more: fc.constantFrom<readonly Statement[]>(
      [],
      [],
      [{ kind: "address", field: "saddr", ...parsePrefix("10.0.0.0/8")!, negate: true }],
      [{ kind: "mark", field: "mark", value: 1, mask: 1, negate: false }],
      [{ kind: "random", threshold: 2 ** 30, negate: false }],
      [{ kind: "address-type", source: { types: ["LOCAL"], negate: false } }],
    ),
    end: fc.constantFrom<Statement>(
      { kind: "jump", chain: "A" },
      { kind: "jump", chain: "B" },
      { kind: "jump", chain: "PICK" },
      { kind: "goto", chain: "A" },
      { kind: "accept" },
      { kind: "drop" },
      { kind: "return" },
      { kind: "reject", with: "icmp-port-unreachable" },
      { kind: "set-mark", field: "mark", clear: 1, xor: 1 },
      { kind: "log", target: "LOG", options: ["--log-prefix", "x"] },
    ),
  })
  .map(({ host, protocol, port, bare, more, end }) => ({
    statements: [
      { kind: "address", field: "daddr", ...host, negate: false },
      { kind: "protocol", protocol, negate: false },
      ...(port === null
        ? bare
          ? [{ kind: "transport", protocol } as const]
          : []
        : [{ kind: "transport", protocol, dport: { ranges: [[port, port]], negate: false } } as const]),
      ...more,
      end,
    ],
  }));

/** An even choice of n: of chains that decide, or of one that returns. */
const choice: fc.Arbitrary<Rule[]> = fc
  .tuple(fc.array(fc.constantFrom("E", "F", "F", "A"), { minLength: 2, maxLength: 5 }), fc.boolean())
  .map(([chains, exact]) =>
    chains.map((chain, i): Rule => {
      const left = chains.length - i;
      const threshold = Math.round(2 ** 31 / left) + (exact || left === 1 ? 0 : 700);
      const draw: Statement[] = left === 1 ? [] : [{ kind: "random", threshold, negate: false }];
      return { statements: [...draw, { kind: "jump", chain }] };
    }),
  );

const marking = (xor: number): Rule => ({ statements: [{ kind: "set-mark", field: "mark", clear: 0, xor }] });
const plainChain = (name: string, ...rules: Rule[]): Table["chains"][number] => ({ name, rules });

/** Of any protocol: chains that decide for one only return some packets. */
const straightToPick: Rule = { statements: [{ kind: "jump", chain: "PICK" }] };

const serviceLike: fc.Arbitrary<RuleSet> = fc
  .tuple(
    fc.array(exactRule, { minLength: 3, maxLength: 12 }),
    fc.array(exactRule, { maxLength: 3 }),
    choice,
    fc.boolean(),
  )
  .map(([services, later, pick, straight]) => {
    const forward = { name: "FORWARD", base: builtinBase("filter", "FORWARD", "accept")! };
    const input = { name: "INPUT", base: builtinBase("filter", "INPUT", "accept")! };
    const jump: Rule = { statements: [{ kind: "jump", chain: "SERVICES" }] };
    const chains = [
      { ...input, rules: [jump, marking(16)] },
      { ...forward, rules: [jump, ...(straight ? [straightToPick] : []), marking(16)] },
      plainChain("SERVICES", ...services, marking(32)),
      plainChain("PICK", ...pick),
      plainChain("A", marking(2)),
      plainChain("B", marking(4), ...later.filter(({ statements }) => !leadsOn(statements))),
      plainChain("E", marking(8), { statements: [{ kind: "accept" }] }),
      plainChain("F", { statements: [{ kind: "protocol", protocol: TCP, negate: false }, { kind: "drop" }] }),
    ];
    return { tables: [{ family: "ip", name: "filter", chains, sets: [], maps: [] }] };
  });

function leadsOn(statements: readonly Statement[]): boolean {
  return statements.some((one) => (one.kind === "jump" || one.kind === "goto") && one.chain !== "A");
}
