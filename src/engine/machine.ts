/**
 * The walk itself: rule by rule as the kernel does it (net/ipv4/netfilter/ip_tables.c, ipt_do_table), with the hooks around it.
 * It runs at any speed; its one job is to be right.
 */
import { type Connection, CtStatus, hasEntry } from "../packet/connection.js";
import { isIcmpError, tupleOf } from "../packet/packet.js";
import { isIcmp } from "../packet/protocol.js";
import { replyTuple, sameTuple } from "../packet/tuple.js";
import type { IpSet } from "../ruleset/ipset.js";
import type { ResolvedRule } from "../ruleset/resolve.js";
import type { Action, Match, Statement, Verdict } from "../ruleset/types.js";
import { matchTable, type MatchTable } from "./evaluate.js";
import { actions, type ActionTable, type Next, verdicts, type VerdictTable } from "./execute.js";
import { setOfRule } from "./named-set.js";
import { describe, type Place } from "./place.js";
import { type Schedule, type Station, ways } from "./path.js";
import type { Outcome } from "./types.js";
import type { Frame, Walk } from "./walk.js";

/** The functions a walk is made of. */
export interface Semantics {
  readonly matches: MatchTable;
  readonly actions: ActionTable;
  readonly verdicts: VerdictTable;
}

/** The semantics of the kernel. `ipsets`: what `-m set` looks into. */
export function semanticsOf(ipsets: readonly IpSet[] = []): Semantics {
  return { matches: matchTable(new Map(ipsets.map((set) => [set.name, set]))), actions, verdicts };
}

/** Called before a statement is tried. outcomes() forks the walk here, once for each way its draws can go. */
export type Split = (walk: Walk, statement: Statement, place: Place) => void;

/** What an engine may do besides. */
export interface Hooks {
  readonly split?: Split;
  readonly skip?: Skip;
}

/** Moves a frame on to the next rule that the packet can match at all. A linear walk has none: it visits every rule. */
export type Skip = (walk: Walk, frame: Frame) => void;

/** Runs the walk to its end. */
export function run(walk: Walk, schedule: Schedule, semantics: Semantics, { split, skip }: Hooks = {}): Outcome {
  for (;;) {
    const frame = walk.top;
    if (frame === undefined) {
      const ended = nextStation(walk, schedule);
      if (ended !== undefined) return ended;
      continue;
    }
    if (skip !== undefined && !frame.begun) skip(walk, frame);
    const rule = frame.chain.rules[frame.rule];
    const next = rule === undefined ? endOfChain(walk) : visitRule(walk, rule, semantics, split);
    switch (next) {
      case "rule":
        walk.nextRule();
        break;
      case "chain":
        if (walk.stack.length === 0) {
          const dropped = policy(walk);
          if (dropped !== undefined) return dropped;
        }
        break;
      case "accept":
        walk.stack.length = 0;
        break;
      case "statement":
        break;
      default:
        return next;
    }
  }
}

function endOfChain(walk: Walk): Next {
  walk.leave();
  return "chain";
}

/** The base chain has come to its end: its policy decides. */
function policy(walk: Walk): Outcome | undefined {
  const { table, name, base } = walk.base!;
  walk.steps?.push({ kind: "policy", table: table.name, chain: name, policy: base!.policy });
  return base!.policy === "drop" ? walk.outcome("drop") : undefined;
}

/** Tries the statements of a rule from left to right. One that fails ends the rule, whatever stood before it (NFT_BREAK). */
function visitRule(walk: Walk, rule: ResolvedRule, semantics: Semantics, split?: Split): Next {
  const { statements } = rule.rule;
  const frame = walk.top!;
  if (!frame.begun) {
    frame.begun = true;
    frame.told = walk.steps?.length ?? 0;
    walk.work.rulesVisited++;
  }
  for (; frame.statement < statements.length; frame.statement++) {
    const statement = statements[frame.statement]!;
    const place = { at: rule, rule: rule.id, statement: frame.statement };
    if (split !== undefined && walk.numbers.length === 0) split(walk, statement, place);
    const next = perform(statement, walk, place, semantics);
    walk.numbers = [];
    walk.counters = 0;
    if (next === "statement") continue;
    if (next === "fail") return "rule";
    walk.steps?.splice(frame.told, 0, { kind: "rule", rule });
    return next;
  }
  walk.steps?.splice(frame.told, 0, { kind: "rule", rule });
  return "rule";
}

function perform(statement: Statement, walk: Walk, place: Place, semantics: Semantics): Next | "fail" {
  if (isMatch(statement, semantics)) {
    const assumed = asksState(statement, place.at) ? walk.context.assumeState?.(place.at) : undefined;
    if (assumed !== undefined) {
      walk.given.add(`the ${statement.kind} of rule ${describe(place)} is taken to ${assumed ? "hold" : "fail"}`);
      return assumed ? "statement" : "fail";
    }
    const evaluate = semantics.matches[statement.kind] as (m: Match, w: Walk, p: Place) => boolean;
    return evaluate(statement, walk, place) ? "statement" : "fail";
  }
  const execute =
    (semantics.actions as Record<string, unknown>)[statement.kind] ??
    semantics.verdicts[statement.kind as Verdict["kind"]];
  return (execute as (s: Action | Verdict, w: Walk, p: Place) => Next | "fail")(statement, walk, place);
}

/** Whether a match looks at what earlier packets left behind. */
export function asksState(statement: Statement, rule: ResolvedRule): boolean {
  switch (statement.kind) {
    case "recent":
      return statement.action !== "set";
    case "limit":
    case "nth":
      return true;
    case "lookup":
      return typeof statement.set === "string" && setOfRule(rule, statement.set)?.changes === true;
    default:
      return false;
  }
}

