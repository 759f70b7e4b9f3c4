import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, type PacketFields } from "../../src/packet/packet.js";
import { ICMP, UDP } from "../../src/packet/protocol.js";
import { evaluateKey } from "../../src/engine/expression.js";
import type { ActionTable, VerdictTable } from "../../src/engine/execute.js";
import type { MatchTable } from "../../src/engine/evaluate.js";
import { findKey } from "../../src/engine/lookup.js";
import { type Semantics, semanticsOf } from "../../src/engine/machine.js";
import { disagreements, tally } from "./compare.js";
import { KernelNode } from "./kernel-node.js";
import { ProjectNode } from "./project-node.js";
import { counterDisagreements, read } from "./session.js";

const right = semanticsOf();
const { matches, actions, verdicts } = right;
const withMatch = (changed: Partial<MatchTable>): Semantics => ({ ...right, matches: { ...matches, ...changed } });
const withAction = (changed: Partial<ActionTable>): Semantics => ({ ...right, actions: { ...actions, ...changed } });
const withVerdict = (changed: Partial<VerdictTable>): Semantics => ({
  ...right,
  verdicts: { ...verdicts, ...changed },
});

interface Fault {
  /** What is wrong with the engine. */
  readonly name: string;
  readonly semantics: Semantics;
  /** A table of nftables. */
  readonly rules: string;
  /** Default: ten SYNs of their own through the node. */
  readonly packets?: readonly Packet[];
}

let port = 1000;
const to = (fields: Partial<PacketFields> = {}): Packet =>
  makePacket({
    src: parseAddress("10.64.0.1")!,
    dst: parseAddress("192.0.2.1")!,
    sport: port++,
    dport: 80,
    iif: "tun1",
    ...fields,
  });
const udp = (dport: number): Packet => to({ protocol: UDP, dport, tcpFlags: 0 });
const ping = (): Packet => to({ protocol: ICMP, dport: 0x800, tcpFlags: 0 });
const table = (chains: string): string => `table inet t {\n${chains}\n}\n`;
const forward = (rules: string, before = ""): string =>
  table(`${before}\nchain forward { type filter hook forward priority filter; ${rules}; }`);

