import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Address, type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, type PacketFields } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, isIcmp, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import { KERNEL_TIMEOUTS } from "../../src/conntrack/timeouts.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { type Exchange, Session } from "./session.js";
import type { WireExtras } from "./wire.js";

const { SYN, ACK, FIN, RST } = TcpFlag;

/** Addresses of the stage: a Service with two endpoints, of which the client may be one. */
const stage = {
  ip: {
    vip: "172.30.0.1",
    endpoints: ["10.64.0.1", "10.64.0.2"],
    client: "192.0.2.1",
    other: "192.0.2.2",
    router: "10.64.9.9",
    own: "10.200.0.1",
  },
  ip6: {
    vip: "fd00:30::1",
    endpoints: ["fd00:64::1", "fd00:64::2"],
    client: "2001:db8::1",
    other: "2001:db8::2",
    router: "fd00:64::99",
    own: "fd00:200::1",
  },
} as const;

/** What kube-proxy would write for it, in short; filter rules that tell the states apart. */
function rules(family: Family): string {
  const { vip, endpoints } = stage[family];
  const to = (host: string): string => (family === "ip" ? host : `[${host}]`);
  const dnat = (protocol: string, i: number): string =>
    `-A SEP${i} -p ${protocol} -m ${protocol} -j DNAT --to-destination ${to(endpoints[i]!)}:8080`;
  return `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate INVALID
-A FORWARD -m conntrack --ctstate RELATED
-A FORWARD -m conntrack --ctstate ESTABLISHED --ctstatus ASSURED
-A FORWARD -m conntrack --ctstate ESTABLISHED
-A FORWARD -m conntrack --ctstate NEW --ctstatus CONFIRMED
-A FORWARD -m conntrack --ctstate NEW
-A FORWARD -m conntrack --ctstate DNAT --ctorigdst ${vip}
-A FORWARD -m conntrack --ctstate SNAT
-A FORWARD -m conntrack --ctdir REPLY
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SEP0 - [0:0]
:SEP1 - [0:0]
:MASQ - [0:0]
-A PREROUTING -d ${vip} -m statistic --mode random --probability 0.5 -j SEP0
-A PREROUTING -d ${vip} -j SEP1
-A OUTPUT -d ${vip} -j SEP0
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
-A MASQ -j MARK --set-xmark 0x4000/0x4000
-A SEP0 -s ${endpoints[0]} -j MASQ
-A SEP0 -s ${stage[family].other} -j MASQ
${dnat("tcp", 0)}
${dnat("udp", 0)}
-A SEP1 -s ${endpoints[1]} -j MASQ
-A SEP1 -s ${stage[family].other} -j MASQ
${dnat("tcp", 1)}
${dnat("udp", 1)}
COMMIT
`;
}

/** A conversation through the node: each side's packets are addressed as that side sees the other. */
class Conversation {
  private readonly seq = { client: 1000, server: 5000 };
  last: Exchange | undefined;

  constructor(
    readonly session: Session,
    readonly first: Packet,
  ) {}

  /** A packet of one side; what it acknowledges follows from what the other has sent. */
  async send(side: "client" | "server", flags = 0, extras: WireExtras = {}): Promise<Exchange> {
    const other = side === "client" ? "server" : "client";
    const tcp = this.first.protocol === TCP;
    const numbers = { seq: this.seq[side], ack: (flags & ACK) !== 0 ? this.seq[other] : 0 };
    const payload = tcp ? { payload: Buffer.alloc(0) } : {};
    const packet = { ...(side === "client" ? this.first : this.answer()), tcpFlags: flags };
    if ((flags & (SYN | FIN)) !== 0) this.seq[side]++;
    const [exchange] = await this.session.agree([{ packet, extras: { ...numbers, ...payload, ...extras } }]);
    this.last = exchange;
    return exchange!;
  }

  /** A packet of the other end to what it sees as the client. */
  answer(): Packet {
    const entry = this.last!.seen.entry!;
    const { node } = this.session.kernel;
    const { src } = entry.reply;
    return makePacket({
      ...entry.reply,
      ...(node.isLocal(src) ? { entrance: "output" as const, iif: "" } : { iif: node.route(src).oif }),
      ...(isIcmp(entry.reply.protocol) ? { tcpFlags: 0 } : {}),
    });
  }
}

