/** Random plans of packets sent through a session one after the other; what a packet is may depend on what became of earlier ones. */
import { parseAddress, sameAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, tupleOf } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, isIcmp, SCTP, TCP, TcpFlag } from "../../src/packet/protocol.js";
import { formatTuple } from "../../src/packet/tuple.js";
import { type RandomPacket, words } from "./arbitrary.js";
import type { KernelNode } from "./kernel-node.js";
import type { Exchange, Session } from "./session.js";
import type { WireExtras } from "./wire.js";

const ANSWER = TcpFlag.SYN | TcpFlag.ACK;
const LOOPBACK6 = parseAddress("::1")!;

/** The packet a plan stands for; undefined where there is nothing to follow. */
function packetOf(plan: RandomPacket, before: readonly Exchange[], kernel: KernelNode): Packet | undefined {
  const { node } = kernel;
  if (plan.kind === "fresh") {
    const { iif, ...fields } = plan;
    const [src, dst] = [parseAddress(plan.src)!, parseAddress(plan.dst)!];
    return iif === ""
      ? makePacket({ ...fields, src, dst, entrance: "output", iif: "" })
      : makePacket({ ...fields, src, dst, iif, mark: 0 });
  }
  const earlier = before.at(-plan.back);
  if (earlier === undefined) return undefined;
  const { packet } = earlier.injection;
  if (packet.protocol === SCTP) return undefined; // its chunks are not modelled, and every packet here is an INIT
  if (plan.kind === "error") return errorAbout(earlier, plan, kernel);
  const tcpFlags = packet.protocol === TCP ? plan.tcpFlags : 0;
  if (plan.kind === "again") return { ...packet, tcpFlags };
  const { entry } = earlier.seen;
  if (entry === undefined) return undefined;
  const { src } = entry.reply;
  return makePacket({
    ...entry.reply,
    tcpFlags: isIcmp(packet.protocol) ? 0 : tcpFlags,
    ...(node.isLocal(src) ? { entrance: "output" as const, iif: "" } : { iif: node.route(src).oif }),
  });
}

function errorAbout(
  earlier: Exchange,
  plan: Extract<RandomPacket, { kind: "error" }>,
  kernel: KernelNode,
): Packet | undefined {
  const { left } = earlier.seen;
  if (left === undefined || left.packet.inner !== undefined) return undefined;
  const inner = tupleOf(left.packet);
  if (sameAddress(inner.src, LOOPBACK6)) return undefined; // nothing of IPv6 comes in from outside for it (ip6_rcv_core)
  const src = plan.router ? parseAddress(words[kernel.family].pods[3]!)! : inner.dst;
  return makePacket({
    src,
    dst: inner.src,
    protocol: kernel.family === "ip" ? ICMP : ICMPV6,
    dport: plan.type,
    tcpFlags: 0,
    iif: kernel.node.route(src).oif,
    inner,
  });
}

/**
 * Random segments carry no true sequence numbers. Only in one place would the kernel look at them: a SYN/ACK in answer to a SYN that it has let
 * through without believing in it. That is sent as an ACK here; connections.test.ts has it with true numbers.
 */
function withoutNumbers(packet: Packet, session: Session): Packet {
  if (packet.protocol !== TCP || (packet.tcpFlags & ANSWER) !== ANSWER) return packet;
  const state = session.project.stateOf(packet, session.now);
  return state === undefined || state.startsWith("SYN_SENT") ? packet : { ...packet, tcpFlags: TcpFlag.ACK };
}

/**
 * A reset of an established connection counts where its number is the one acknowledged last: all acknowledge 0 here. Of others the project
 * would have to know windows.
 */
const extrasOf = ({ protocol, tcpFlags }: Packet): WireExtras =>
  protocol === TCP && (tcpFlags & TcpFlag.RST) !== 0 ? { seq: 0 } : {};

/** Sends the packets of some plans; throws where the two sides disagree. */
export async function sendPlans(session: Session, plans: readonly RandomPacket[]): Promise<void> {
  const exchanges: Exchange[] = [];
  for (const plan of plans) {
    const planned = packetOf(plan, exchanges, session.kernel);
    // Its chunks are not modelled: of a connection of SCTP only the first packet is sent.
    if (
      planned === undefined ||
      (planned.protocol === SCTP && session.project.stateOf(planned, session.now) !== undefined)
    )
      continue;
    const packet = withoutNumbers(planned, session);
    const before = exchanges
      .slice(-3)
      .map(
        ({ injection }) =>
          `after ${formatTuple(injection.packet)} flags ${injection.packet.tcpFlags} in by ${injection.packet.iif || "the node"}\n`,
      );
    exchanges.push(...(await session.agree([{ packet, extras: extrasOf(packet) }], before.join(""))));
  }
}
