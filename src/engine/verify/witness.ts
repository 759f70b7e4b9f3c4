/** One packet of a class, with the draws, state and assumptions of the class, and what both engines make of it. */
import { type Address, sameAddress } from "../../packet/address.js";
import { PacketBatch } from "../../packet/batch.js";
import { type Connection, CtStatus, NEW_CONNECTION } from "../../packet/connection.js";
import type { Node } from "../../packet/node.js";
import {
  DEFAULT_INTERFACE,
  type Entrance,
  makePacket,
  type Packet,
  type PacketFields,
  tupleOf,
} from "../../packet/packet.js";
import { replyTuple, type Tuple } from "../../packet/tuple.js";
import { ProblemError } from "../../ruleset/problem.js";
import { byId, type ResolvedRule, type ResolvedRuleSet } from "../../ruleset/resolve.js";
import { drawVisit } from "../draw.js";
import { equals, formatFraction } from "../fraction.js";
import { outcomeKey } from "../linear.js";
import { OutcomeBatch } from "../outcome-batch.js";
import { RecentList } from "../recent.js";
import type { RuleState } from "../state.js";
import type { Context, Engine } from "../types.js";
import { CONNECTIONS, type Field, type Space } from "./space.js";

/** A packet and all that decides how it fares. */
export interface Witness {
  readonly packet: Packet;
  readonly context: Context;
}

/** Milliseconds: late enough for time to have passed before. */
const NOW = 1_000_000;

/** What is decided by lot, memory or assumption: bits by name. Those that are not named are 0. */
export type Decisions = ReadonlyMap<string, 0 | 1>;

/** The last share of each draw, which is drawn where no share is decided; there can be a hundred thousand, so that each name is read once. */
export class LastShares {
  private readonly drawn = new Map<string, number>();
  private read = 0;

  constructor(private readonly space: Space) {}

  of(rule: number, visit: number): number | undefined {
    for (const name of this.space.namesOfBits(this.read)) {
      this.read++;
      const share = shareOf(name);
      if (share !== undefined && !this.drawn.has(share.of)) this.drawn.set(share.of, share.last);
    }
    return this.drawn.get(`${rule} ${visit}`);
  }
}

/** The packet that a member of a set of packets (as they enter a chain, or the node) stands for. */
export function witnessOf(
  bits: ReadonlyMap<number, 0 | 1>,
  entrance: Entrance,
  space: Space,
  lastShares: LastShares,
  node: Node,
  resolved: ResolvedRuleSet,
): Witness {
  const value = (field: Field): Address => space.valueIn(bits, field);
  const number = (field: Field): number => value(field) as number;
  const nameOf = (field: "iif" | "physIn" | "physOut" | "mac"): string => space.namesOf(field)[number(field)] ?? "";
  const optional = (field: "physIn" | "physOut" | "mac"): PacketFields | object => {
    const name = nameOf(field);
    return name === "" ? {} : { [field]: name === "~" && field === "mac" ? "02:00:00:00:00:7e" : name };
  };
  const iif = nameOf("iif");
  const packet = makePacket({
    src: value("src"),
    dst: value("dst"),
    protocol: number("protocol"),
    sport: number("sport"),
    dport: number("dport"),
    tcpFlags: number("tcpFlags"),
    mark: number("mark"),
    entrance,
    iif: entrance === "output" ? "" : iif === "" ? DEFAULT_INTERFACE : iif,
    ...(number("fragment") === 1 ? { fragment: true } : {}),
    ...optional("physIn"),
    ...optional("physOut"),
    ...optional("mac"),
  });
  const decisions = new Map<string, 0 | 1>();
  // Those of one draw come in their order.
  for (const level of [...bits.keys()].sort((a, b) => a - b)) {
    const name = space.nameOfBit(level);
    if (name !== undefined) decisions.set(name, bits.get(level)!);
  }
  return {
    packet,
    context: contextOf(
      decisions,
      connectionOf(packet, number, value, (field) => space.saysOf(bits, field)),
      node,
      resolved,
      { lastShares },
    ),
  };
}

