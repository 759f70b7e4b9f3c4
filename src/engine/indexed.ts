/**
 * The indexed engine: runs a compiled plan. A new connection to a destination in the service map costs one lookup and one pick;
 * everything else walks with chain indexes, on columns in a batch, readably otherwise. Its outcomes equal those of linear.
 */
import { formatAddress, formatEndpoint } from "../packet/address.js";
import { ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import type { Node } from "../packet/node.js";
import { type Packet, tupleOf } from "../packet/packet.js";
import { protocolName } from "../packet/protocol.js";
import { addressWords } from "../packet/address.js";
import type { ResolvedRuleSet } from "../ruleset/resolve.js";
import { layOut } from "./compile/columns.js";
import { compile, type Plan } from "./compile/compile.js";
import { BackendFlag, findService, pickBackend, type ServiceRecord, ServiceKind } from "./compile/services.js";
import { drawBits, drawKey } from "./draw.js";
import { dyadic, type Fraction, multiply, ONE } from "./fraction.js";
import { classifyOne, type EngineOptions, walkingEngine } from "./linear.js";
import { semanticsOf, type Skip } from "./machine.js";
import { OutcomeFlag, type OutcomeBatch, VERDICT_ACCEPT, verdictNames } from "./outcome-batch.js";
import { Scan } from "./scan.js";
import type { Context, Distribution, Engine, Outcome, Step, Trace, WeightedOutcome } from "./types.js";

export interface IndexedOptions extends EngineOptions {
  /** The node the plan is made for; a context with another node is walked without the service map. */
  readonly node: Node;
  /**
   * `fused` (the default): one u32 a pick, against integer weights. `replay`: the draws of the rules one after the other, by
   * name, so that with the same draws every packet fares as under linear.
   */
  readonly draws?: "fused" | "replay";
}

/** The name of the one draw of a fused pick: no rule has this id. */
export const PICK_DRAW = 0xffffffff;

/** The column-scanned linear walk: what benches compare with. Equal to `linearEngine`, on typed arrays; IPv6 packet by packet. */
export function columnEngine(resolved: ResolvedRuleSet, options: IndexedOptions): Engine {
  const plain = walkingEngine("columns", resolved, semanticsOf(options.ipsets));
  const scan = new Scan(resolved, layOut(resolved), options.node);
  return { ...plain, classifyBatch: (batch, context, out) => scanBatch(scan, plain, batch, context, out) };
}

function scanBatch(scan: Scan, plain: Engine, batch: PacketBatch, context: Context, out: OutcomeBatch): void {
  out.reset();
  scan.begin(batch);
  const fits = batch.family === "ip" && context.node === scan.node;
  for (let i = 0; i < batch.count; i++) {
    if (!fits || !scan.walk(batch, i, context, out)) out.set(i, classifyOne(plain, batch, i, context));
  }
  scan.finish(out);
}

/** The engine with a `plan`, for those who want to see it. */
export interface IndexedEngine extends Engine {
  readonly plan: Plan;
}

/** Compiles a rule set for a node. Throws ProblemError where the rule set has errors. */
export function indexedEngine(resolved: ResolvedRuleSet, options: IndexedOptions): IndexedEngine {
  const plan = compile(resolved, options.node);
  const replay = options.draws === "replay";
  const walking = walkingEngine("indexed", resolved, semanticsOf(options.ipsets), skipping(plan));
  const lookup = new Lookup(plan, replay);
  const scan = new Scan(resolved, plan.columns, plan.node, plan.indexes);

  return {
    name: "indexed",
    plan,
    classify(packet, context) {
      const row = lookup.find(packet, context);
      return row < 0 ? walking.classify(packet, context) : lookup.outcome(row, packet, context);
    },
    classifyBatch(batch, context, out) {
      out.reset();
      scan.begin(batch);
      const fits = batch.family === "ip" && context.node === plan.node;
      if (fits) lookup.batch(batch, context, out);
      for (let n = 0, i: number; n < (fits ? lookup.leftOver : batch.count); n++) {
        i = fits ? lookup.left[n]! : n;
        if (!fits || !scan.walk(batch, i, context, out)) out.set(i, classifyOne(walking, batch, i, context));
      }
      scan.finish(out);
    },
    trace(packet, context) {
      const row = lookup.find(packet, context);
      return row < 0 ? walking.trace(packet, context) : lookup.trace(row, packet, context);
    },
    outcomes(packet, context) {
      const row = lookup.find(packet, context);
      return row < 0 ? walking.outcomes(packet, context) : lookup.outcomes(row, packet);
    },
  };
}

/** Skips the rules of an indexed chain that the packet cannot match. */
function skipping(plan: Plan): Skip {
  return (walk, frame) => {
    const index = plan.indexes[frame.chain.id];
    if (index === undefined || frame.rule >= frame.chain.rules.length) return;
    const { protocol, sport, dport } = walk;
    const key = { src: addressWords(walk.src), dst: addressWords(walk.dst), protocol, sport, dport };
    walk.work.mapLookups += index.lookups;
    frame.rule = index.next(frame.rule, key);
    walk.steps?.push({
      kind: "lookup",
      table: `${frame.chain.table.name} ${frame.chain.name}`,
      key: `${formatEndpoint(walk.dst, dport)} ${protocolName(protocol)}`,
      found: frame.rule < frame.chain.rules.length ? `rule ${frame.rule + 1}` : undefined,
    });
  };
}

/** The service map at work. */
class Lookup {
  /** Packets of the last batch that are not new connections to a known destination: `left[0 .. leftOver - 1]`. */
  left = new Int32Array(0);
  leftOver = 0;
  private readonly testValue: Int32Array;
  private readonly testMask: Int32Array;
  private readonly testNegate: Uint8Array;

  constructor(
    private readonly plan: Plan,
    private readonly replay: boolean,
  ) {
    const { sourceTests } = plan.tables;
    this.testValue = Int32Array.from(sourceTests, (test) => test.value);
    this.testMask = Int32Array.from(sourceTests, (test) => test.mask);
    this.testNegate = Uint8Array.from(sourceTests, (test) => Number(test.negate));
  }

  /** The row of the packet's service, -1 where it must walk. */
  find(packet: Packet, context: Context): number {
    const { plan } = this;
    const { connection } = context;
    if (packet.family !== "ip" || packet.entrance !== "prerouting" || packet.mark !== 0 || connection.state !== "new")
      return -1;
    if (context.node !== plan.node || connection.original !== undefined || connection.status !== 0) return -1;
    if (packet.fragment === true || packet.physIn !== undefined || packet.physOut !== undefined) return -1;
    const { map, slotMask } = plan.tables;
    const row = findService(map, slotMask, (packet.dst as number) | 0, (packet.protocol << 16) | packet.dport);
    return map[row + 1] === 0 ? -1 : row;
  }

  /** Every packet of an IPv4 batch that the service map settles; the rest is left in `left`. */
  batch(batch: PacketBatch, context: Context, out: OutcomeBatch): void {
    const { map, slotMask, backends, bounds, markUnmarked, markMarked } = this.plan.tables;
    const { testValue, testMask, testNegate } = this;
    const { src, dst, protocol, dport, mark, state, status, entrance, id, count } = batch;
    if (this.left.length < count) this.left = new Int32Array(batch.capacity);
    const { left } = this;
    const { draw } = context;
    const seeded = !this.replay && draw.seed !== undefined;
    const key = seeded ? drawKey(draw.seed!, PICK_DRAW, 0) | 0 : 0;
    let leftOver = 0;
    let draws = 0;
    let picked = 0;
    for (let i = 0; i < count; i++) {
      const port = dport[i]!;
      const row = findService(map, slotMask, dst[i]! | 0, (protocol[i]! << 16) | port);
      if (
        map[row + 1] === 0 ||
        state[i] !== CtState.new ||
        status[i] !== 0 ||
        entrance[i] !== ENTRANCE_PREROUTING ||
        mark[i] !== 0
      ) {
        left[leftOver++] = i;
        continue;
      }
      const choices = map[row + 3]!;
      if (choices === 0) {
        const { verdict, routed } = this.plan.tables.cold[map[row + 7]!]!;
        out.verdict[i] = verdictNames.indexOf(verdict);
        out.flags[i] = routed && this.isLocal(dst[i]!) ? OutcomeFlag.local : 0;
        out.dst[i] = dst[i]!;
        out.dport[i] = port;
        out.mark[i] = markUnmarked;
        continue;
      }
      let backend = map[row + 2]!;
      if (choices > 1) {
        draws++;
        if (seeded) backend += pickBackend(bounds, map[row + 4]!, choices, drawBits(key, id[i]! | 0));
        else if (!this.replay) backend += pickBackend(bounds, map[row + 4]!, choices, draw(id[i]!, PICK_DRAW, 0) | 0);
        else {
          const k = this.drawInTurn(row, draw, id[i]!);
          draws += Math.min(k, choices - 2);
          backend += k;
        }
      }
      const source = src[i]! | 0;
      const test = map[row + 5]!;
      const address = backends[2 * backend]!;
      const rest = backends[2 * backend + 1]!;
      const flags = rest >>> 16;
      const marked =
        ((source & testMask[test]!) === testValue[test]) !== (testNegate[test] === 1) ||
        (source === address && (flags & BackendFlag.hairpin) !== 0);
      picked++;
      out.verdict[i] = VERDICT_ACCEPT;
      out.flags[i] = outcomeFlags(flags, marked);
      out.dst[i] = address;
      out.dport[i] = rest & 0xffff;
      out.mark[i] = marked ? markMarked : markUnmarked;
    }
    this.leftOver = leftOver;
    out.work.mapLookups += count + picked;
    out.work.draws += draws;
  }

  outcome(row: number, packet: Packet, context: Context): Outcome {
    return this.decide(row, packet, this.choose(row, context));
  }

  trace(row: number, packet: Packet, context: Context): Trace {
    const { map, cold } = this.plan.tables;
    const record = cold[map[row + 7]!]!;
    const k = this.choose(row, context);
    const outcome = this.decide(row, packet, k);
    const destination = formatEndpoint(packet.dst, packet.dport);
    const found = map[row + 6] === ServiceKind.pick ? (record.chain ?? "one backend") : record.verdict;
    const steps: Step[] = [
      { kind: "lookup", table: "services", key: `${destination} ${protocolName(packet.protocol)}`, found },
    ];
    if (outcome.destination !== undefined) {
      const to = formatEndpoint(outcome.destination.address, outcome.destination.port);
      steps.push({ kind: "pick", service: found, index: k, of: map[row + 3]!, endpoint: to });
      steps.push({ kind: "translate", what: "destination", from: destination, to });
    } else if (record.by !== undefined) steps.push({ kind: "rule", rule: record.by });
    if (outcome.way !== undefined) {
      steps.push({ kind: "route", destination: outcome.tuple.dst, local: outcome.way === "local", oif: outcome.oif! });
    }
    if (outcome.source !== undefined) {
      const from = formatAddress(packet.src);
      steps.push({ kind: "translate", what: "source", from, to: "the address of the outgoing interface" });
    }
    return { steps, outcome, given: [] };
  }

  outcomes(row: number, packet: Packet): Distribution {
    const { map, thresholds } = this.plan.tables;
    const count = Math.max(1, map[row + 3]!);
    const outcomes: WeightedOutcome[] = [];
    let left: Fraction = ONE;
    for (let k = 0; k < count; k++) {
      const threshold = BigInt(map[row + 3] === 0 ? 2 ** 31 : thresholds[map[row + 4]! + k]!);
      const probability = multiply(left, dyadic(threshold, 31));
      left = multiply(left, dyadic(2n ** 31n - threshold, 31));
      outcomes.push({ outcome: this.decide(row, packet, k), probability });
    }
    return { outcomes, given: ["connection new"] };
  }

  /** Which backend of the row is taken. */
  private choose(row: number, context: Context): number {
    const { map, bounds } = this.plan.tables;
    const count = map[row + 3]!;
    if (count < 2) return 0;
    const packet = context.packet ?? 0;
    if (this.replay) return this.drawInTurn(row, context.draw, packet);
    return pickBackend(bounds, map[row + 4]!, count, context.draw(packet, PICK_DRAW, 0) | 0);
  }

  /** The draws of the picking rules one after the other, each by its name. */
  private drawInTurn(row: number, draw: Context["draw"], packet: number): number {
    const { map, thresholds, cold } = this.plan.tables;
    const { picks } = cold[map[row + 7]!]!;
    for (let k = 0; k < picks.length; k++) {
      if ((draw(packet, picks[k]!.id, 0) & 0x7fffffff) < thresholds[map[row + 4]! + k]!) return k;
    }
    return picks.length;
  }

  /** The outcome of a packet sent to backend k of a service. */
  private decide(row: number, packet: Packet, k: number): Outcome {
    const { map, backends, cold, markUnmarked, markMarked } = this.plan.tables;
    const { node } = this.plan;
    const record: ServiceRecord = cold[map[row + 7]!]!;
    const draws = map[row + 3]! < 2 ? 0 : this.replay ? Math.min(k + 1, record.picks.length) : 1;
    const work = { rulesVisited: 0, chainsEntered: 0, draws, mapLookups: map[row + 3] === 0 ? 1 : 2 };
    const common = { notrack: false, changes: [], work };
    if (map[row + 6] === ServiceKind.fixed) {
      const { verdict, rejectWith, by, routed } = record;
      const route = routed ? node.route(packet.dst) : undefined;
      return {
        ...common,
        verdict,
        ...(rejectWith === undefined ? {} : { rejectWith }),
        ...(by === undefined ? {} : { by }),
        tuple: tupleOf(packet),
        mark: markUnmarked,
        way: route && (route.local ? "local" : "forward"),
        oif: route && (route.local ? "" : route.oif),
      };
    }
    const backend = 2 * (map[row + 2]! + k);
    const address = backends[backend]! >>> 0;
    const port = backends[backend + 1]! & 0xffff;
    const flags = backends[backend + 1]! >>> 16;
    const test = map[row + 5]!;
    const source = (packet.src as number) | 0;
    const marked =
      ((source & this.testMask[test]!) === this.testValue[test]) !== (this.testNegate[test] === 1) ||
      (source === backends[backend] && (flags & BackendFlag.hairpin) !== 0);
    const route = node.route(address);
    const masquerade = (flags & (marked ? BackendFlag.masqueradeMarked : BackendFlag.masqueradeUnmarked)) !== 0;
    const to = {
      ...((flags & BackendFlag.fullyRandom) === 0 ? {} : { fullyRandom: true }),
      ...(route.source === undefined ? {} : { addresses: [route.source, route.source] as const }),
    };
    return {
      ...common,
      verdict: "accept",
      destination: { address, port },
      ...(masquerade ? { source: { kind: "masquerade", to, hook: "postrouting" } as const } : {}),
      tuple: { ...tupleOf(packet), dst: address, dport: port },
      mark: marked ? markMarked : markUnmarked,
      way: route.local ? "local" : "forward",
      oif: route.local ? "" : route.oif,
    };
  }

  private isLocal(address: number): boolean {
    return this.plan.node.isLocal(address);
  }
}

function outcomeFlags(flags: number, marked: boolean): number {
  const masquerade = (flags & (marked ? BackendFlag.masqueradeMarked : BackendFlag.masqueradeUnmarked)) !== 0;
  return (
    OutcomeFlag.dnat |
    ((flags & BackendFlag.local) === 0 ? 0 : OutcomeFlag.local) |
    (masquerade ? OutcomeFlag.masquerade : 0) |
    (masquerade && (flags & BackendFlag.fullyRandom) !== 0 ? OutcomeFlag.fullyRandom : 0)
  );
}
