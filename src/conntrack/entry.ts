/** A connection as an object, and as `conntrack -L -o extended` prints it. */
import { type Family, formatAddress } from "../packet/address.js";
import { type Connection, CtState, type CtStateName, CtStatus } from "../packet/connection.js";
import { isIcmp, hasPorts, protocolName, SCTP, TCP } from "../packet/protocol.js";
import type { Tuple } from "../packet/tuple.js";
import { EXPIRES, MARK } from "./layout.js";
import type { ConntrackTable } from "./table.js";
import { tcpStateNames } from "./tcp.js";
import { protocolState } from "./track.js";

export interface Entry {
  readonly family: Family;
  readonly original: Tuple;
  readonly reply: Tuple;
  /** Bits of CtStatus. */
  readonly status: number;
  readonly mark: number;
  /** The protocol's own state (`ESTABLISHED`); absent for protocols without. */
  readonly state?: string;
  /** Milliseconds it has left; 0 or less: it is over. */
  readonly timeLeft: number;
}

const sctpStateNames = ["NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED"];

/** The connection of a ref, at a tick of its table. */
export function readEntry(table: ConntrackTable, ref: number, tick: number): Entry {
  const base = (ref >>> 1) * table.stride;
  const meta = table.records[base]!;
  const names = (meta & 255) === TCP ? tcpStateNames : (meta & 255) === SCTP ? sctpStateNames : undefined;
  return {
    family: table.family,
    original: table.tuple(ref & ~1),
    reply: table.tuple(ref | 1),
    status: (meta >>> 8) & 255,
    mark: table.records[base + MARK]! >>> 0,
    ...(names === undefined ? {} : { state: names[protocolState(meta)]! }),
    timeLeft: table.records[base + EXPIRES]! - tick,
  };
}

const stateNames: Readonly<Record<number, CtStateName>> = {
  [CtState.invalid]: "invalid",
  [CtState.new]: "new",
  [CtState.related]: "related",
  [CtState.established]: "established",
  [CtState.untracked]: "untracked",
};

/** The name of one bit of CtState. */
export function stateName(bit: number): CtStateName {
  return stateNames[bit]!;
}

/** What rules see of a packet that goes in the direction of `ref`; `meta` as the packet has made it. */
export function connectionView(table: ConntrackTable, ref: number, meta: number, state: CtStateName): Connection {
  return {
    state,
    direction: (ref & 1) === 1 ? "reply" : "original",
    status: (meta >>> 8) & 255,
    mark: table.records[(ref >>> 1) * table.stride + MARK]! >>> 0,
    original: table.tuple(ref & ~1),
    reply: table.tuple(ref | 1),
  };
}

/** One line as `conntrack -L -o extended` prints it. */
export function formatEntry(entry: Entry): string {
  const { original, reply, status } = entry;
  const protocol = original.protocol;
  const known = hasPorts(protocol) || isIcmp(protocol);
  const name = protocol === 58 ? "icmpv6" : known ? protocolName(protocol) : "unknown";
  const layer3 = entry.family === "ip" ? "ipv4     2" : "ipv6     10";
  const words = [
    `${layer3} ${name.padEnd(8)} ${protocol} ${Math.max(0, Math.floor(entry.timeLeft / 1000))}`,
    ...(entry.state === undefined ? [] : [entry.state]),
    formatSide(original),
    ...((status & CtStatus.seenReply) === 0 ? ["[UNREPLIED]"] : []),
    formatSide(reply),
    ...((status & CtStatus.assured) !== 0 ? ["[ASSURED]"] : []),
    `mark=${entry.mark}`,
    "use=1",
  ];
  return words.join(" ");
}

function formatSide(tuple: Tuple): string {
  const addresses = `src=${formatAddress(tuple.src)} dst=${formatAddress(tuple.dst)}`;
  if (isIcmp(tuple.protocol))
    return `${addresses} type=${tuple.dport >>> 8} code=${tuple.dport & 255} id=${tuple.sport}`;
  return hasPorts(tuple.protocol) ? `${addresses} sport=${tuple.sport} dport=${tuple.dport}` : addresses;
}
