import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CtState, CtStatus } from "../../src/packet/connection.js";
import { ICMP, ICMPV6, SCTP, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import { EXPIRES, STREAM } from "../../src/conntrack/layout.js";
import { ConntrackTable } from "../../src/conntrack/table.js";
import { replyTuple, type Tuple } from "../../src/packet/tuple.js";
import { tcpStateNames } from "../../src/conntrack/tcp.js";
import {
  KERNEL_TIMEOUTS,
  KUBE_PROXY_TIMEOUTS,
  kubeProxyMaxEntries,
  type Timeouts,
} from "../../src/conntrack/timeouts.js";
import {
  isSteady,
  isStream,
  protocolState,
  steadyMeta,
  TRACK_KILL,
  TRACK_REOPEN,
  Tracker,
} from "../../src/conntrack/track.js";
import { recordedSegments } from "./recorded-segments.js";

const { FIN, SYN, RST, PSH, ACK, URG } = TcpFlag;
const ORIGINAL: Tuple = { src: 0x0a000001, dst: 0x0a000002, protocol: TCP, sport: 1000, dport: 80 };

/** One connection and whoever wants to send on it: the shortest use of table and tracker there is. */
class Line {
  readonly table = new ConntrackTable("ip");
  readonly tracker: Tracker;
  now = 1_000_000;
  constructor(
    readonly original: Tuple = ORIGINAL,
    timeouts: Timeouts = KERNEL_TIMEOUTS,
  ) {
    this.tracker = new Tracker(timeouts);
  }

  /** Sends a packet of either direction; gives what rules see. */
  send(from: "client" | "server", flags = 0): string {
    const tuple = from === "client" ? this.original : replyTuple(this.original)!;
    const tick = this.table.tick(this.now);
    const ref = this.table.lookupLive(tuple, tick);
    if (ref !== 0) {
      const base = (ref >>> 1) * this.table.stride;
      const { records } = this.table;
      const seen = this.tracker.follow(records[base]!, records[base + STREAM]!, ref & 1, flags, tick);
      if (seen === CtState.invalid) return "inv";
      if (seen !== TRACK_REOPEN) {
        records[base] = this.tracker.meta;
        if (this.tracker.timeout >= 0) records[base + EXPIRES] = tick + this.tracker.timeout;
        if ((seen & TRACK_KILL) !== 0) this.table.remove(ref);
        return (seen & CtState.new) !== 0 ? "new" : "est";
      }
      this.table.remove(ref);
    }
    const seen = this.tracker.open(tuple.protocol, flags, tuple.dport, tick);
    if (seen !== CtState.new) return seen === CtState.untracked ? "untracked" : "inv";
    const opened = this.table.insert(tuple, replyTuple(tuple)!, this.tracker.meta, tick + this.tracker.timeout);
    this.table.records[(opened >>> 1) * this.table.stride + STREAM] = this.tracker.stream;
    return "new";
  }

  /** The entry as recordedSegments writes it. */
  get entry(): string {
    const ref = this.ref;
    if (ref === 0) return "-";
    const status = (this.meta >>> 8) & 255;
    const swapped = this.table.tuple(ref).src !== this.original.src;
    return [
      tcpStateNames[protocolState(this.meta)],
      (status & CtStatus.assured) !== 0 ? "+" : "",
      (status & CtStatus.seenReply) !== 0 ? "" : "?",
      swapped ? "~" : "",
    ].join("");
  }

  get ref(): number {
    return this.table.lookupLive(this.original, this.table.tick(this.now)) & ~1;
  }

  get meta(): number {
    return this.table.records[(this.ref >>> 1) * this.table.stride]!;
  }

  /** Seconds left. */
  get left(): number {
    return (this.table.records[(this.ref >>> 1) * this.table.stride + EXPIRES]! - this.table.tick(this.now)) / 1000;
  }
}

function flagsOf(text: string): number {
  const bits: Record<string, number> = { F: FIN, S: SYN, R: RST, P: PSH, A: ACK, "0": 0 };
  return [...text].reduce((flags, letter) => flags | bits[letter]!, 0);
}

describe("TCP", () => {
  test.each(recordedSegments.map((line, i) => [i, line] as const))("recorded connection %d", (_, line) => {
    const wire = new Line();
    const seen: string[] = [];
    for (const step of line.split(", ")) {
      const packet = step.split(" ")[0]!;
      const state = wire.send(packet[0] === ">" ? "client" : "server", flagsOf(packet.slice(1)));
      seen.push(`${packet} ${state} ${wire.entry}`);
    }
    expect(seen.join(", ")).toBe(line);
  });

  test("the recordings reach every state and most transitions", () => {
    const steps = recordedSegments.flatMap((line) =>
      line.split(", ").map((step) => step.split(" ")[2]!.replace(/[+?~]/g, "")),
    );
    for (const state of tcpStateNames.slice(1)) expect(steps, state).toContain(state);
  });

  const cases: [string, ["client" | "server", number][], string, number][] = [
    ["a SYN", [["client", SYN]], "SYN_SENT?", 120],
    [
      "a SYN/ACK",
      [
        ["client", SYN],
        ["server", SYN | ACK],
      ],
      "SYN_RECV",
      60,
    ],
    [
      "the handshake",
      [
        ["client", SYN],
        ["server", SYN | ACK],
        ["client", ACK],
      ],
      "ESTABLISHED+",
      432_000,
    ],
    ["a segment in mid-stream", [["client", ACK]], "ESTABLISHED?", 300],
    [
      "mid-stream, answered",
      [
        ["client", ACK],
        ["server", ACK],
      ],
      "ESTABLISHED",
      300,
    ],
    [
      "mid-stream, answered and gone on",
      [
        ["client", ACK],
        ["server", ACK],
        ["client", ACK],
      ],
      "ESTABLISHED+",
      432_000,
    ],
    [
      "a half close",
      [
        ["client", SYN],
        ["server", SYN | ACK],
        ["client", ACK],
        ["client", FIN | ACK],
      ],
      "FIN_WAIT+",
      120,
    ],
    [
      "a half close, acknowledged",
      [
        ["client", SYN],
        ["server", SYN | ACK],
        ["client", ACK],
        ["client", FIN | ACK],
        ["server", ACK],
      ],
      "CLOSE_WAIT+",
      60,
    ],
    [
      "a reset by the server",
      [
        ["client", SYN],
        ["server", SYN | ACK],
        ["client", ACK],
        ["server", RST | ACK],
      ],
      "CLOSE+",
      10,
    ],
    [
      "a refused connection",
      [
        ["client", SYN],
        ["server", RST | ACK],
      ],
      "-",
      NaN,
    ],
  ];
  test.each(cases)("%s", (_, packets, entry, left) => {
    const wire = new Line();
    for (const [from, flags] of packets) wire.send(from, flags);
    expect(wire.entry).toBe(entry);
    if (!Number.isNaN(left)) expect(wire.left).toBe(left);
  });

  test("kube-proxy's time-outs", () => {
    const wire = new Line(ORIGINAL, KUBE_PROXY_TIMEOUTS);
    for (const [from, flags] of [
      ["client", SYN],
      ["server", SYN | ACK],
      ["client", ACK],
    ] as const)
      wire.send(from, flags);
    expect(wire.left).toBe(86_400);
    wire.send("client", FIN | ACK);
    wire.send("server", ACK);
    expect(wire.left).toBe(3600);
    expect([1, 4, 5].map(kubeProxyMaxEntries)).toEqual([131_072, 131_072, 163_840]);
  });

  test("a repeated SYN does not prolong the entry", () => {
    const wire = new Line();
    wire.send("client", SYN);
    wire.now += 100_000;
    expect(wire.send("client", SYN)).toBe("new");
    expect(wire.left).toBe(20);
  });

  test.each([0, FIN, SYN | FIN, SYN | RST, FIN | URG, FIN | SYN | RST | ACK])(
    "flags %d are invalid, before and after the handshake",
    (flags) => {
      const wire = new Line();
      expect(wire.send("client", flags)).toBe("inv");
      expect(wire.entry).toBe("-");
      wire.send("client", SYN);
      expect(wire.send("client", flags)).toBe("inv");
      expect(wire.entry).toBe("SYN_SENT?");
    },
  );

  test("the short way for steady connections equals the long way, for every META and flags", () => {
    const tracker = new Tracker(KERNEL_TIMEOUTS);
    let steady = 0;
    for (let state = 0; state < 10; state++)
      for (let status = 0; status < 64; status++)
        for (let rest = 0; rest < 128; rest++)
          for (const flags of [
            0,
            FIN,
            SYN,
            RST,
            ACK,
            ACK | PSH,
            SYN | ACK,
            FIN | ACK,
            ACK | URG,
            RST | ACK,
            ACK | 64,
          ]) {
            const meta = TCP | (status << 8) | (state << 16) | (rest << 20);
            if (!isSteady(meta, flags)) continue;
            for (const direction of [0, 1]) {
              steady++;
              expect(tracker.follow(meta, 0, direction, flags, 0)).toBe(CtState.established);
              expect(tracker.meta).toBe(steadyMeta(meta, direction));
              expect(tracker.timeout).toBe(tracker.steadyTimeout);
            }
          }
    expect(steady).toBeGreaterThan(500);
  });

  test("the short way for streams equals the long way", () => {
    const tracker = new Tracker(KERNEL_TIMEOUTS);
    let streams = 0;
    for (let status = 0; status < 64; status++)
      for (const protocol of [UDP, TCP, SCTP, ICMP]) {
        const meta = protocol | (status << 8);
        if (!isStream(meta)) continue;
        for (const direction of [0, 1]) {
          streams++;
          expect(tracker.follow(meta, 2000, direction, 0, 2001)).toBe(CtState.established);
          expect([tracker.meta, tracker.timeout]).toEqual([meta, tracker.streamTimeout]);
        }
      }
    expect(streams).toBe(2 * 16);
  });

  test("law: whatever is sent, rules see ESTABLISHED from the first reply on, and NEW before it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 255 })), { maxLength: 30 }), (segments) => {
        const line = new Line();
        for (const [client, flags] of segments) {
          const seen = line.send(client ? "client" : "server", flags);
          if (line.ref === 0) continue;
          expect(protocolState(line.meta)).toBeLessThan(10);
          const replied = (line.meta >>> 8) & CtStatus.seenReply;
          if (seen === "est") expect(replied).not.toBe(0);
          if (seen === "new") expect(replied).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("UDP", () => {
  test("unreplied 30 s, for ever new, refreshed by every packet", () => {
    const line = new Line({ ...ORIGINAL, protocol: UDP });
    for (let i = 0; i < 100; i++) {
      expect(line.send("client")).toBe("new");
      expect(line.left).toBe(30);
      line.now += 29_000;
    }
    line.now += 1000;
    expect(line.ref).toBe(0);
  });

  test("answered within two seconds it stays at 30 s; later it is a stream of 120 s, and assured", () => {
    const line = new Line({ ...ORIGINAL, protocol: UDP });
    line.send("client");
    line.now += 2000;
    expect(line.send("server")).toBe("est");
    expect(line.left).toBe(30);
    expect(line.send("client")).toBe("est");
    expect([line.left, (line.meta >>> 8) & CtStatus.assured]).toEqual([30, 0]);
    line.now += 1;
    line.send("client");
    expect([line.left, (line.meta >>> 8) & CtStatus.assured]).toEqual([120, CtStatus.assured]);
  });
});

describe("other protocols", () => {
  const echo = { ...ORIGINAL, protocol: ICMP, sport: 77, dport: 8 << 8 };
  test("an ICMP request opens, its answer belongs to it; nothing else of ICMP opens", () => {
    const line = new Line(echo);
    expect([line.send("client"), line.send("server"), line.left]).toEqual(["new", "est", 30]);
    for (const type of [0, 3, 5, 11, 14, 16, 18, 40])
      expect(new Line({ ...echo, dport: type << 8 }).send("client")).toBe("inv");
    for (const type of [8, 13, 15, 17]) expect(new Line({ ...echo, dport: type << 8 }).send("client")).toBe("new");
  });

  test("ICMPv6: neighbour discovery is not tracked", () => {
    const six = { ...echo, protocol: ICMPV6 };
    const open = (type: number): number => new Tracker(KERNEL_TIMEOUTS).open(six.protocol, 0, type << 8, 0);
    for (const type of [130, 131, 132, 133, 134, 135, 136, 143]) expect(open(type)).toBe(CtState.untracked);
    for (const type of [128, 139]) expect(open(type)).toBe(CtState.new);
    for (const type of [1, 129, 137, 140]) expect(open(type)).toBe(CtState.invalid);
  });

  test("SCTP is assured once both sides have spoken twice (INIT, INIT ACK, COOKIE ECHO, COOKIE ACK); the rest lives 600 s", () => {
    const line = new Line({ ...ORIGINAL, protocol: SCTP });
    const left = (["client", "server", "client", "server"] as const).map((from) => (line.send(from), line.left));
    expect([...left, (line.meta >>> 8) & CtStatus.assured]).toEqual([10, 3, 3, 210, CtStatus.assured]);
    const other = new Line({ ...ORIGINAL, protocol: 99, sport: 0, dport: 0 });
    expect([other.send("client"), other.left, other.send("server"), other.left]).toEqual(["new", 600, "est", 600]);
  });
});
