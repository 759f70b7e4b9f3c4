/**
 * What a packet does to its connection, and what rules then see (nf_conntrack_in in net/netfilter/nf_conntrack_core.c and the packet functions of
 * nf_conntrack_proto_*.c). Everything works on the META word of table.ts:
 *   bits 0-7 protocol, 8-15 status (CtStatus), 16-19 state (TCP: TcpState; SCTP: 1 to 4), and for TCP
 *   20-22 the last segment (TcpSegment), 23 its direction, 24 a FIN was seen first by us, 25 a challenge ACK is expected, 26 simultaneous open
 */
import { CtState, CtStatus } from "../packet/connection.js";
import { ICMP, ICMPV6, SCTP, TCP, TcpFlag, UDP, UDPLITE } from "../packet/protocol.js";
import {
  TCP_IGNORED,
  TCP_INVALID,
  tcpFlagsValid,
  TcpSegment,
  tcpSegment,
  TcpState,
  tcpTimeoutsByState,
  tcpTransitions,
} from "./tcp.js";
import type { Timeouts } from "./timeouts.js";

/** Besides a bit of CtState: the connection goes once this packet has been translated by it. */
export const TRACK_KILL = 256;
/** Instead of a state: the connection is over, the packet opens a new one. */
export const TRACK_REOPEN = 512;

const LAST_DIRECTION = 1 << 23;
const CLOSE_INIT = 1 << 24;
const CHALLENGE_ACK = 1 << 25;
const SIMULTANEOUS_OPEN = 1 << 26;
const SEEN_REPLY = CtStatus.seenReply << 8;
const ASSURED = CtStatus.assured << 8;

/** enum sctp_conntrack, as far as directions alone lead. */
const SCTP_CLOSED = 1;
const SCTP_COOKIE_WAIT = 2;
const SCTP_COOKIE_ECHOED = 3;
const SCTP_ESTABLISHED = 4;

/** A UDP flow that is answered is a stream once it has lasted this long (nf_conntrack_proto_udp.c). Milliseconds. */
export const UDP_STREAM_AFTER = 2000;

/** ICMPv6 that conntrack leaves alone: multicast listener discovery and neighbour discovery (noct_valid_new in nf_conntrack_proto_icmpv6.c). */
function icmpv6Untracked(type: number): boolean {
  return (type >= 130 && type <= 136) || type === 143;
}

export function protocolState(meta: number): number {
  return (meta >>> 16) & 15;
}

/** A TCP connection in full swing: established, answered, assured, with nothing left over from its past. */
const STEADY_MASK = 0xff | SEEN_REPLY | ASSURED | (15 << 16) | CLOSE_INIT | CHALLENGE_ACK | SIMULTANEOUS_OPEN;
const STEADY = TCP | SEEN_REPLY | ASSURED | (TcpState.established << 16);
const STEADY_SEGMENT_MASK = TcpFlag.FIN | TcpFlag.SYN | TcpFlag.RST | TcpFlag.ACK;

const STREAM_MASK = 0xff | SEEN_REPLY | ASSURED;
const STREAM = UDP | SEEN_REPLY | ASSURED;

/** Whether a segment leaves its connection as it is; Tracker.follow then says CtState.established, with the META of steadyMeta. */
export function isSteady(meta: number, tcpFlags: number): boolean {
  return (meta & STEADY_MASK) === STEADY && (tcpFlags & STEADY_SEGMENT_MASK) === TcpFlag.ACK;
}

export function steadyMeta(meta: number, direction: number): number {
  return (meta & 0xfffff) | (TcpSegment.ack << 20) | (direction << 23);
}

/** Whether a UDP flow is a stream already: every packet then leaves META as it is, and it lives for Tracker.streamTimeout. */
export function isStream(meta: number): boolean {
  return (meta & STREAM_MASK) === STREAM;
}

/** Decides; writes nothing but its own `meta`, `timeout` and `stream`, which hold what the connection becomes. */
export class Tracker {
  /** META after the packet. */
  meta = 0;
  /** Milliseconds the connection has from now on; -1: as before. */
  timeout = -1;
  /** STREAM of a connection that `open` makes: a tick. */
  stream = 0;
  /** Milliseconds a steady connection has from its last segment on. */
  readonly steadyTimeout: number;
  readonly streamTimeout: number;
  private readonly tcp: Int32Array;
  private readonly udp: number;
  private readonly icmp: number;
  private readonly generic: number;
  private readonly unacknowledged: number;
  private readonly sctp: readonly number[];

