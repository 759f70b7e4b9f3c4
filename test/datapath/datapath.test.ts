import { describe, expect, test } from "vitest";
import { parseAddress, parseEndpoint } from "../../src/packet/address.js";
import { type Connection, CtStatus } from "../../src/packet/connection.js";
import { makePacket, type Packet, type PacketFields, tupleOf } from "../../src/packet/packet.js";
import { ICMP, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import { formatTuple, replyTuple, type Tuple } from "../../src/packet/tuple.js";
import { linearEngine } from "../../src/engine/linear.js";
import type { Engine } from "../../src/engine/types.js";
import { formatEntry } from "../../src/conntrack/entry.js";
import { Datapath } from "../../src/datapath/datapath.js";
import type { DatapathOptions, Result } from "../../src/datapath/single.js";
import { EVERYTHING, node, rules } from "./rules.js";
import { sendTraffic } from "./traffic.js";

const { SYN, ACK, FIN } = TcpFlag;

function packet(src: string, dst: string, fields: Partial<PacketFields> = {}): Packet {
  const [from, to] = [src, dst].map((text) => parseEndpoint(text) ?? { address: parseAddress(text)!, port: 0 }) as [
    { address: never; port: number },
    { address: never; port: number },
  ];
  return makePacket({ src: from.address, sport: from.port, dst: to.address, dport: to.port, ...fields });
}

const udp = (src: string, dst: string, fields: Partial<PacketFields> = {}): Packet =>
  packet(src, dst, { protocol: UDP, ...fields });
const answerTo = (result: Result, fields: Partial<PacketFields> = {}): Packet =>
  makePacket({ ...replyTuple(tupleOf(result.packet))!, ...fields });
const tuple = (of: Tuple): string => formatTuple(of);

function datapath(text: string, options: DatapathOptions = {}): Datapath {
  return new Datapath(linearEngine(rules(text)), node, options);
}

const table = (name: string, chains: string, lines: string): string =>
  `*${name}\n${chains
    .split(" ")
    .map((chain) => `:${chain} ACCEPT [0:0]\n`)
    .join("")}${lines.trim()}\nCOMMIT\n`;
const NAT = "PREROUTING INPUT OUTPUT POSTROUTING";
const FILTER = "INPUT FORWARD OUTPUT";
const RAW = "PREROUTING OUTPUT";

describe("laws of traffic", () => {
  test.each(["chains", "fast-path"] as const)(
    "mode %s: what is known leaves as its connection says, replies lead back to the original",
    (mode) => {
      const path = new Datapath(linearEngine(rules(EVERYTHING)), node, { mode });
      /** The obvious conntrack: what a tuple turns into. */
      const turns = new Map<string, string>();
      let replies = 0;
      const sent = sendTraffic(path, 4000, "model");
      for (const { packet: came, result } of sent) {
        const original = tupleOf(came);
        const final = tupleOf(result.packet);
        if (result.entry === "opened") {
          turns.set(tuple(original), tuple(final));
          turns.set(tuple(replyTuple(final)!), tuple(replyTuple(original)!));
        } else if (result.entry === "known" && result.verdict === "accept") {
          expect(tuple(final)).toBe(turns.get(tuple(original)));
          if (result.state === "established") replies++;
        } else expect(final).toEqual(original);
      }
      expect(replies).toBeGreaterThan(300);

      const end = sent[sent.length - 1]!.now;
      const tuples = [...path.entries(end)].flatMap((entry) => [tuple(entry.original), tuple(entry.reply)]);
      expect(tuples.length).toBeGreaterThan(20);
      expect(new Set(tuples).size).toBe(tuples.length);
      expect([...path.entries(end + 432_000_000)]).toEqual([]);
    },
  );

  test("equal seeds give equal results, other seeds others", () => {
    const run = (seed: number): string =>
      JSON.stringify(
        sendTraffic(new Datapath(linearEngine(rules(EVERYTHING)), node, { seed }), 300, "seeds").map(
          (s) => s.result.packet,
        ),
      );
    expect(run(1)).toBe(run(1));
    expect(run(1)).not.toBe(run(2));
  });
});

describe("a service", () => {
  const SERVICE = table(
    "nat",
    NAT,
    `
-A PREROUTING -d 10.96.0.1/32 -p tcp -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 10.0.1.1:8080
-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.0.1.2:8080
-A PREROUTING -d 10.96.0.1/32 -p udp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.0.1.1:53
-A PREROUTING -d 10.96.0.1/32 -p udp -j DNAT --to-destination 10.0.1.2:53
-A POSTROUTING -s 10.0.0.9/32 -j MASQUERADE`,
  );

  test("handshake, data and close, both ways", () => {
    const path = datapath(SERVICE);
    const out = (result: Result): string => `${tuple(result.packet)} ${result.state}`;
    const syn = path.process(packet("10.0.0.9:4000", "10.96.0.1:80"), 0);
    expect(out(syn)).toBe("tcp 10.200.0.1:4000 -> 10.0.1.1:8080 new");
    const back = path.process(answerTo(syn, { tcpFlags: SYN | ACK }), 1);
    expect(out(back)).toBe("tcp 10.96.0.1:80 -> 10.0.0.9:4000 established");
    const ack = path.process(packet("10.0.0.9:4000", "10.96.0.1:80", { tcpFlags: ACK }), 2);
    expect(out(ack)).toBe("tcp 10.200.0.1:4000 -> 10.0.1.1:8080 established");
    expect([...path.entries(1002)].map(formatEntry)).toEqual([
      "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.9 dst=10.96.0.1 sport=4000 dport=80 src=10.0.1.1 dst=10.200.0.1 sport=8080 dport=4000 [ASSURED] mark=0 use=1",
    ]);
    // The next connection is the next endpoint's; its counter did not see the packets in between.
    expect(out(path.process(packet("10.0.0.9:4001", "10.96.0.1:80"), 3))).toContain("-> 10.0.1.2:8080 new");
    for (const [from, tcpFlags] of [
      ["c", FIN | ACK],
      ["s", FIN | ACK],
      ["c", ACK],
    ] as const) {
      path.process(
        from === "c" ? packet("10.0.0.9:4000", "10.96.0.1:80", { tcpFlags }) : answerTo(syn, { tcpFlags }),
        4,
      );
    }
    expect([...path.entries(4)].map((entry) => [entry.state, entry.timeLeft])).toEqual([
      ["TIME_WAIT", 120_000],
      ["SYN_SENT", 119_999],
    ]);
    // A port that is used again opens anew, and the rules are asked again.
    const again = path.process(packet("10.0.0.9:4000", "10.96.0.1:80"), 5);
    expect([again.entry, out(again)]).toEqual(["opened", "tcp 10.200.0.1:4000 -> 10.0.1.1:8080 new"]);
  });

  test("a one-way UDP flow keeps its endpoint for ever, and rules see it as NEW with an entry", () => {
    const seen: Connection[] = [];
    const linear = linearEngine(rules(SERVICE));
    const spy: Engine = {
      ...linear,
      classify: (p, context) => (seen.push(context.connection), linear.classify(p, context)),
    };
    const path = new Datapath(spy, node);
    const endpoints = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const result = path.process(udp("10.0.0.1:999", "10.96.0.1:53"), i * 29_000);
      expect(result.state).toBe("new");
      endpoints.add(tuple(result.packet));
    }
    expect(endpoints.size).toBe(1);
    expect(seen[0]).toEqual({ state: "new", direction: "original", status: 0, mark: 0 });
    const { original, reply } = [...path.entries(0)][0]!;
    const status = CtStatus.confirmed | CtStatus.dnat;
    for (const later of seen.slice(1))
      expect(later).toEqual({ state: "new", direction: "original", status, mark: 0, original, reply });
    // After a silence of 30 s the rules choose again: some silence of some flow changes its endpoint.
    const others = new Set<string>();
    for (let i = 0; i < 20; i++)
      others.add(tuple(path.process(udp("10.0.0.1:999", "10.96.0.1:53"), 2_000_000 + i * 30_000).packet));
    expect(others.size).toBe(2);
  });

  test("repeated SYNs do not ask the nat chains again", () => {
    const path = datapath(SERVICE);
    const leaves = [4000, 4000, 4000, 4001, 4000].map((port) =>
      tuple(path.process(packet(`10.0.0.1:${port}`, "10.96.0.1:80"), 0).packet),
    );
    expect(leaves.map((text) => text.split(" -> ")[1])).toEqual([
      "10.0.1.1:8080",
      "10.0.1.1:8080",
      "10.0.1.1:8080",
      "10.0.1.2:8080",
      "10.0.1.1:8080",
    ]);
  });

  test("a process of the node calls it, and a first packet from loopback to the node itself has one entry", () => {
    const path = datapath(table("nat", NAT, "-A OUTPUT -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.0.1.1:8080"));
    const own = path.process(packet("10.200.0.1:5000", "10.96.0.1:80", { entrance: "output" }), 0);
    expect(tuple(own.packet)).toBe("tcp 10.200.0.1:5000 -> 10.0.1.1:8080");
    expect(tuple(path.process(answerTo(own, { tcpFlags: SYN | ACK }), 0).packet)).toBe(
      "tcp 10.96.0.1:80 -> 10.200.0.1:5000",
    );
    const local = path.process(packet("10.200.0.1:5001", "10.200.0.1:80", { entrance: "output" }), 0);
    expect([local.verdict, local.entry, local.outcome!.way]).toEqual(["accept", "opened", "local"]);
  });

  test("a connection to itself (one tuple for both directions)", () => {
    const path = datapath(SERVICE);
    const self = udp("10.0.0.1:7", "10.0.0.1:7");
    expect([path.process(self, 0).entry, path.process(self, 0).entry]).toEqual(["opened", "known"]);
    // The kernel finds the reply first, so its second packet answers the first, also after the table has grown.
    for (let i = 0; i < 2000; i++) path.process(udp(`10.0.0.2:${i}`, "10.0.1.1:53"), 0);
    expect(path.process(self, 0).state).toBe("established");
    expect([...path.entries(30_000)]).toEqual([]);
    expect(path.process(self, 40_000).entry).toBe("opened");
  });
});

