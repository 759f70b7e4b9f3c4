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
import { BackendFlag, findService, pickBackend, readServiceRow } from "./compile/services.js";
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

/** Packets a batch is worked on at a time: the scratch of a block stays in the first-level cache. */
const BLOCK = 1024;

/** The service map at work. */
class Lookup {
  /** Packets of the last batch that are not new connections to a known destination: `left[0 .. leftOver - 1]`. */
  left = new Int32Array(0);
  leftOver = 0;
  private readonly testValue: Int32Array;
  private readonly testMask: Int32Array;
  private readonly testNegate: Int32Array;
  /** Of each packet of a block: the row of its service, -1 where no backend is to be picked; then its backend. */
  private readonly rows = new Int32Array(BLOCK);
  private readonly chosen = new Int32Array(BLOCK);
  /** Of each packet of a block: the u32 drawn for it. */
  private readonly numbers = new Int32Array(BLOCK);

  constructor(
    private readonly plan: Plan,
    private readonly replay: boolean,
  ) {
    const { sourceTests } = plan.tables;
    this.testValue = Int32Array.from(sourceTests, (test) => test.value);
    this.testMask = Int32Array.from(sourceTests, (test) => test.mask);
    this.testNegate = Int32Array.from(sourceTests, (test) => Number(test.negate));
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

  /**
   * Every packet of an IPv4 batch that the service map settles; the rest is left in `left`. Block by block in three passes, not
   * one: short loops over few arrays keep their values in registers, and the lookups of many packets wait for memory together.
   */
  batch(batch: PacketBatch, context: Context, out: OutcomeBatch): void {
    if (this.left.length < batch.count) this.left = new Int32Array(batch.capacity);
    this.leftOver = 0;
    const { work } = out;
    work.mapLookups += batch.count;
    for (let from = 0; from < batch.count; from += BLOCK) {
      const to = Math.min(from + BLOCK, batch.count);
      work.mapLookups += this.lookUp(batch, from, to);
      work.draws += this.replay
        ? this.chooseInTurn(batch, context, from, to)
        : this.chooseByWeight(batch, context, from, to);
      this.write(batch, from, to, out);
    }
    this.settleFixed(batch, out);
  }

  // No loop of the passes calls out: after a call the engine must load every array anew.

  /** Pass one: the service of each packet. Gives for how many a backend is to be picked; the others are left over. */
  private lookUp(batch: PacketBatch, from: number, to: number): number {
    const { map, slotMask } = this.plan.tables;
    const { dst, protocol, dport, mark, state, entrance } = batch;
    const { left, rows } = this;
    let { leftOver } = this;
    for (let i = from; i < to; i++) {
      const row = findService(map, slotMask, dst[i]! | 0, (protocol[i]! << 16) | dport[i]!);
      const special = (state[i]! ^ NEW) | (entrance[i]! ^ ENTRANCE_PREROUTING) | mark[i]!;
      if ((map[row + 3]! & 0xffff) === 0 || special !== 0) {
        left[leftOver++] = i;
        rows[i - from] = -1;
      } else rows[i - from] = row;
    }
    const found = to - from - (leftOver - this.leftOver);
    this.leftOver = leftOver;
    return found;
  }

  /** Pass two: the backend of each packet, by one draw against the weights. Gives how many were drawn for. */
  private chooseByWeight(batch: PacketBatch, { draw }: Context, from: number, to: number): number {
    const { rows, chosen, numbers } = this;
    const { map, bounds } = this.plan.tables;
    const { id } = batch;
    if (draw.seed === undefined) {
      for (let i = from; i < to; i++) if (rows[i - from]! >= 0) numbers[i - from] = draw(id[i]!, PICK_DRAW, 0);
    } else {
      const key = drawKey(draw.seed, PICK_DRAW, 0) | 0;
      for (let i = from; i < to; i++) numbers[i - from] = drawBits(key, id[i]! | 0);
    }
    let draws = 0;
    for (let n = 0; n < to - from; n++) {
      const row = rows[n]!;
      if (row < 0) continue;
      const choices = map[row + 3]! & 0xffff;
      let backend = map[row + 2]!;
      if (choices > 1) {
        backend += pickBackend(bounds, map[row + 3]! >>> 16, choices, numbers[n]!);
        draws++;
      }
      chosen[n] = backend;
    }
    return draws;
  }

  /** Pass two in replay: the draws of the picking rules one after the other. */
  private chooseInTurn(batch: PacketBatch, context: Context, from: number, to: number): number {
    const { map } = this.plan.tables;
    let draws = 0;
    for (let i = from; i < to; i++) {
      const row = this.rows[i - from]!;
      if (row < 0) continue;
      const count = map[row + 3]! & 0xffff;
      const k = count > 1 ? this.drawInTurn(row, context.draw, batch.id[i]!) : 0;
      draws += Math.min(k + 1, count - 1);
      this.chosen[i - from] = map[row + 2]! + k;
    }
    return draws;
  }

  /** Pass three: the outcome of each packet picked for. */
  private write(batch: PacketBatch, from: number, to: number, out: OutcomeBatch): void {
    const { map, backends, markUnmarked, markMarked } = this.plan.tables;
    const { testValue, testMask, testNegate, rows, chosen } = this;
    const { src } = batch;
    const { verdict, flags: outFlags, dst, dport, mark } = out;
    const marks = markUnmarked ^ markMarked;
    for (let i = from; i < to; i++) {
      const row = rows[i - from]!;
      if (row < 0) continue;
      const backend = 2 * chosen[i - from]!;
      const test = map[row + 1]! >>> 24;
      const address = backends[backend]!;
      const rest = backends[backend + 1]!;
      const flags = rest >>> 16;
      const source = src[i]! | 0;
      const marked =
        (isZero((source & testMask[test]!) ^ testValue[test]!) ^ testNegate[test]!) |
        (isZero(source ^ address) & (flags >>> HAIRPIN_BIT));
      // The masquerade flags of an unmarked and of a marked packet are neighbours.
      const masquerade = (flags >>> marked) & 1;
      verdict[i] = VERDICT_ACCEPT;
      outFlags[i] =
        DNAT |
        (flags & BACKEND_LOCAL ? LOCAL : 0) |
        (masquerade * MASQUERADE) |
        (flags & BACKEND_FULLY_RANDOM ? masquerade * FULLY_RANDOM : 0);
      dst[i] = address;
      dport[i] = rest;
      mark[i] = markUnmarked ^ (marks & -marked);
    }
  }

  /** Of the packets left over, those whose service has one fixed outcome. */
  private settleFixed(batch: PacketBatch, out: OutcomeBatch): void {
    const { map, slotMask, markUnmarked } = this.plan.tables;
    const { left } = this;
    const { leftOver } = this;
    this.leftOver = 0;
    for (let n = 0; n < leftOver; n++) {
      const i = left[n]!;
      const row = findService(map, slotMask, batch.dst[i]! | 0, (batch.protocol[i]! << 16) | batch.dport[i]!);
      const plain = batch.state[i] === CtState.new && batch.entrance[i] === ENTRANCE_PREROUTING && batch.mark[i] === 0;
      if (map[row + 1] === 0 || !plain) {
        left[this.leftOver++] = i;
        continue;
      }
      const { verdict, routed } = readServiceRow(this.plan.tables, row)!.record;
      out.verdict[i] = verdictNames.indexOf(verdict);
      out.flags[i] = routed && this.plan.node.isLocal(batch.dst[i]!) ? OutcomeFlag.local : 0;
      out.dst[i] = batch.dst[i]!;
      out.dport[i] = batch.dport[i]!;
      out.mark[i] = markUnmarked;
    }
  }

  outcome(row: number, packet: Packet, context: Context): Outcome {
    return this.decide(row, packet, this.choose(row, context));
  }

  trace(row: number, packet: Packet, context: Context): Trace {
    const { record, count } = readServiceRow(this.plan.tables, row)!;
    const k = this.choose(row, context);
    const outcome = this.decide(row, packet, k);
    const destination = formatEndpoint(packet.dst, packet.dport);
    const found = count > 0 ? (record.chain ?? "one backend") : record.verdict;
    const steps: Step[] = [
      { kind: "lookup", table: "services", key: `${destination} ${protocolName(packet.protocol)}`, found },
    ];
    if (outcome.destination !== undefined) {
      const to = formatEndpoint(outcome.destination.address, outcome.destination.port);
      steps.push({ kind: "pick", service: found, index: k, of: count, endpoint: to });
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
    const { thresholds } = this.plan.tables;
    const { count, pick } = readServiceRow(this.plan.tables, row)!;
    const outcomes: WeightedOutcome[] = [];
    let left: Fraction = ONE;
    for (let k = 0; k < Math.max(1, count); k++) {
      const threshold = BigInt(count === 0 ? 2 ** 31 : thresholds[pick + k]!);
      const probability = multiply(left, dyadic(threshold, 31));
      left = multiply(left, dyadic(2n ** 31n - threshold, 31));
      outcomes.push({ outcome: this.decide(row, packet, k), probability });
    }
    return { outcomes, given: ["connection new"] };
  }

  /** Which backend of the row is taken. */
  private choose(row: number, context: Context): number {
    const { count, pick } = readServiceRow(this.plan.tables, row)!;
    if (count < 2) return 0;
    const packet = context.packet ?? 0;
    if (this.replay) return this.drawInTurn(row, context.draw, packet);
    return pickBackend(this.plan.tables.bounds, pick, count, context.draw(packet, PICK_DRAW, 0) | 0);
  }

  /** The draws of the picking rules one after the other, each by its name. */
  private drawInTurn(row: number, draw: Context["draw"], packet: number): number {
    const { thresholds } = this.plan.tables;
    const { pick, record } = readServiceRow(this.plan.tables, row)!;
    const { picks } = record;
    for (let k = 0; k < picks.length; k++) {
      if ((draw(packet, picks[k]!.id, 0) & 0x7fffffff) < thresholds[pick + k]!) return k;
    }
    return picks.length;
  }

  /** The outcome of a packet sent to backend k of a service. */
  private decide(row: number, packet: Packet, k: number): Outcome {
    const { backends, markUnmarked, markMarked } = this.plan.tables;
    const { node } = this.plan;
    const { first, count, test, record } = readServiceRow(this.plan.tables, row)!;
    const draws = count < 2 ? 0 : this.replay ? Math.min(k + 1, record.picks.length) : 1;
    const work = { rulesVisited: 0, chainsEntered: 0, draws, mapLookups: count === 0 ? 1 : 2 };
    const common = { notrack: false, changes: [], work };
    if (count === 0) {
      const { verdict, rejectWith, by, routed, unseen } = record;
      const route = routed ? node.route(packet.dst) : undefined;
      return {
        ...common,
        verdict,
        ...(rejectWith === undefined ? {} : { rejectWith }),
        ...(by === undefined ? {} : { by }),
        ...(unseen === undefined ? {} : { unseen }),
        tuple: tupleOf(packet),
        mark: markUnmarked,
        way: route && (route.local ? "local" : "forward"),
        oif: route && (route.local ? "" : route.oif),
      };
    }
    const backend = 2 * (first + k);
    const address = backends[backend]! >>> 0;
    const port = backends[backend + 1]! & 0xffff;
    const flags = backends[backend + 1]! >>> 16;
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
}

/** 1 for zero, 0 for any other int32, without a branch: sources inside and outside of a prefix come mixed. */
function isZero(x: number): number {
  return ((x | -x) >>> 31) ^ 1;
}

const HAIRPIN_BIT = 31 - Math.clz32(BackendFlag.hairpin);
// Numbers by themselves: a field of an object would be read again for every packet.
const NEW = CtState.new;
const { dnat: DNAT, masquerade: MASQUERADE, fullyRandom: FULLY_RANDOM, local: LOCAL } = OutcomeFlag;
const { local: BACKEND_LOCAL, fullyRandom: BACKEND_FULLY_RANDOM } = BackendFlag;