  constructor(timeouts: Timeouts) {
    this.tcp = tcpTimeoutsByState(timeouts.tcp);
    this.steadyTimeout = timeouts.tcp.established * 1000;
    this.unacknowledged = timeouts.tcp.unacknowledged * 1000;
    this.udp = timeouts.udp * 1000;
    this.streamTimeout = timeouts.udpStream * 1000;
    this.icmp = timeouts.icmp * 1000;
    this.generic = timeouts.generic * 1000;
    const { sctpClosed, sctpCookieWait, sctpCookieEchoed, sctpEstablished } = timeouts;
    this.sctp = [0, sctpClosed, sctpCookieWait, sctpCookieEchoed, sctpEstablished].map((s) => s * 1000);
  }

  /** A packet without a connection: CtState.new where it may open one, else invalid or untracked. `dport` carries the ICMP type. */
  open(protocol: number, tcpFlags: number, dport: number, tick: number): number {
    this.meta = protocol | (CtStatus.confirmed << 8);
    this.stream = 0;
    switch (protocol) {
      case TCP: {
        const segment = tcpSegment(tcpFlags);
        const state = tcpTransitions[segment << 4]!;
        if (!tcpFlagsValid(tcpFlags) || state === TCP_INVALID) return CtState.invalid;
        this.meta |= (state << 16) | (segment << 20);
        this.timeout = this.tcp[state]!;
        if (state === TcpState.established) this.timeout = Math.min(this.timeout, this.unacknowledged);
        return CtState.new;
      }
      case UDP:
      case UDPLITE:
        this.timeout = this.udp;
        this.stream = tick + UDP_STREAM_AFTER;
        return CtState.new;
      case ICMP:
      case ICMPV6: {
        const type = dport >>> 8;
        if (protocol === ICMPV6 && icmpv6Untracked(type)) return CtState.untracked;
        this.timeout = this.icmp;
        return isRequest(protocol, type) ? CtState.new : CtState.invalid;
      }
      case SCTP:
        this.meta |= SCTP_CLOSED << 16;
        this.timeout = this.sctp[SCTP_CLOSED]!;
        return CtState.new;
      default:
        this.timeout = this.generic;
        return CtState.new;
    }
  }

  /** A packet of a connection: what rules see (CtState.new until there was a reply), TRACK_KILL added where it ends, or TRACK_REOPEN. */
  follow(meta: number, stream: number, direction: number, tcpFlags: number, tick: number): number {
    const protocol = meta & 255;
    this.meta = meta;
    let kill = 0;
    switch (protocol) {
      case TCP: {
        const verdict = this.followTcp(meta, direction, tcpFlags);
        if (verdict === CtState.invalid || verdict === TRACK_REOPEN) return verdict;
        kill = verdict;
        break;
      }
      case UDP:
      case UDPLITE:
        this.timeout = this.udp;
        if ((meta & SEEN_REPLY) !== 0 && tick - stream > 0) {
          this.timeout = this.streamTimeout;
          this.meta |= ASSURED;
        }
        break;
      case ICMP:
      case ICMPV6:
        this.timeout = this.icmp;
        break;
      case SCTP:
        this.followSctp(meta, direction);
        break;
      default:
        this.timeout = this.generic;
    }
    if (direction === 1) {
      this.meta |= SEEN_REPLY;
      return CtState.established | kill;
    }
    return ((meta & SEEN_REPLY) !== 0 ? CtState.established : CtState.new) | kill;
  }

  /** A TCP connection that a rule has answered with a reset: META, and the milliseconds it has left (nf_conntrack_tcp_set_closing). */
  closed(meta: number): { readonly meta: number; readonly timeout: number } {
    return { meta: (meta & ~(15 << 16)) | (TcpState.close << 16), timeout: this.tcp[TcpState.close]! };
  }

