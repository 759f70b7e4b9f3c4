/** The kernel against the project, packet by packet. */
import { formatAddress, sameAddress } from "../../src/packet/address.js";
import { CtStatus } from "../../src/packet/connection.js";
import { icmpType, type Packet } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, isIcmp, TCP, TcpFlag } from "../../src/packet/protocol.js";
import { formatTuple, sameTuple, type Tuple } from "../../src/packet/tuple.js";
import type { Step } from "../../src/engine/types.js";
import { DEVICES } from "./kernel-node.js";
import type { KernelEntry, Observation } from "./observation.js";
import { impliedVisits, nameEvent, type Prediction, type RuleNames } from "./project-node.js";
import type { WirePacket } from "./wire.js";

/** What was compared; printed at the end of a run. */
export interface Tally {
  rulesets: number;
  packets: number;
  paths: number;
  connections: number;
  /** Of rules that counted something. */
  counters: number;
  /** Packets of which only the sums were compared. */
  flows: number;
}

export const tally: Tally = { rulesets: 0, packets: 0, paths: 0, connections: 0, counters: 0, flows: 0 };

/** Time-outs may differ by the second in which the two sides read their clocks. */
const CLOCK_SLACK = 2;

/** Every way in which the kernel and the project disagree on a packet; empty where they agree. */
export function disagreements(packet: Packet, seen: Observation, said: Prediction, names: RuleNames): string[] {
  tally.packets++;
  const found: string[] = [];
  const differ = (what: string, kernel: unknown, project: unknown): void => {
    if (kernel !== project) found.push(`${what}: kernel ${String(kernel)}, project ${String(project)}`);
  };
  tally.paths++;
  differ("path", seen.events.map(nameEvent).join(" "), said.path.join(" "));
  differ("rules visited", impliedVisits(names, seen.events), said.trace.outcome.work.rulesVisited);
  const last = seen.events.at(-1);
  if (last?.number === "policy") differ("mark", last.mark, said.trace.outcome.mark);
  const { result } = said;
  const leaves = result.verdict === "accept" && said.trace.outcome.way === "forward";
  differ("leaves", describeLeft(seen.left), leaves ? describePacket(result.packet, said.trace.outcome.oif) : "no");
  if (result.verdict === "reject") {
    const answer = expectedAnswer(said, packet);
    const answers = seen.answers.map(describeAnswer);
    if (answer !== undefined && !answers.includes(answer)) differ("answer", answers.join(" ") || "none", answer);
  }
  found.push(...entryDisagreements(seen.entry, said));
  return found;
}

export function entryDisagreements(kernel: KernelEntry | undefined, said: Prediction): string[] {
  const project = said.entry;
  if (kernel === undefined || project === undefined) {
    const show = (one: { original: Tuple } | undefined): string => (one ? formatTuple(one.original) : "none");
    return kernel === project ? [] : [`connection: kernel ${show(kernel)}, project ${show(project)}`];
  }
  tally.connections++;
  const found: string[] = [];
  const differ = (what: string, a: unknown, b: unknown): void => {
    if (a !== b) found.push(`connection ${what}: kernel ${String(a)}, project ${String(b)}`);
  };
  differ("original", formatTuple(kernel.original), formatTuple(project.original));
  differ("reply", formatTuple(kernel.reply), formatTuple(project.reply));
  differ("mark", kernel.mark, project.mark);
  differ("status", statusNames(kernel.status), statusNames(project.status));
  if (kernel.state !== undefined) differ("state", kernel.state, project.state);
  const left = project.timeLeft / 1000;
  if (Math.abs(kernel.timeout - left) > CLOCK_SLACK) differ("time-out", kernel.timeout, left);
  return found;
}

function statusNames(status: number): string {
  return Object.entries(CtStatus)
    .filter(([, bit]) => (status & bit) !== 0)
    .map(([name]) => name)
    .join("+");
}

function describeLeft(left: Observation["left"]): string {
  return left === undefined ? "no" : describePacket(left.packet, DEVICES[left.device]);
}

function describePacket(packet: WirePacket | Packet, device: string | undefined): string {
  const tuple = isIcmp(packet.protocol) && packet.inner !== undefined ? { ...packet, sport: 0 } : packet;
  const inner = packet.inner === undefined ? "" : ` about ${formatTuple(packet.inner)}`;
  return `${formatTuple(tuple)}${inner} by ${device}`;
}

/** The answer a REJECT sends to the other end; undefined where it cannot be seen from outside, or where there is none. */
function expectedAnswer(said: Prediction, packet: Packet): string | undefined {
  const { entry, result, trace } = said;
  const { rejectWith, tuple, confirmed } = trace.outcome;
  // Stopped behind source NAT in input: the answer goes to an address that only the kernel has chosen.
  if (confirmed !== true && trace.steps.some(translatesSource)) return undefined;
  // A packet that came back in through lo has the source it left with, unless it is none of its connection.
  const translated = confirmed === true && result.ref !== 0;
  const other = (result.ref & 1) === 1 ? entry?.original : entry?.reply;
  const to = formatAddress(translated && other !== undefined ? other.dst : tuple.src);
  if (rejectWith === "tcp-reset") {
    return packet.protocol === TCP && (packet.tcpFlags & TcpFlag.RST) === 0 ? `reset to ${to}` : undefined;
  }
  const icmp = icmpType(packet);
  if (icmp !== undefined && icmp !== (packet.family === "ip" ? 8 : 128)) return undefined;
  const number = rejectCodes[rejectWith ?? ""];
  return number === undefined ? undefined : `icmp ${number[0]}/${number[1]} to ${to}`;
}

const translatesSource = (step: Step): boolean =>
  step.kind === "rule" && step.rule.rule.statements.some(({ kind }) => kind === "snat" || kind === "masquerade");

/** ICMP type and code of each `--reject-with` (ipt_REJECT.h, ip6t_REJECT.h). */
const rejectCodes: Readonly<Record<string, readonly [number, number]>> = {
  "icmp-net-unreachable": [3, 0],
  "icmp-host-unreachable": [3, 1],
  "icmp-proto-unreachable": [3, 2],
  "icmp-port-unreachable": [3, 3],
  "icmp-net-prohibited": [3, 9],
  "icmp-host-prohibited": [3, 10],
  "icmp-admin-prohibited": [3, 13],
  "icmp6-no-route": [1, 0],
  "icmp6-adm-prohibited": [1, 1],
  "icmp6-addr-unreachable": [1, 3],
  "icmp6-port-unreachable": [1, 4],
};

/** What the kernel answered, and to whom. */
export function describeAnswer(packet: WirePacket): string {
  if (packet.protocol === TCP && (packet.tcpFlags & TcpFlag.RST) !== 0) return `reset to ${formatAddress(packet.dst)}`;
  if (packet.protocol === ICMP || packet.protocol === ICMPV6)
    return `icmp ${packet.dport >>> 8}/${packet.dport & 255} to ${formatAddress(packet.dst)}`;
  return formatTuple(packet);
}

/** Whether two sides name the same end of a connection. */
export function sameEnd(a: Tuple, b: Tuple): boolean {
  return sameTuple(a, b) || (sameAddress(a.src, b.src) && a.sport === b.sport);
}
