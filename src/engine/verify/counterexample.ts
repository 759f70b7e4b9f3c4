/**
 * From a difference between diagrams to a packet that shows it: candidates are run through the real engines, and only one that really
 * fares differently counts. Of several the one with the shortest way is given.
 */
import { hasEntry, NEW_CONNECTION } from "../../packet/connection.js";
import type { Entrance, Packet } from "../../packet/packet.js";
import { replyTuple } from "../../packet/tuple.js";
import { ProblemError } from "../../ruleset/problem.js";
import type { Plan } from "../compile/compile.js";
import type { Context, Engine, Outcome, Trace } from "../types.js";
import { weightsOf } from "./check-services.js";
import { type DiagramNode, NOTHING, TooManyNodes } from "./diagrams.js";
import type { Fate, Journey, Start } from "./journey.js";
import type { StrayKey } from "./laws.js";
import type { ReadService } from "./read-services.js";
import type { Results } from "./results.js";
import { CONNECTIONS, type ConnectionKind, type Field, type Space } from "./space.js";
import { contextOf, differs, distributionText, LastShares, type Witness, witnessOf } from "./witness.js";

/** A packet that compiled treats in another way than linear. */
export interface Counterexample {
  readonly packet: Packet;
  readonly context: Context;
  /** What each engine does with it; text where it refuses. */
  readonly linear: Trace | string;
  readonly indexed: Trace | string;
  /** All outcomes with their probabilities, one a line, where those differ and the single outcome does not. */
  readonly distributions?: { readonly linear: string; readonly indexed: string };
  /** For a weighted pick: the u32 for which another backend is picked than the probabilities say. */
  readonly draw?: number;
}

export interface Wrong {
  readonly reason: string;
  readonly counterexample: Counterexample | undefined;
}

type Bits = ReadonlyMap<number, 0 | 1>;

/** Candidates that are tried before a difference is reported without a packet. */
const MOST_CANDIDATES = 64;
const ONES = 0xffffffff;

export class CounterexampleFinder {
  private readonly lastShares: LastShares;

  constructor(
    private readonly space: Space,
    private readonly plan: Plan,
    private readonly engines: { readonly linear: Engine; readonly indexed: Engine; readonly fused: Engine },
    readonly journeys: { readonly linear: Journey; readonly compiled: Journey },
    private readonly fates: Results<Fate>,
  ) {
    this.lastShares = new LastShares(space);
  }

  /** A packet with one of the keys for which a lookup breaks its law. */
  ofKeys(keys: readonly StrayKey[]): Counterexample | undefined {
    return this.smallest(
      keys.flatMap(({ src, dst, protocol, sport, dport }) => {
        const source = src ?? (typeof dst === "number" ? 1 : ([0, 0, 0, 2] as const));
        const bits = this.space.bitsOf({ dst, src: source, protocol, sport, dport });
        return (["prerouting", "output"] as const).map((entrance) => this.witness(bits, entrance));
      }),
    );
  }

