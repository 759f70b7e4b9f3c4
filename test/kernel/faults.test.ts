import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, type PacketFields } from "../../src/packet/packet.js";
import { TcpFlag, UDP } from "../../src/packet/protocol.js";
import type { ActionTable, VerdictTable } from "../../src/engine/execute.js";
import type { MatchTable } from "../../src/engine/evaluate.js";
import { type Semantics, semanticsOf } from "../../src/engine/machine.js";
import { disagreements, tally } from "./compare.js";
import { KernelNode } from "./kernel-node.js";
import { ProjectNode } from "./project-node.js";
import { completeTables, read } from "./session.js";

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
  readonly table: "raw" | "mangle" | "nat" | "filter";
  /** Lines of that table: chains and rules. */
  readonly rules: readonly string[];
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

const faults: readonly Fault[] = [
  {
    name: "goto treated as jump",
    semantics: withVerdict({ goto: verdicts.jump as never }),
    table: "filter",
    rules: [":A - [0:0]", "-A FORWARD -g A", "-A FORWARD -j DROP", "-A A -p udp -j DROP"],
  },
  {
    name: "jump treated as goto",
    semantics: withVerdict({ jump: verdicts.goto as never }),
    table: "filter",
    rules: [":A - [0:0]", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -p udp -j DROP"],
  },
  {
    name: "threshold of statistic one too high",
    semantics: withMatch({
      random: (m, walk, place) => matches.random({ ...m, threshold: m.threshold + 1 }, walk, place),
    }),
    table: "filter",
    rules: ["-A FORWARD -m statistic --mode random --probability 0.5 -j DROP"],
    packets: Array.from({ length: 40 }, () => to()),
  },
  {
    name: "threshold of statistic one too low",
    semantics: withMatch({
      random: (m, walk, place) => matches.random({ ...m, threshold: m.threshold - 1 }, walk, place),
    }),
    table: "filter",
    rules: ["-A FORWARD -m statistic --mode random --probability 0.5 -j DROP"],
    packets: Array.from({ length: 40 }, () => to()),
  },
  {
    name: "RETURN in a base chain ignores the policy",
    semantics: withVerdict({
      return: (v, walk, place) => (walk.stack.length === 1 ? "accept" : verdicts.return(v, walk, place)),
    }),
    table: "filter",
    rules: [":FORWARD DROP [0:0]", "-A FORWARD -p tcp -j RETURN"],
  },
  {
    name: "RETURN leaves the base chain",
    semantics: withVerdict({ return: () => "accept" }),
    table: "filter",
    rules: [":A - [0:0]", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -j RETURN"],
  },
  {
    name: "ACCEPT ends the whole walk",
    semantics: withVerdict({ accept: (_, walk) => walk.outcome("accept") }),
    table: "mangle",
    rules: ["-A PREROUTING -j ACCEPT", "-A FORWARD -p tcp -j DROP"],
  },
  {
    name: "mark xor swapped with or",
    semantics: withAction({
      "set-mark": (a, walk) => {
        walk.mark = ((walk.mark & ~a.clear) | a.xor) >>> 0;
        return "statement";
      },
    }),
    table: "mangle",
    rules: [
      "-A PREROUTING -j MARK --set-mark 0x3",
      "-A PREROUTING -j MARK --xor-mark 0x1",
      "-A PREROUTING -m mark --mark 0x2 -j DROP",
    ],
  },
  {
    name: "mark cleared without its mask",
    semantics: withAction({
      "set-mark": (a, walk) => {
        walk.mark = a.xor;
        return "statement";
      },
    }),
    table: "mangle",
    rules: [
      "-A PREROUTING -j MARK --set-mark 0x3",
      "-A PREROUTING -j MARK --or-mark 0x4000",
      "-A PREROUTING -m mark --mark 0x4003 -j DROP",
    ],
  },
  {
    name: "mark compared without its mask",
    semantics: withMatch({ mark: (m, walk) => (walk.mark === m.value) !== m.negate }),
    table: "mangle",
    rules: ["-A PREROUTING -j MARK --set-mark 0x4001", "-A PREROUTING -m mark --mark 0x4000/0x4000 -j DROP"],
  },
  {
    name: "nth counts from one",
    semantics: withMatch({
      nth: (m, walk, place) => matches.nth({ ...m, packet: (m.packet + 1) % m.every }, walk, place),
    }),
    table: "filter",
    rules: ["-A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP"],
  },
  {
    name: "the last port of a range left out",
    semantics: withMatch({
      transport: (m, walk, place) => m.dport?.ranges[0]![1] !== walk.dport && matches.transport(m, walk, place),
    }),
    table: "filter",
    rules: ["-A FORWARD -p tcp -m tcp --dport 70:80 -j DROP"],
  },
  {
    name: "negation of an address ignored",
    semantics: withMatch({ address: (m, walk, place) => matches.address({ ...m, negate: false }, walk, place) }),
    table: "filter",
    rules: ["-A FORWARD ! -s 10.64.0.0/16 -j DROP"],
  },
  {
    name: "multiport looks at the other side",
    semantics: withMatch({ multiport: (m, walk, place) => matches.multiport({ ...m, side: "source" }, walk, place) }),
    table: "filter",
    rules: ["-A FORWARD -p udp -m multiport --dports 53,80:90 -j DROP"],
    packets: [53, 79, 80, 90, 91].map(udp),
  },
  {
    name: "+ of an interface taken literally",
    semantics: withMatch({ interface: (m, walk) => (walk[m.field] === m.name) !== m.negate }),
    table: "filter",
    rules: ["-A FORWARD -i tun+ -j DROP"],
  },
  {
    name: "flags compared without their mask",
    semantics: withMatch({
      transport: (m, walk, place) =>
        matches.transport(m.flags ? { ...m, flags: { ...m.flags, mask: 63 } } : m, walk, place),
    }),
    table: "filter",
    rules: ["-A FORWARD -p tcp -m tcp --tcp-flags SYN,ACK SYN -j DROP"],
    packets: [to(), to({ tcpFlags: TcpFlag.SYN | TcpFlag.URG })],
  },
  {
    name: "a state not yet answered taken for established",
    semantics: withMatch({
      conntrack: (m, walk, place) => {
        const seen = m.state === undefined || (m.state.bits & 2) === 0 ? m : { ...m, state: { ...m.state, bits: 8 } };
        return matches.conntrack(seen, walk, place);
      },
    }),
    table: "filter",
    rules: ["-A FORWARD -m conntrack --ctstate NEW -j DROP"],
  },
  {
    name: "DNAT keeps the port",
    semantics: withAction({
      dnat: (a, walk, place) => actions.dnat({ ...a, to: { ...a.to, ports: [walk.dport, walk.dport] } }, walk, place),
    }),
    table: "nat",
    rules: ["-A PREROUTING -p tcp -j DNAT --to-destination 192.0.2.2:8080"],
  },
  {
    name: "DNAT does not end the chain",
    semantics: withAction({ dnat: (a, walk, place) => (actions.dnat(a, walk, place), "rule") }),
    table: "nat",
    rules: [
      "-A PREROUTING -p tcp -j DNAT --to-destination 192.0.2.2:8080",
      "-A PREROUTING -p tcp -j DNAT --to-destination 192.0.2.3",
    ],
  },
  {
    name: "MASQUERADE forgotten",
    semantics: withAction({ masquerade: () => "accept" }),
    table: "nat",
    rules: ["-A POSTROUTING -j MASQUERADE"],
  },
  {
    name: "limit lets one more through",
    semantics: withMatch({ limit: (m, walk, place) => matches.limit({ ...m, burst: m.burst + 1 }, walk, place) }),
    table: "filter",
    rules: ["-A FORWARD -m limit --limit 1/hour --limit-burst 4 -j ACCEPT", "-A FORWARD -j DROP"],
  },
  {
    name: "recent does not remember what it saw",
    semantics: withMatch({ recent: (m) => m.negate }),
    table: "filter",
    rules: ["-A FORWARD -m recent --rcheck --name SEEN -j DROP", "-A FORWARD -m recent --set --name SEEN"],
  },
];

describe("a wrong engine is caught", () => {
  let kernel: KernelNode;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", "legacy");
  });
  afterAll(() => {
    kernel?.stop();
    Object.assign(tally, { rulesets: 0, packets: 0, paths: 0, connections: 0, counters: 0, flows: 0 }); // comparing wrong engines proves nothing about the right one
  });

  it.each(faults)("$name", async ({ semantics, table, rules, packets }) => {
    const text = completeTables(`*${table}\n${rules.join("\n")}\nCOMMIT\n`);
    const ruleset = read(text, "ip");
    const [sound, wrong] = [
      new ProjectNode(ruleset, kernel.node),
      new ProjectNode(ruleset, kernel.node, { semantics }),
    ];
    await kernel.load(text, sound.names.lengths);
    await kernel.forgetConnections();
    const sent = packets ?? Array.from({ length: 10 }, () => to());
    const seen = await kernel.send(sent.map((packet) => ({ packet })));
    const differences = (project: ProjectNode): string[] =>
      sent.flatMap((packet, i) =>
        disagreements(packet, seen[i]!, project.process(packet, seen[i]!, 1000), project.names),
      );
    expect(differences(sound), "the right engine").toEqual([]);
    expect(differences(wrong), "the wrong engine").not.toEqual([]);
  });
});