  /** nf_conntrack_tcp_packet: CtState.invalid, TRACK_REOPEN, TRACK_KILL, or 0. */
  private followTcp(meta: number, direction: number, tcpFlags: number): number {
    if (!tcpFlagsValid(tcpFlags)) return CtState.invalid;
    const segment = tcpSegment(tcpFlags);
    const lastSegment = (meta >>> 20) & 7;
    const lastDirection = (meta >>> 23) & 1;
    let before = protocolState(meta);
    let after = tcpTransitions[(direction << 7) | (segment << 4) | before]!;
    if (after === TCP_INVALID) return CtState.invalid;
    this.timeout = -1;

    if (after === TcpState.synSent && before >= TcpState.timeWait) {
      if ((meta & CLOSE_INIT) !== 0 || (lastDirection === direction && lastSegment === TcpSegment.rst))
        return TRACK_REOPEN;
      after = TCP_IGNORED;
    }
    let flags = meta & (CLOSE_INIT | CHALLENGE_ACK | SIMULTANEOUS_OPEN);
    if (after === TCP_IGNORED) {
      if (segment === TcpSegment.synAck && lastSegment === TcpSegment.syn && lastDirection !== direction) {
        // The answer to a SYN that was let through though we believed in another connection: the two ends are right.
        before = TcpState.synSent;
        after = TcpState.synRecv;
        flags = 0;
      } else {
        if (segment === TcpSegment.syn && direction === 0) {
          flags &= CLOSE_INIT;
          if (before === TcpState.lastAck) flags |= CHALLENGE_ACK;
        }
        this.write(meta, before, segment, direction, flags);
        return 0;
      }
    } else if (after === TcpState.timeWait) {
      if (
        before === TcpState.lastAck &&
        segment === TcpSegment.ack &&
        lastDirection !== direction &&
        lastSegment === TcpSegment.syn &&
        (meta & CHALLENGE_ACK) !== 0
      ) {
        this.meta = meta & ~CHALLENGE_ACK;
        return 0;
      }
    } else if (after === TcpState.synSent2) {
      flags |= SIMULTANEOUS_OPEN;
    } else if (after === TcpState.synRecv) {
      if (direction === 1 && segment === TcpSegment.ack && (meta & SIMULTANEOUS_OPEN) !== 0)
        after = TcpState.established;
    }

    if (after === TcpState.finWait && before !== after) flags |= CLOSE_INIT;
    this.write(meta, after, segment, direction, flags);
    this.timeout = this.tcp[segment === TcpSegment.rst ? TcpState.close : after]!;
    if ((meta & SEEN_REPLY) === 0) {
      if (segment === TcpSegment.rst) return TRACK_KILL;
      // A repeated SYN does not prolong: the entry, and the endpoint it chose, would live for ever.
      if (segment === TcpSegment.syn && before === TcpState.synSent) this.timeout = -1;
      else if (after === TcpState.established) this.timeout = Math.min(this.timeout, this.unacknowledged);
    } else if (after === TcpState.established && (before === TcpState.synRecv || before === TcpState.established)) {
      this.meta |= ASSURED;
    }
    return 0;
  }

  private write(meta: number, state: number, segment: number, direction: number, flags: number): void {
    this.meta = (meta & 0xffff) | (state << 16) | (segment << 20) | (direction === 1 ? LAST_DIRECTION : 0) | flags;
  }

  /**
   * Coarse: the chunks of a packet are not known here, so the handshake is followed by directions alone: INIT (the connection counts as closed
   * until it is answered), INIT ACK, COOKIE ECHO, COOKIE ACK (sctp_conntracks in nf_conntrack_proto_sctp.c).
   */
  private followSctp(meta: number, direction: number): void {
    let state = protocolState(meta);
    if (state === SCTP_CLOSED && direction === 1) state = SCTP_COOKIE_WAIT;
    else if (state === SCTP_COOKIE_WAIT && direction === 0) state = SCTP_COOKIE_ECHOED;
    else if (state === SCTP_COOKIE_ECHOED && direction === 1) {
      state = SCTP_ESTABLISHED;
      this.meta |= ASSURED;
    }
    this.meta = (this.meta & ~(15 << 16)) | (state << 16);
    this.timeout = this.sctp[state]!;
  }
}

/** ICMP messages that may open a connection: those that ask for an answer. */
function isRequest(protocol: number, type: number): boolean {
  return protocol === ICMP ? type === 8 || type === 13 || type === 15 || type === 17 : type === 128 || type === 139;
}
