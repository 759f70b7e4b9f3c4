/** What the kernel says of one packet, read from the answer of port.c. */
import { CtStatus } from "../../src/packet/connection.js";
import type { Tuple } from "../../src/packet/tuple.js";
import { tcpStateNames } from "../../src/conntrack/tcp.js";
import { addressFromHex, decodePacket, type WirePacket } from "./wire.js";

/** A rule that matched (its number counted from 1), or the end of a base chain. Also a legacy rule beyond the last: the end of a chain. */
export interface TraceEvent {
  readonly table: string;
  readonly chain: string;
  readonly number: number | "policy";
  /** The packet's mark when the rule was reached (nf_tables: when it was over); undefined where the kernel does not say it. */
  readonly mark: number | undefined;
  /** Of nf_tables: how the rule ended, and where a jump or goto leads. */
  readonly verdict?: { readonly code: number; readonly to: string };
}

/** enum nft_verdicts. */
export const VERDICT = { continue: -1, break: -2, jump: -3, goto: -4, return: -5 } as const;

export interface KernelEntry {
  readonly original: Tuple;
  readonly reply: Tuple;
  /** Bits of CtStatus. */
  readonly status: number;
  /** Seconds. */
  readonly timeout: number;
  /** Of TCP. */
  readonly state?: string;
  readonly mark: number;
}

export interface Observation {
  /** The packet put in, as it left; absent where it was delivered or stopped. */
  readonly left: { readonly device: number; readonly packet: WirePacket } | undefined;
  /** Packets the kernel sent by itself: answers of REJECT and of the node. */
  readonly answers: readonly WirePacket[];
  readonly events: readonly TraceEvent[];
  readonly entry: KernelEntry | undefined;
  /** The packet could not be sent (errno): a rule of the OUTPUT hook stopped it (EPERM), or it is no legal packet. */
  readonly errno: number | undefined;
}

/** Rule numbers by handle; undefined for x_tables, whose trace says numbers. */
export type Handles = ReadonlyMap<string, number>;
/** How many rules a chain has. */
export type ChainLengths = (table: string, chain: string) => number;

const STATUS = CtStatus.seenReply | CtStatus.assured | CtStatus.confirmed | CtStatus.snat | CtStatus.dnat;

/** Reads the lines that answer one packet; `name` is the packet's own. */
export function readObservation(
  lines: readonly string[],
  name: number,
  lengths: ChainLengths,
  handles: Handles | undefined,
): Observation {
  let left: Observation["left"];
  let entry: KernelEntry | undefined;
  let errno: number | undefined;
  const answers: WirePacket[] = [];
  const events: TraceEvent[] = [];
  const ours = new Set<string>();
  for (const line of lines) {
    const words = line.split(" ");
    if (words[0] === "P") {
      const packet = decodePacket(Buffer.from(words[2]!, "hex"));
      if (packet.name === name) left = { device: Number(words[1]), packet };
    } else if (words[0] === "T" && words[3] === ANSWER) {
      answers.push(decodePacket(Buffer.from(words[2]!, "hex")));
    } else if (words[0] === "T" && handles === undefined) {
      const event = legacyEvent(words, name, lengths);
      if (event !== undefined) events.push(event);
    } else if (words[0] === "N" && handles !== undefined) {
      const event = nftEvent(words, name, handles, ours);
      if (event !== undefined) events.push(event);
    } else if (words[0] === "C" && words[1] !== "-") entry = readEntry(words);
    else if (words[0] === "E") errno = Number(words[1]);
  }
  return { left, answers, events, entry, errno };
}

/** `TRACE: table:chain:type:number`: the number tells, not the word (a rule that returns or accepts without conditions is called policy or return). */
function legacyEvent(words: readonly string[], name: number, lengths: ChainLengths): TraceEvent | undefined {
  const [, mark, header, title, what] = words;
  if (title !== "TRACE:" || decodePacket(Buffer.from(header!, "hex")).name !== name) return undefined;
  const parts = what!.split(":");
  const number = Number(parts.at(-1));
  const table = parts[0]!;
  const chain = parts.slice(1, -2).join(":");
  const isEnd = number > lengths(table, chain);
  if (isEnd && parts.at(-2) !== "policy") return undefined;
  return { table, chain, number: isEnd ? "policy" : number, mark: Number(mark) };
}

/** enum nft_trace_types. */
const TYPE_POLICY = 1;

function nftEvent(words: readonly string[], name: number, handles: Handles, ours: Set<string>): TraceEvent | undefined {
  const [, id, type, mark, header, code, handle, table, chain, to] = words;
  if (header !== "-") {
    if (decodePacket(Buffer.from(header!, "hex")).name === name) ours.add(id!);
    else ours.delete(id!);
  }
  if (!ours.has(id!) || table === TRACE_TABLE) return undefined;
  const place = { table: table!, chain: chain!, mark: Number(mark) };
  if (Number(type) === TYPE_POLICY) return { ...place, number: "policy" };
  if (handle === "0") return undefined; // the marker behind the last rule of a chain
  const number = handles.get(`${table} ${chain} ${handle}`);
  if (number === undefined) throw new Error(`the trace names a rule that is not listed: ${words.join(" ")}`);
  return { ...place, number, verdict: { code: Number(code), to: to! } };
}

/** The log prefix of packets the kernel sends by itself. */
export const ANSWER = "ANSWER";

/** The nf_tables table that switches the trace on; not part of any rule set. */
export const TRACE_TABLE = "chainwalk-trace";

function readEntry(words: readonly string[]): KernelEntry {
  const [, status, timeout, state, mark] = words;
  const tuple = (at: number): Tuple => ({
    src: addressFromHex(words[at]!),
    dst: addressFromHex(words[at + 1]!),
    protocol: Number(words[at + 2]),
    sport: Number(words[at + 3]),
    dport: Number(words[at + 4]),
  });
  return {
    original: tuple(5),
    reply: tuple(10),
    status: Number(status) & STATUS,
    timeout: Number(timeout),
    ...(Number(state) >= 0 ? { state: tcpStateNames[Number(state)]! } : {}),
    mark: Number(mark),
  };
}

/** Reads the answer to `r`: numbers each chain's handles from 1. */
export function readHandles(lines: readonly string[]): Handles {
  const handles = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const line of lines) {
    const [, table, chain, handle] = line.split(" ");
    const key = `${table} ${chain}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    handles.set(`${key} ${handle}`, counts.get(key)!);
  }
  return handles;
}