function isMatch(statement: Statement, semantics: Semantics): statement is Match {
  return statement.kind in semantics.matches;
}

/** Goes on to the next base chain, NAT, conntrack or routing decision; the outcome where the way ends. */
function nextStation(walk: Walk, schedule: Schedule): Outcome | undefined {
  const station = walk.stations[++walk.station];
  if (station !== undefined) {
    enterStation(walk, station);
    return undefined;
  }
  const stage = walk.stages[walk.stage++];
  if (stage === undefined) {
    if (walk.way !== undefined && walk.stages !== ways[walk.packet.entrance].first) return walk.outcome("accept");
    walk.stages = ways[walk.packet.entrance][walk.way!];
    walk.stage = 0;
    return undefined;
  }
  walk.station = -1;
  if (stage.kind === "route") {
    walk.stations = [];
    return route(walk);
  }
  walk.hook = stage.hook;
  walk.stations = schedule[stage.hook];
  if (stage.loopback === true) {
    walk.iif = "lo";
    // No tuple is free for its connection: the packet goes no further, and the data path will find so.
    if (!walk.confirmed && !confirm(walk)) return walk.outcome("accept");
  }
  if (stage.hook === "prerouting" || stage.hook === "input") walk.oif = "";
  walk.steps?.push({ kind: "hook", hook: stage.hook });
  return undefined;
}

/** The packet has left by lo: its connection is in the table, and the source is the translated one from here on. False where it cannot be. */
function confirm(walk: Walk): boolean {
  walk.confirmed = true;
  const { connection } = walk;
  if (connection?.state !== "new" || hasEntry(connection)) return true;
  walk.status |= CtStatus.confirmed;
  return changeSource(walk);
}

/**
 * The source becomes the one that is picked for it: what chains behind NAT see. The data path picks the same in the end. False: it is not free,
 * and the packet is dropped when its connection is confirmed.
 */
function changeSource(walk: Walk): boolean {
  const { source, context } = walk;
  if (walk.sent !== undefined) return !walk.clashes;
  const tuple = tupleOf(walk);
  const range = source?.to ?? { addresses: [tuple.src, tuple.src] };
  const unasked = { chosen: { ...tuple, src: range.addresses?.[0] ?? tuple.src }, free: true };
  const { chosen, free } = context.pickSource?.(tuple, range) ?? unasked;
  walk.sent = tuple;
  walk.src = chosen.src;
  walk.sport = chosen.sport;
  if (!sameTuple(tuple, chosen)) walk.status |= CtStatus.snat;
  walk.clashes = !free;
  return free;
}

/** The routing decision; where no route leads on the walk ends. */
function route(walk: Walk): Outcome | undefined {
  const found = walk.context.node.routeFrom(walk.iif, walk.dst);
  if (found === undefined) {
    walk.steps?.push({ kind: "route", destination: walk.dst, local: false, oif: "" });
    return { ...walk.outcome("drop"), unreachable: true };
  }
  walk.oif = found.oif;
  walk.way = found.local ? "local" : "forward";
  walk.steps?.push({ kind: "route", destination: walk.dst, local: found.local, oif: found.oif });
  return undefined;
}

function enterStation(walk: Walk, station: Station): void {
  switch (station.kind) {
    case "conntrack":
      // nf_conntrack_in: a packet that was seen before (loopback) keeps its connection
      walk.connection ??= walk.context.connection;
      walk.tracked = true;
      break;
    case "chain":
      walk.base = station.chain;
      walk.enter(station.chain);
      break;
    case "nat":
      translate(walk, station);
      break;
  }
}

/** nf_nat_inet_fn: the nat chains see the first packet of a connection, once for each end; later ones take the entry's translation. */
function translate(walk: Walk, station: Extract<Station, { kind: "nat" }>): void {
  const { connection } = walk;
  if (connection === undefined || connection.state === "invalid" || connection.state === "untracked") return;
  if (connection.state !== "new" || hasEntry(connection)) {
    if (!walk.settled[station.manip]) applyEntry(walk, connection, station.manip);
    walk.settled[station.manip] = true;
    return;
  }
  if (walk.settled[station.manip]) return;
  const chain = station.chains[walk.natChain];
  const translated = station.manip === "destination" ? walk.destination : walk.source;
  if (chain === undefined || translated !== undefined) {
    walk.settled[station.manip] = true;
    walk.natChain = 0;
    if (walk.source !== undefined && station.manip === "source" && walk.station + 1 < walk.stations.length)
      changeSource(walk);
    return;
  }
  // One nat chain after the other at the same station, until one translates.
  walk.natChain++;
  walk.station--;
  walk.base = chain;
  walk.enter(chain);
}

/** nf_nat_packet, and nf_nat_icmp_reply_translation for an ICMP error, of which only the addresses change. */
function applyEntry(walk: Walk, connection: Connection, manip: "destination" | "source"): void {
  const isReply = connection.direction === "reply";
  const bit = (manip === "destination") === isReply ? CtStatus.snat : CtStatus.dnat;
  const other = isReply ? connection.original : connection.reply;
  const target = other && replyTuple(other);
  if ((connection.status & bit) === 0 || target === undefined) return;
  const ports = !isIcmpError(walk);
  if (manip === "destination") {
    walk.dst = target.dst;
    if (ports && !isIcmp(walk.protocol)) walk.dport = target.dport;
  } else {
    walk.src = target.src;
  }
  if (ports && (manip === "source" || isIcmp(walk.protocol))) walk.sport = target.sport;
}