function register(family: Family, backend: Backend): void {
  describe(`connections, ${family} ${backend}`, () => {
    let kernel: KernelNode;
    let session: Session;
    const at = (name: Exclude<keyof (typeof stage)["ip"], "endpoints">): Address => parseAddress(stage[family][name])!;
    const endpoint = (i: number): Address => parseAddress(stage[family].endpoints[i]!)!;
    let port = 20_000;
    const open = (src: Address, fields: Partial<PacketFields> = {}): Conversation => {
      const iif = kernel.node.route(src).oif;
      return new Conversation(session, makePacket({ src, dst: at("vip"), sport: port++, dport: 80, iif, ...fields }));
    };
    beforeAll(async () => {
      kernel = await KernelNode.start(family, backend);
      session = await Session.open(kernel, rules(family));
    });
    beforeEach(() => session.forgetConnections());
    afterAll(() => kernel?.stop());

    it.each([
      [
        "an ordinary close",
        [
          ["client", FIN | ACK],
          ["server", ACK],
          ["server", FIN | ACK],
          ["client", ACK],
        ],
      ],
      [
        "the server closes first",
        [
          ["server", FIN | ACK],
          ["client", ACK],
          ["client", FIN | ACK],
          ["server", ACK],
        ],
      ],
      [
        "both close in one packet",
        [
          ["client", FIN | ACK],
          ["server", FIN | ACK],
          ["client", ACK],
        ],
      ],
      [
        "the client resets",
        [
          ["client", RST | ACK],
          ["client", SYN],
        ],
      ],
      [
        "the server resets",
        [
          ["server", RST | ACK],
          ["client", ACK],
        ],
      ],
    ] as const)("TCP, %s", async (_, end) => {
      for (const src of [at("client"), at("other"), endpoint(0), endpoint(1)]) {
        const talk = open(src);
        await talk.send("client", SYN);
        await talk.send("client", SYN);
        // seq numbers of a repeated SYN are the same: begin anew with the answer to it
        await talk.send("server", SYN | ACK);
        await talk.send("client", ACK);
        await talk.send("server", ACK);
        for (const [side, flags] of end)
          if (talk.last!.seen.entry !== undefined || side === "client") await talk.send(side, flags);
      }
    });

    it("TCP picked up in the middle, and an answer that nobody asked for", async () => {
      const talk = open(at("client"));
      await talk.send("client", ACK);
      await talk.send("server", ACK);
      await talk.send("client", ACK);
      const stray = open(endpoint(0), { dst: at("client"), sport: 8080 });
      expect((await stray.send("client", SYN | ACK)).said.result.state).toBe("invalid");
      await stray.send("client", 0);
      await open(at("client")).send("client", RST);
    });

    it("a SYN in the middle of what is believed to be a connection, answered: the two ends are right", async () => {
      const talk = open(at("client"));
      await talk.send("client", ACK);
      await talk.send("server", ACK);
      await talk.send("client", SYN);
      await talk.send("server", SYN | ACK);
      expect(talk.last!.seen.entry!.state).toBe("SYN_RECV");
      await talk.send("client", ACK);
    });

    it("a refused connection", async () => {
      const talk = open(at("client"));
      await talk.send("client", SYN);
      await talk.send("server", RST | ACK);
      await talk.send("client", SYN);
    });

    it("UDP, one way and both ways", async () => {
      for (const src of [at("client"), at("other"), endpoint(0)]) {
        const talk = open(src, { protocol: UDP, tcpFlags: 0 });
        for (const side of ["client", "client", "server", "client", "server"] as const) await talk.send(side);
      }
    });

    it("echo", async () => {
      const type = family === "ip" ? 8 : 128;
      const fields = { protocol: family === "ip" ? ICMP : ICMPV6, dport: type << 8, tcpFlags: 0, dst: endpoint(0) };
      const talk = open(at("client"), fields);
      for (const side of ["client", "server", "client"] as const) await talk.send(side);
    });

    it("an ICMP error about a translated packet is related and translated back", async () => {
      for (const [sender, src] of [
        ["endpoint", at("client")],
        ["router", at("client")],
        ["endpoint", at("other")],
        ["router", endpoint(0)],
      ] as const) {
        const talk = open(src, { protocol: UDP, tcpFlags: 0 });
        const { seen } = await talk.send("client");
        const { left, entry } = seen;
        const inner = {
          src: left!.packet.src,
          dst: left!.packet.dst,
          protocol: UDP,
          sport: left!.packet.sport,
          dport: left!.packet.dport,
        };
        const error = makePacket({
          src: sender === "router" ? at("router") : entry!.reply.src,
          dst: inner.src,
          protocol: family === "ip" ? ICMP : ICMPV6,
          sport: 0,
          dport: family === "ip" ? (3 << 8) | 3 : (1 << 8) | 4,
          tcpFlags: 0,
          iif: "tun1",
          inner,
        });
        const [exchange] = await session.agree([{ packet: error }]);
        expect(exchange!.said.result.state).toBe("related");
      }
    });

    it("an ICMP error about nothing is invalid", async () => {
      const inner = { src: at("client"), dst: endpoint(0), protocol: UDP, sport: 9, dport: 9 };
      const dport = family === "ip" ? (3 << 8) | 3 : (1 << 8) | 4;
      const protocol = family === "ip" ? ICMP : ICMPV6;
      const packet = makePacket({
        src: at("router"),
        dst: at("client"),
        protocol,
        sport: 0,
        dport,
        tcpFlags: 0,
        iif: "tun1",
        inner,
      });
      const [exchange] = await session.agree([{ packet }]);
      expect(exchange!.said.result.state).toBe("invalid");
    });

    it("masqueraded clients whose ports clash get others", async () => {
      // Of the same port to the same endpoint only one of two masqueraded clients can keep it. The kernel draws the endpoint, so at
      // each port they meet with probability one half: with 24 ports never to meet is one in 16 million.
      const ports = [400, 401, 700, 701, ...Array.from({ length: 20 }, (_, i) => 3000 + i)];
      const talks: Conversation[] = [];
      for (const sport of ports) {
        for (const src of [at("other"), endpoint(0), endpoint(1)]) {
          const talk = open(src, { protocol: UDP, tcpFlags: 0, sport });
          await talk.send("client");
          talks.push(talk);
        }
      }
      const moved = talks.filter(({ last }) => last!.seen.left!.packet.sport !== last!.injection.packet.sport);
      expect(moved.length).toBeGreaterThan(0);
      for (const talk of talks) await talk.send("server");
    });

    it("a process of the node", async () => {
      for (const protocol of [TCP, UDP]) {
        const fields = { protocol, entrance: "output" as const, iif: "", tcpFlags: protocol === TCP ? SYN : 0 };
        const talk = open(at("own"), fields);
        await talk.send("client", protocol === TCP ? SYN : 0);
        await talk.send("server", protocol === TCP ? SYN | ACK : 0);
        await talk.send("client", protocol === TCP ? ACK : 0);
      }
    });

    it("time-outs: what has run out is new again", async () => {
      const seconds = 1;
      kernel.sysctl({
        "net.netfilter.nf_conntrack_udp_timeout": seconds,
        "net.netfilter.nf_conntrack_tcp_timeout_syn_sent": seconds,
      });
      const timeouts = { ...KERNEL_TIMEOUTS, udp: seconds, tcp: { ...KERNEL_TIMEOUTS.tcp, synSent: seconds } };
      session = await Session.open(kernel, rules(family), { timeouts });
      const udp = open(at("client"), { protocol: UDP, tcpFlags: 0 });
      const tcp = open(at("client"));
      const late = open(at("client"));
      for (const talk of [udp, tcp, late]) await talk.send("client", talk.first.tcpFlags);
      await late.send("server", SYN | ACK);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds + 300));
      expect((await udp.send("client")).said.result.entry).toBe("opened");
      expect((await tcp.send("client", SYN)).said.result.entry).toBe("opened");
      expect((await late.send("client", ACK)).said.result.entry).toBe("known");
    });
  });
}

register("ip", "legacy");
register("ip6", "nft");