function connectionOf(
  packet: Packet,
  number: (field: Field) => number,
  value: (field: Field) => Address,
  says: (field: Field) => boolean,
): Connection {
  const kind = CONNECTIONS[number("connection")] ?? "none";
  const mark = number("ctmark");
  if (kind === "none" || kind === "fresh") return { ...NEW_CONNECTION, mark };
  if (kind === "invalid" || kind === "untracked") return { state: kind, direction: "original", status: 0, mark };
  const isReply = number("reply") === 1;
  // The tuple of its own direction is the packet's; of the other one what a rule asks of it, else that of an untranslated connection.
  const end = isReply ? "original" : "reply";
  const asked = (["Src", "Dst", "Sport", "Dport"] as const).some((part) => says(`${end}${part}`));
  const inverse = replyTuple(packet);
  const other = asked
    ? {
        src: value(`${end}Src`),
        dst: value(`${end}Dst`),
        protocol: packet.protocol,
        sport: number(`${end}Sport`),
        dport: number(`${end}Dport`),
      }
    : inverse && tupleOf(inverse);
  // The status says what is translated.
  const [src, dst] = [sameEnd(other, inverse, "dst", "dport"), sameEnd(other, inverse, "src", "sport")];
  const translated =
    (src ? 0 : isReply ? CtStatus.dnat : CtStatus.snat) | (dst ? 0 : isReply ? CtStatus.snat : CtStatus.dnat);
  const status = (number("status") & ~(CtStatus.snat | CtStatus.dnat)) | translated | CtStatus.confirmed;
  return {
    state: kind,
    direction: isReply ? "reply" : "original",
    status,
    mark,
    ...(other === undefined ? {} : { original: tupleOf(packet), reply: tupleOf(packet), [end]: other }),
  };
}

function sameEnd(a: Tuple | undefined, b: Tuple | undefined, address: "src" | "dst", port: "sport" | "dport"): boolean {
  return a === undefined || b === undefined || (sameAddress(a[address], b[address]) && a[port] === b[port]);
}

/** A context in which draws, state and assumptions turn out as decided; `pick`: what a fused pick draws. */
export function contextOf(
  decisions: Decisions,
  connection: Connection,
  node: Node,
  resolved: ResolvedRuleSet,
  { pick = 0, lastShares }: { readonly pick?: number; readonly lastShares?: LastShares },
): Context {
  const draws = new Map<string, number>();
  const unknown = new Map<string, boolean>();
  for (const [name, bit] of decisions) {
    const share = shareOf(name);
    if (share !== undefined) {
      // The first share whose bit is set is drawn.
      if (bit === 1 && !draws.has(share.of)) draws.set(share.of, share.threshold);
      continue;
    }
    const [what, rule, second, ordinal, threshold] = name.split(" ");
    if (what === "draw")
      draws.set(`${rule} ${drawVisit(Number(second), Number(ordinal))}`, bit === 1 ? 0 : Number(threshold));
    else unknown.set(`${rule} ${second}`, bit === 1);
  }
  const drawn = (rule: number, visit: number): number =>
    draws.get(`${rule} ${visit}`) ?? lastShares?.of(rule, visit) ?? 0x7fffffff;
  return {
    node,
    packet: 0,
    now: NOW,
    connection,
    draw: (_packet, rule, visit) => (rule === PICK ? pick : drawn(rule, visit)),
    state: stateOf(unknown, resolved),
    assume: (rule) => rule.rule.statements.some((_, i) => unknown.get(`${rule.id} ${i}`) === true),
  };
}

/** Which draw a bit of this name is a share of, the number that stands for the share, and that of the draw's last share. */
function shareOf(name: string): { readonly of: string; readonly threshold: number; readonly last: number } | undefined {
  if (!name.startsWith("share ")) return undefined;
  const [, rule, visit, ordinal, threshold, last] = name.split(" ");
  return {
    of: `${rule} ${drawVisit(Number(visit), Number(ordinal))}`,
    threshold: Number(threshold),
    last: Number(last),
  };
}

/** PICK_DRAW of indexed.ts. */
const PICK = 0xffffffff;