describe("what makes no entry", () => {
  const path = (): Datapath =>
    datapath(
      table("raw", RAW, "-A PREROUTING -p udp -m udp --dport 5 -j NOTRACK\n-A PREROUTING -m mark --mark 0x1 -j DROP") +
        table("nat", NAT, "-A PREROUTING -p udp -j DNAT --to-destination 10.0.1.1") +
        table(
          "filter",
          FILTER,
          "-A FORWARD -p udp -m udp --dport 6 -j DROP\n-A FORWARD -p udp -m udp --dport 7 -j REJECT --reject-with icmp-port-unreachable\n-A FORWARD -m mark --mark 0x2 -j DROP",
        ),
    );

  test.each([
    [5, "accept", undefined, "untracked", "10.9.9.9"],
    [6, "drop", "rule", "new", "10.9.9.9"],
    [7, "reject", "rule", "new", "10.9.9.9"],
  ])("port %d: %s", (port, verdict, reason, state, dst) => {
    const through = path();
    const result = through.process(udp("10.0.0.1:99", `10.9.9.9:${port}`), 0);
    expect([result.verdict, result.reason, result.state, result.entry, result.ref]).toEqual([
      verdict,
      reason,
      state,
      "none",
      0,
    ]);
    expect(tuple(result.packet)).toBe(`udp 10.0.0.1:99 -> ${dst}:${port}`);
    expect([...through.entries(0)]).toEqual([]);
  });

  test("a packet dropped in raw does not refresh its connection; one dropped in filter does", () => {
    const through = path();
    const send = (mark: number, now: number): Result =>
      through.process(udp("10.0.0.1:99", "10.9.9.9:53", { mark }), now);
    send(0, 0);
    expect([send(1, 10_000).verdict, [...through.entries(10_000)][0]!.timeLeft]).toEqual(["drop", 20_000]);
    expect([send(2, 20_000).verdict, [...through.entries(20_000)][0]!.timeLeft]).toEqual(["drop", 30_000]);
  });
});