const faults: readonly Fault[] = [
  {
    name: "a verdict map without the key lets the rule go on",
    semantics: withVerdict({
      "verdict-map": (map, walk, place) => {
        const next = verdicts["verdict-map"](map, walk, place);
        return next === "fail" ? "statement" : next;
      },
    }),
    rules: forward("tcp dport vmap { 443 : accept } drop"),
  },
  {
    name: "continue in a verdict map ends the rule",
    semantics: withVerdict({
      "verdict-map": (map, walk, place) => {
        const next = verdicts["verdict-map"](map, walk, place);
        return next === "statement" ? "rule" : next;
      },
    }),
    rules: forward("tcp dport vmap { 80 : continue } meta mark set 0x7"),
  },
  {
    name: "goto in a verdict map treated as jump",
    semantics: withVerdict({
      "verdict-map": (map, walk, place) => {
        const elements = typeof map.map === "string" ? [] : map.map;
        const jumps = elements.map((one) => ({
          ...one,
          verdict: one.verdict.kind === "goto" ? { ...one.verdict, kind: "jump" as const } : one.verdict,
        }));
        return verdicts["verdict-map"]({ ...map, map: jumps }, walk, place);
      },
    }),
    rules: table(
      "chain u { udp dport 1 drop; }\nchain forward { type filter hook forward priority filter; tcp dport vmap { 80 : goto u }; drop; }",
    ),
  },
  {
    name: "accept ends the whole walk",
    semantics: withVerdict({ accept: (_, walk) => walk.outcome("accept") }),
    rules: table(
      "chain early { type filter hook forward priority -5; accept; }\nchain late { type filter hook forward priority 5; tcp dport 80 drop; }",
    ),
  },
  {
    name: "a negated lookup holds for a packet without the field",
    semantics: withMatch({
      lookup: (m, walk, place) => {
        const key = evaluateKey(m.key, walk, place);
        return (key !== undefined && findKey(m.key, key, m.set, walk, place) !== undefined) !== m.negate;
      },
    }),
    rules: forward("tcp dport != { 80, 81 } drop"),
    packets: [to(), udp(53), ping()],
  },
  {
    name: "a negated address holds for the other family",
    semantics: withMatch({
      address: (m, walk, place) => (typeof walk.src !== typeof m.value ? m.negate : matches.address(m, walk, place)),
    }),
    rules: forward("ip6 saddr != 2001:db8::1 drop"),
  },
  {
    name: "the end of an interval left out",
    semantics: withMatch({
      lookup: (m, walk, place) => (walk.dport === 90 ? m.negate : matches.lookup(m, walk, place)),
    }),
    rules: forward("ip daddr . udp dport { 192.0.2.0/24 . 53-90 } drop"),
    packets: [53, 89, 90, 91].map(udp),
  },
  {
    name: "update does not add",
    semantics: withAction({
      "set-update": (a, walk, place) =>
        a.operation === "update" ? "statement" : actions["set-update"](a, walk, place),
    }),
    rules: forward(
      "ip saddr @seen drop; update @seen { ip saddr }",
      "set seen { type ipv4_addr; flags dynamic,timeout; timeout 1h; }",
    ),
  },
  {
    name: "a full set still takes elements",
    semantics: withAction({
      "set-update": (a, walk, place) => {
        const next = actions["set-update"](a, walk, place);
        return next === "fail" ? "statement" : next;
      },
    }),
    rules: forward(
      "add @seen { ip saddr . tcp sport } meta mark set 0x1",
      "set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1h; size 3; }",
    ),
  },
  {
    name: "numgen inc counts from one",
    semantics: withMatch({
      compare: (m, walk, place) =>
        m.left.kind === "numgen"
          ? matches.compare({ ...m, left: { ...m.left, offset: m.left.offset + 1 } }, walk, place)
          : matches.compare(m, walk, place),
    }),
    rules: forward("numgen inc mod 3 0 drop"),
  },
  {
    name: "numgen random one value too high",
    semantics: withMatch({
      compare: (m, walk, place) =>
        m.left.kind === "numgen"
          ? matches.compare({ ...m, left: { ...m.left, offset: m.left.offset + 1 } }, walk, place)
          : matches.compare(m, walk, place),
    }),
    rules: forward("numgen random mod 4 < 2 drop"),
    packets: Array.from({ length: 40 }, () => to()),
  },
  {
    name: "jhash over the bytes in host order",
    semantics: withMatch({
      compare: (m, walk, place) =>
        m.left.kind === "hash"
          ? matches.compare(
              {
                ...m,
                left: { ...m.left, inputs: [{ kind: "value", value: [walk.src as number, walk.src as number] }] },
              },
              walk,
              place,
            )
          : matches.compare(m, walk, place),
    }),
    rules: forward("jhash ip saddr mod 2 seed 0x1 0 drop"),
    packets: Array.from({ length: 16 }, (_, i) => to({ src: 0x0a400001 + i })),
  },
  {
    name: "over of a limit ignored",
    semantics: withMatch({ limit: (m, walk, place) => matches.limit({ ...m, negate: false }, walk, place) }),
    rules: forward("limit rate over 1/hour burst 4 packets drop"),
  },
  {
    name: "th dport fails for a packet without ports",
    semantics: withMatch({
      transport: (m, walk, place) =>
        m.protocol === null && walk.protocol === ICMP ? false : matches.transport(m, walk, place),
    }),
    rules: forward("th dport != 81 drop"),
    packets: [ping(), to()],
  },
  {
    name: "a map to addresses without the key translates nothing, and ends the chain",
    semantics: withAction({
      dnat: (a, walk, place) => {
        const next = actions.dnat(a, walk, place);
        return next === "fail" ? "accept" : next;
      },
    }),
    rules: table(
      "chain pre { type nat hook prerouting priority dstnat; dnat ip to ip daddr map { 192.0.2.9 : 192.0.2.2 }; dnat ip to 192.0.2.3; }",
    ),
  },
  {
    name: "the connection's mark set before conntrack has seen the packet",
    semantics: withAction({
      assign: (a, walk, place) => {
        const next = actions.assign(a, walk, place);
        return next === "fail" ? "statement" : next;
      },
    }),
    rules: table("chain pre { type filter hook prerouting priority raw; meta mark set ct mark; meta mark set 0x5; }"),
  },
  {
    name: "notrack seen only when conntrack has had its turn",
    semantics: withAction({
      notrack: (_, walk) => {
        if (walk.connection === undefined) walk.notrack = true;
        return "statement";
      },
    }),
    rules: table("chain pre { type filter hook prerouting priority raw; notrack; ct state untracked drop; }"),
  },
  {
    name: "icmpx answers with another code",
    semantics: withVerdict({
      reject: (_, walk, place) => walk.outcome("reject", place.at, "icmp-port-unreachable"),
    }),
    rules: forward("reject with icmpx admin-prohibited"),
  },
  {
    // The rule fails either way: only its counter knows how far the packet came.
    name: "a match fails where it holds, before a counter",
    semantics: withMatch({ transport: () => false }),
    rules: forward("tcp dport 80 counter ip saddr 203.0.113.99 drop"),
  },
];

describe("a wrong engine for nftables is caught", () => {
  let kernel: KernelNode;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", "nftables");
  });
  afterAll(() => {
    kernel?.stop();
    Object.assign(tally, { rulesets: 0, packets: 0, paths: 0, connections: 0, counters: 0, flows: 0 }); // comparing wrong engines proves nothing about the right one
  });

  it.each(faults)("$name", async ({ semantics, rules, packets }) => {
    const ruleset = read(rules, "ip", "nft");
    const [sound, wrong] = [
      new ProjectNode(ruleset, kernel.node, { nftables: true }),
      new ProjectNode(ruleset, kernel.node, { nftables: true, semantics }),
    ];
    await kernel.load(rules, sound.names.lengths);
    await kernel.forgetConnections();
    const sent = packets ?? Array.from({ length: 10 }, () => to());
    const seen = await kernel.send(sent.map((packet) => ({ packet })));
    const differences = (project: ProjectNode): string[] => [
      ...sent.flatMap((packet, i) =>
        disagreements(packet, seen[i]!, project.process(packet, seen[i]!, 1000), project.names),
      ),
      ...counterDisagreements(kernel, project),
    ];
    expect(differences(sound), "the right engine").toEqual([]);
    let caught: string[];
    try {
      caught = differences(wrong);
    } catch (thrown) {
      caught = [String(thrown)]; // both ends of a share of numbers must go the same way
    }
    expect(caught, "the wrong engine").not.toEqual([]);
  });
});