/** A state of rules in which each statement answers as decided, where a state can make it. */
function stateOf(unknown: ReadonlyMap<string, boolean>, resolved: ResolvedRuleSet): RuleState {
  const answer = (rule: number, statement: number): boolean | undefined => unknown.get(`${rule} ${statement}`);
  let rules: ReturnType<typeof byId<ResolvedRule>> | undefined;
  const statementOf = (id: { readonly rule: number; readonly statement: number }) =>
    (rules ??= byId(resolved.rules))[id.rule]?.rule.statements[id.statement];
  const listed = new Set<string>();
  for (const [key, holds] of unknown) {
    const [rule, statement] = key.split(" ").map(Number);
    const match = statementOf({ rule: rule!, statement: statement! });
    if (match?.kind === "recent" && holds !== match.negate) listed.add(match.name);
  }
  return {
    nth(id) {
      const match = statementOf(id);
      const holds = answer(id.rule, id.statement);
      if (match?.kind !== "nth" || holds === undefined) return undefined;
      return holds !== match.negate ? match.every - 1 : 0;
    },
    limit(id) {
      const match = statementOf(id);
      const holds = answer(id.rule, id.statement);
      if (match?.kind !== "limit" || holds === undefined || holds !== match.negate) return undefined;
      return { credit: 0, at: NOW };
    },
    numgen: () => undefined,
    set: () => undefined,
    recent: (list) => (listed.has(list) ? new EveryAddress() : undefined),
  };
}

/** A recent list on which every address was just seen, often. */
class EveryAddress extends RecentList {
  override stamps(): readonly number[] {
    return Array.from({ length: 32 }, () => NOW);
  }

  override copy(): RecentList {
    return new EveryAddress();
  }
}

/** Whether two engines answer a witness alike; probabilities are compared as fractions. */
export function differs(linear: Engine, indexed: Engine, witness: Witness): boolean {
  const { packet, context } = witness;
  const [want, got] = [linear, indexed].map((engine) => told(() => outcomeKey(engine.classify(packet, context))));
  if (want !== got) return true;
  if (want!.startsWith(REFUSED)) return false;
  return !sameInBatch(linear, indexed, witness) || !sameDistributions(linear, indexed, witness);
}

const REFUSED = "refused: ";

function told(walk: () => string): string {
  try {
    return walk();
  } catch (thrown) {
    if (thrown instanceof ProblemError) return `${REFUSED}${thrown.message}`;
    throw thrown;
  }
}

function sameInBatch(linear: Engine, indexed: Engine, { packet, context }: Witness): boolean {
  if (
    packet.fragment === true ||
    packet.physIn !== undefined ||
    packet.physOut !== undefined ||
    packet.mac !== undefined
  )
    return true;
  const [want, got] = [linear, indexed].map((engine) => {
    const batch = new PacketBatch(packet.family, 1);
    batch.set(0, packet, 0, context.connection);
    const out = new OutcomeBatch(packet.family, 1);
    return told(() => {
      engine.classifyBatch(batch, context, out);
      return JSON.stringify([out.get(0), out.details.get(0)?.changes ?? []]);
    });
  });
  return want === got;
}

function sameDistributions(linear: Engine, indexed: Engine, { packet, context }: Witness): boolean {
  const [want, got] = [linear, indexed].map((engine) => {
    try {
      return new Map(
        engine.outcomes(packet, context).outcomes.map((way) => [outcomeKey(way.outcome), way.probability]),
      );
    } catch (thrown) {
      if (thrown instanceof ProblemError) return undefined;
      throw thrown;
    }
  });
  if (want === undefined || got === undefined) return want === got;
  return want.size === got.size && [...want].every(([key, p]) => got.has(key) && equals(got.get(key)!, p));
}

/** A distribution as text, for people who want to see where two differ. */
export function distributionText(engine: Engine, { packet, context }: Witness): string {
  return told(() =>
    engine
      .outcomes(packet, context)
      .outcomes.map(({ outcome, probability }) => `${formatFraction(probability)} ${outcomeKey(outcome)}`)
      .join("\n"),
  );
}