  /** A packet of a set of packets as they enter a chain. */
  ofChain(differing: DiagramNode, entrances: readonly Entrance[]): Counterexample | undefined {
    // Most chains see a packet only when conntrack has.
    const seen = this.space.diagrams.minus(differing, this.space.connection("none"));
    const some = [...this.someOf(seen), ...this.someOf(differing)];
    const direct = this.smallest(entrances.flatMap((entrance) => some.map((bits) => this.witness(bits, entrance))));
    if (direct !== undefined) return direct;
    for (const entrance of entrances) {
      for (const connection of ["fresh", "established", "invalid", "untracked"] as const) {
        const found = this.ofWalk({
          entrance,
          connection,
          fields: { reply: 0, status: 0, hasOriginal: 1, hasReply: 1 },
        });
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** A packet of a set of packets as they enter the node, with what is fixed of them. */
  ofStart(differing: DiagramNode, start: Start): Counterexample | undefined {
    const some = this.someOf(differing).map((bits) => this.with(bits, start));
    return this.smallest(some.map((bits) => this.witness(bits, start.entrance)));
  }

  /** A packet to a service, and a draw for which the pick of its backend is not the one of the probabilities. */
  ofPick(service: ReadService, draw: number): Counterexample | undefined {
    const { address, port, protocol } = service;
    const bits = this.space.bitsOf({ dst: address, src: 1, protocol, dport: port });
    const { packet } = this.witness(bits, "prerouting");
    const { linear, fused } = this.engines;
    const context = contextOf(new Map(), NEW_CONNECTION, this.plan.node, this.plan.resolved, { pick: draw });
    const weights = weightsOf(service.runs, service.backends.length);
    return {
      packet,
      context,
      linear: traced(linear, { packet, context }),
      indexed: traced(fused, { packet, context }),
      distributions: {
        linear: distributionText(linear, { packet, context }),
        indexed: service.backends.map((_, k) => `${weights[k]}/${2 ** 32} backend ${k}`).join("\n"),
      },
      draw,
    };
  }

  /** Runs members of a set of packets with what is fixed of them; what is wrong with one, if anything. */
  check(some: readonly Bits[], start: Start): Wrong | undefined {
    return this.checkAll(
      some.map((bits) => this.with(bits, start)),
      start.entrance,
    );
  }

  /** Runs packets through both engines, and holds them against what the diagrams say of them. */
  checkAll(some: readonly Bits[], entrance: Entrance): Wrong | undefined {
    for (const bits of some) {
      const witness = this.witness(bits, entrance);
      if (differs(this.engines.linear, this.engines.indexed, witness))
        return {
          reason: "the diagrams are equal, but the engines differ for a packet",
          counterexample: this.counterexample(witness),
        };
      const said = this.saidOtherwise(witness, bits);
      if (said !== undefined)
        return {
          reason: `linear does with ${JSON.stringify(witness.packet)} what the diagrams do not say: ${said}`,
          counterexample: undefined,
        };
    }
    return undefined;
  }

  /**
   * Some members of a set of packets. What it leaves open of a header may still decide: the arrays may say the same of packets that the lookups
   * tell apart, the service map answers packets without a mark, and a mark may be set already. So it is tried both ways, and with marks besides.
   */
  private someOf(set: DiagramNode): Bits[] {
    const some = this.space.diagrams.someOf(set, MOST_CANDIDATES);
    const address = this.space.family === "ip" ? ONES : ([ONES, ONES, ONES, ONES] as const);
    const ways = [{}, { mark: 1 }, { src: address, dst: address, sport: 0xffff, dport: 0xffff, mark: ONES - 1 }];
    return ways.flatMap((open) => some.map((bits) => new Map([...this.space.bitsOf(open), ...bits])));
  }

  private ofWalk(start: Start): Counterexample | undefined {
    try {
      const [want, got] = [this.journeys.linear.travel(start), this.journeys.compiled.travel(start)];
      return this.ofStart(this.space.diagrams.differing(want, got), start);
    } catch (thrown) {
      if (thrown instanceof TooManyNodes) return undefined;
      throw thrown;
    }
  }

  private with(bits: Bits, { connection, fields }: Start): Bits {
    return new Map([...bits, ...this.space.bitsOf({ ...fields, connection: CONNECTIONS.indexOf(connection) })]);
  }

  private witness(bits: Bits, entrance: Entrance): Witness {
    return witnessOf(bits, entrance, this.space, this.lastShares, this.plan.node, this.plan.resolved);
  }

  private smallest(candidates: readonly Witness[]): Counterexample | undefined {
    const found = candidates
      .filter((witness) => differs(this.engines.linear, this.engines.indexed, witness))
      .map((witness) => this.counterexample(witness));
    return found.sort((a, b) => lengthOf(a) - lengthOf(b))[0];
  }

  private counterexample(witness: Witness): Counterexample {
    const { linear, indexed } = this.engines;
    const [want, got] = [distributionText(linear, witness), distributionText(indexed, witness)];
    return {
      ...witness,
      linear: traced(linear, witness),
      indexed: traced(indexed, witness),
      ...(want === got ? {} : { distributions: { linear: want, indexed: got } }),
    };
  }

  /**
   * What the diagrams say of a packet, where linear does otherwise with it. Nothing is said where memory or assumptions decide, and of packets of
   * connections with an entry.
   */
  private saidOtherwise({ packet, context }: Witness, bits: Bits): string | undefined {
    const { space } = this;
    const { state } = context.connection;
    if (hasEntry(context.connection) || state === "established" || state === "related") return undefined;
    const connection: Exclude<ConnectionKind, "none"> = state === "new" ? "fresh" : state;
    const named = (field: "iif" | "physIn" | "physOut" | "mac", name: string | undefined): number =>
      Math.max(0, space.namesOf(field).indexOf(name ?? ""));
    const fields: Partial<Record<Field, Packet["src"]>> = {
      src: packet.src,
      dst: packet.dst,
      protocol: packet.protocol,
      sport: packet.sport,
      dport: packet.dport,
      tcpFlags: packet.tcpFlags,
      mark: packet.mark,
      ctmark: context.connection.mark,
      fragment: packet.fragment === true ? 1 : 0,
      iif: named("iif", packet.iif),
      physIn: named("physIn", packet.physIn),
      physOut: named("physOut", packet.physOut),
      mac: packet.mac === undefined ? 0 : space.namesOf("mac").length - 1,
      reply: 0,
      status: 0,
      hasOriginal: 1,
      // Some ICMP types have no answer.
      hasReply: replyTuple(packet) === undefined ? 0 : 1,
    };
    if (packet.mac !== undefined) return undefined;
    const diagram = this.journeys.linear.travel({ entrance: packet.entrance, connection, fields });
    for (let node = diagram; node >= 0;) {
      const level = space.diagrams.levelOf(node);
      if (!/^(draw|share) /.test(space.nameOfBit(level) ?? "")) return undefined;
      node = bits.get(level) === 1 ? space.diagrams.highOf(node) : space.diagrams.lowOf(node);
    }
    // Draws are named by how often their chain was entered: in a diagram by this base chain, in a walk by all of them.
    if (drawsAgain(this.engines.linear, { packet, context })) return undefined;
    const said = space.diagrams.follow(diagram, bits);
    if (said === NOTHING) return "nothing";
    const fate = this.fates.at(said);
    if (fate.changes.length > 0) return undefined;
    return isFate(fate, packet, context, this.engines.linear) ? undefined : JSON.stringify(fate);
  }
}

function isFate(fate: Fate, packet: Packet, context: Context, linear: Engine): boolean {
  let outcome: Outcome;
  try {
    outcome = linear.classify(packet, context);
  } catch (thrown) {
    if (thrown instanceof ProblemError) return fate.verdict === "refuse";
    throw thrown;
  }
  const { ofMark, ofCtmark, flip } = fate.mark;
  const mark = ((packet.mark & ofMark) ^ (context.connection.mark & ofCtmark) ^ flip) >>> 0;
  const destination = fate.destination && {
    address: fate.destination.address ?? packet.dst,
    port: fate.destination.port ?? packet.dport,
  };
  return (
    fate.verdict === outcome.verdict &&
    fate.with === outcome.rejectWith &&
    mark === outcome.mark &&
    fate.way === outcome.way &&
    fate.oif === outcome.oif &&
    fate.notrack === outcome.notrack &&
    JSON.stringify(destination) === JSON.stringify(outcome.destination) &&
    fate.source?.kind === outcome.source?.kind
  );
}

/** Whether a walk draws and comes to a chain more than once. */
function drawsAgain(linear: Engine, witness: Witness): boolean {
  const trace = traced(linear, witness);
  if (typeof trace === "string" || trace.outcome.work.draws === 0) return false;
  const entered = trace.steps.flatMap((step) => (step.kind === "chain" ? [`${step.table} ${step.chain}`] : []));
  return new Set(entered).size < entered.length;
}

function traced(engine: Engine, { packet, context }: Witness): Trace | string {
  try {
    return engine.trace(packet, context);
  } catch (thrown) {
    if (thrown instanceof ProblemError) return thrown.message;
    throw thrown;
  }
}

function lengthOf({ linear }: Counterexample): number {
  return typeof linear === "string" ? 0 : linear.steps.length;
}