describe("chains of later packets", () => {
  const text =
    table(
      "mangle",
      "PREROUTING INPUT FORWARD OUTPUT POSTROUTING",
      "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff\n-A PREROUTING -p udp -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x5/0xffffffff",
    ) +
    table(
      "filter",
      FILTER,
      "-A FORWARD -m conntrack --ctstate ESTABLISHED -m udp -p udp --dport 99 -m mark --mark 0x5 -j DROP",
    );
  test.each([
    ["chains", "drop"],
    ["fast-path", "accept"],
  ] as const)("mode %s: an established packet that filter would drop: %s", (mode, verdict) => {
    const path = datapath(text, { mode });
    const first = path.process(udp("10.0.0.1:99", "10.0.1.1:53"), 0);
    expect([...path.entries(0)][0]!.mark).toBe(5);
    const answer = path.process(answerTo(first), 0);
    expect([answer.verdict, answer.state, answer.outcome === undefined]).toEqual([
      verdict,
      "established",
      mode === "fast-path",
    ]);
  });
});

describe("no room", () => {
  /** UDP flows that have lasted: assured. */
  function fill(path: Datapath, count: number): void {
    for (const [now, from] of [
      [0, "client"],
      [2500, "server"],
      [2600, "client"],
    ] as const) {
      for (let i = 0; i < count; i++) {
        const [client, server] = [`10.0.0.1:${1000 + i}`, "10.0.1.1:53"];
        path.process(from === "client" ? udp(client, server) : udp(server, client), now);
      }
    }
  }

  test("a full table of assured connections drops what is new, and only that", () => {
    const text =
      table("filter", FILTER, "-A FORWARD -m recent --set --name SEEN --mask 255.255.255.255 --rsource") +
      table("raw", RAW, "-A PREROUTING -p udp -m udp --dport 5 -j NOTRACK");
    const path = datapath(text, { maxEntries: 50 });
    fill(path, 50);
    const refused = path.process(udp("10.0.0.2:1", "10.0.1.1:53"), 3000);
    expect([refused.verdict, refused.reason]).toEqual(["drop", "table-full"]);
    expect(path.memory.recent("SEEN")!.addresses()).not.toContain(parseAddress("10.0.0.2"));
    expect(path.process(udp("10.0.0.1:1000", "10.0.1.1:53"), 3000).verdict).toBe("accept");
    expect(path.process(udp("10.0.0.2:1", "10.0.1.1:5"), 3000).verdict).toBe("accept");
    // Connections that are over make room.
    expect(path.process(udp("10.0.0.2:1", "10.0.1.1:53"), 2600 + 120_000).reason).toBeUndefined();
    expect(path.table("ip").size).toBeLessThan(50);
  });

  test("connections that are not assured give way", () => {
    const path = datapath(table("filter", FILTER, ""), { maxEntries: 50 });
    for (let i = 0; i < 200; i++) expect(path.process(udp(`10.0.0.1:${i}`, "10.0.1.1:53"), i).verdict).toBe("accept");
    expect(path.table("ip").size).toBeGreaterThan(10);
  });

  test("no source port left", () => {
    const path = datapath(table("nat", NAT, "-A POSTROUTING -p udp -j SNAT --to-source 10.201.0.1:5000"));
    expect(path.process(udp("10.0.0.1:1", "10.0.1.1:53"), 0).verdict).toBe("accept");
    const second = path.process(udp("10.0.0.2:1", "10.0.1.1:53"), 0);
    expect([second.verdict, second.reason, second.entry]).toEqual(["drop", "no-free-tuple", "none"]);
    expect(path.process(udp("10.0.0.2:1", "10.0.1.2:53"), 0).verdict).toBe("accept");
  });

  test("time that passes empties the table without any lookup", () => {
    const path = datapath(table("filter", FILTER, ""));
    for (let i = 0; i < 1000; i++) path.process(udp(`10.0.0.1:${i}`, "10.0.1.1:53"), 0);
    for (let now = 31_000; now <= 95_000; now += 1000) path.process(udp("10.0.0.2:1", "10.0.1.1:53"), now);
    expect(path.table("ip").size).toBe(1);
  });
});

