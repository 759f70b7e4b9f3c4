/**
 * The TCP states of conntrack and how flags move them (net/netfilter/nf_conntrack_proto_tcp.c, as of Linux 6). Sequence numbers are not
 * modelled: every segment counts as inside the window, every ACK as acknowledging what was sent last, every RST as exact.
 */
import { TcpFlag } from "../packet/protocol.js";
import type { TcpTimeouts } from "./timeouts.js";

/** Values of enum tcp_conntrack. */
export const TcpState = {
  none: 0,
  synSent: 1,
  synRecv: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  lastAck: 6,
  timeWait: 7,
  close: 8,
  synSent2: 9,
} as const;

/** The states as `conntrack -L` prints them, by value. */
export const tcpStateNames = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;

/** What a segment counts as: the first of RST, SYN (with or without ACK), FIN, ACK that is set. */
export const TcpSegment = { syn: 0, synAck: 1, fin: 2, ack: 3, rst: 4, none: 5 } as const;

export function tcpSegment(flags: number): number {
  if (flags & TcpFlag.RST) return TcpSegment.rst;
  if (flags & TcpFlag.SYN) return flags & TcpFlag.ACK ? TcpSegment.synAck : TcpSegment.syn;
  if (flags & TcpFlag.FIN) return TcpSegment.fin;
  return flags & TcpFlag.ACK ? TcpSegment.ack : TcpSegment.none;
}

/** Besides a state, a transition can be: the segment is invalid (no entry, no NAT); it is let through and changes nothing. */
export const TCP_INVALID = 10;
export const TCP_IGNORED = 11;

const columns = "no ss sr es fw cw la tw cl s2 iv ig".split(" ");

/** One row a segment kind (syn, syn/ack, fin, ack, rst, none), one column a state, in the order of the enums. */
const original = [
  "ss ss ig ig ig ig ig ss ss s2",
  "iv iv sr iv iv iv iv iv iv sr",
  "iv iv fw fw la la la tw cl iv",
  "es iv es es cw cw tw tw cl iv",
  "iv cl cl cl cl cl cl cl cl cl",
  "iv iv iv iv iv iv iv iv iv iv",
];
const reply = [
  "iv s2 iv iv iv iv iv ss iv s2",
  "iv sr ig ig ig ig ig ig ig sr",
  "iv iv fw fw la la la tw cl iv",
  "iv ig sr es cw cw tw tw cl ig",
  "iv cl cl cl cl cl cl cl cl cl",
  "iv iv iv iv iv iv iv iv iv iv",
];

/** tcp_conntracks, flat: index `direction << 7 | segment << 4 | state`. */
export const tcpTransitions: Uint8Array = (() => {
  const table = new Uint8Array(256).fill(TCP_INVALID);
  [original, reply].forEach((rows, direction) =>
    rows.forEach((row, segment) =>
      row
        .split(" ")
        .forEach((cell, state) => (table[(direction << 7) | (segment << 4) | state] = columns.indexOf(cell))),
    ),
  );
  return table;
})();

/** Flag combinations the kernel takes for real (tcp_valid_flags); PSH, ECE and CWR do not count. All others are invalid packets. */
const { FIN, SYN, RST, ACK, URG } = TcpFlag;
const validFlags: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const valid = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
  for (let flags = 0; flags < 256; flags++) {
    table[flags] = valid.includes((flags & (FIN | SYN | RST | ACK | URG)) as never) ? 1 : 0;
  }
  return table;
})();

export function tcpFlagsValid(flags: number): boolean {
  return validFlags[flags & 255] === 1;
}

/** The time-out of each state by its value, in milliseconds. */
export function tcpTimeoutsByState(timeouts: TcpTimeouts): Int32Array {
  const t = timeouts;
  const seconds = [
    t.synSent,
    t.synSent,
    t.synRecv,
    t.established,
    t.finWait,
    t.closeWait,
    t.lastAck,
    t.timeWait,
    t.close,
    t.synSent2,
  ];
  return Int32Array.from(seconds, (s) => s * 1000);
}