describe("ICMP, as Linux 6.18 answered", () => {
  const text =
    table(
      "nat",
      NAT,
      "-A PREROUTING -d 10.9.0.3/32 -p udp -j DNAT --to-destination 10.5.9.9:5353\n-A POSTROUTING -s 10.7.0.0/16 -j MASQUERADE",
    ) + table("filter", FILTER, "");
  const error = (src: string, dst: string, type: number, code: number, inner: Packet): Packet =>
    packet(src, dst, { protocol: ICMP, dport: (type << 8) | code, inner: tupleOf(inner) });
  const shown = (result: Result): string => {
    const { packet: left, state, verdict } = result;
    if (verdict !== "accept") return `${verdict} ${result.reason}`;
    const [src, dst] = tuple({ ...left, protocol: UDP }).match(/[\d.]+(?=:)/g)!;
    return `${src} > ${dst} ${state}${left.inner === undefined ? "" : `, in it ${tuple(left.inner)}`}`;
  };

  test("errors about a translated connection", () => {
    const path = datapath(text);
    const first = path.process(udp("10.7.0.1:1111", "10.9.0.3:53"), 0);
    expect(tuple(first.packet)).toBe("udp 10.200.0.1:1111 -> 10.5.9.9:5353");
    const send = (src: string, dst: string, type: number, code: number, inner = first.packet): string =>
      shown(path.process(error(src, dst, type, code, inner), 0));
    const related = "10.9.0.3 > 10.7.0.1 related, in it udp 10.7.0.1:1111 -> 10.9.0.3:53";
    expect(send("10.66.0.1", "10.200.0.1", 3, 1)).toBe(related);
    expect(send("10.5.9.9", "10.200.0.1", 3, 3)).toBe(related);
    expect(send("10.66.0.1", "10.200.0.77", 3, 1)).toBe(
      "10.66.0.1 > 10.200.0.77 invalid, in it udp 10.200.0.1:1111 -> 10.5.9.9:5353",
    );
    const reply = path.process(answerTo(first), 0);
    expect(tuple(reply.packet)).toBe("udp 10.9.0.3:53 -> 10.7.0.1:1111");
    expect(send("10.77.0.1", "10.9.0.3", 3, 3, reply.packet)).toBe(
      "10.200.0.1 > 10.5.9.9 related, in it udp 10.5.9.9:5353 -> 10.200.0.1:1111",
    );
    expect(send("10.66.0.1", "10.200.0.1", 5, 1)).toBe("drop nat-redirect");
    expect(send("10.66.0.1", "10.7.0.9", 3, 1, udp("10.7.0.9:5", "10.1.1.1:6"))).toBe(
      "10.66.0.1 > 10.7.0.9 invalid, in it udp 10.7.0.9:5 -> 10.1.1.1:6",
    );
  });

  test("two clients with one identifier", () => {
    const path = datapath(text);
    const echo = (src: string): Packet => packet(src, "10.120.0.9", { protocol: ICMP, sport: 77, dport: 8 << 8 });
    expect(path.process(echo("10.7.0.1"), 0).packet.sport).toBe(77);
    const second = path.process(echo("10.7.0.2"), 0);
    expect(second.packet.sport).not.toBe(77);
    const answer = path.process(answerTo(second), 0);
    expect([shown(answer), answer.packet.sport, answer.packet.dport]).toEqual([
      "10.120.0.9 > 10.7.0.2 established",
      77,
      0,
    ]);
    const expired = path.process(error("10.66.0.1", "10.200.0.1", 11, 0, second.packet), 0);
    expect([expired.packet.src, expired.packet.dst, expired.packet.inner]).toEqual([
      parseAddress("10.66.0.1"),
      parseAddress("10.7.0.2"),
      tupleOf(echo("10.7.0.2")),
    ]);
    expect(path.process(packet("10.120.0.9", "10.7.0.9", { protocol: ICMP, sport: 5, dport: 0 }), 0).state).toBe(
      "invalid",
    );
    expect([...path.entries(1000)].map(formatEntry)).toEqual([
      "ipv4     2 icmp     1 29 src=10.7.0.1 dst=10.120.0.9 type=8 code=0 id=77 [UNREPLIED] src=10.120.0.9 dst=10.200.0.1 type=0 code=0 id=77 mark=0 use=1",
      `ipv4     2 icmp     1 29 src=10.7.0.2 dst=10.120.0.9 type=8 code=0 id=77 src=10.120.0.9 dst=10.200.0.1 type=0 code=0 id=${second.packet.sport} mark=0 use=1`,
    ]);
  });

  test("other protocols are printed as the kernel's listing does", () => {
    const path = datapath(text);
    path.process(packet("10.1.0.1", "10.2.0.1", { protocol: 99 }), 0);
    path.process(udp("10.7.0.1:1111", "10.9.0.3:53"), 0);
    path.process(udp("10.5.9.9:5353", "10.200.0.1:1111"), 0);
    expect([...path.entries(1)].map(formatEntry)).toEqual([
      "ipv4     2 unknown  99 599 src=10.1.0.1 dst=10.2.0.1 [UNREPLIED] src=10.2.0.1 dst=10.1.0.1 mark=0 use=1",
      "ipv4     2 udp      17 29 src=10.7.0.1 dst=10.9.0.3 sport=1111 dport=53 src=10.5.9.9 dst=10.200.0.1 sport=5353 dport=1111 mark=0 use=1",
    ]);
  });
});

test("a fragment other than the first has no ports, so no connection", () => {
  const path = datapath(table("filter", FILTER, ""));
  expect(path.process(packet("10.0.0.1", "10.0.1.1", { protocol: TCP, fragment: true }), 0).state).toBe("invalid");
});
