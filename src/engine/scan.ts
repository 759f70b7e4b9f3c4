/**
 * The walk over columns: what machine.ts does, on typed arrays, without allocation, for IPv4 batches. Row by row it is the
 * column-scanned linear walk that benches compare with; with chain indexes it probes instead of scanning. A packet that
 * reaches something only the readable walk can do is left over: `walk` says so and has written nothing.
 *
 * Addresses and marks are int32 here: V8 keeps those unboxed in fields.
 */
import { ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState, CtStatus } from "../packet/connection.js";
import type { Node } from "../packet/node.js";
import { reciprocalScale } from "../packet/jhash.js";
import { hasPorts, isIcmp } from "../packet/protocol.js";
import { UNKNOWN } from "./value.js";
import type { ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Columns } from "./compile/columns.js";
import { Source } from "./compile/key-table.js";
import { Op } from "./compile/operations.js";
import type { ChainIndex } from "./compile/partition.js";
import { OutcomeFlag, type OutcomeBatch, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_REJECT } from "./outcome-batch.js";
import { interfaceHolds } from "./evaluate.js";
import { drawBits, drawVisit, ruleKey, seedKey } from "./draw.js";
import { type Schedule, schedule, type Stage, type Station, type Way, ways } from "./path.js";
import type { Context } from "./types.js";

/** How a chain ended: one of the three verdicts of OutcomeBatch, or one of these. */
const TRANSLATED = 3;
const GENERAL = 4;

/** What a lookup may say besides a value or NOT_FOUND. */
const NO_KEY = -2;
const NOT_MODELLED = -3;

const SOURCE_CHANGED = OutcomeFlag.masquerade | OutcomeFlag.snat;
const ENTRY_STATES = CtState.new | CtState.established | CtState.related;

/** A station by numbers. */
interface StationRow {
  readonly kind: number;
  /** Ids of its chains. */
  readonly chains: Int32Array;
}

const CONNTRACK = 0;
const CHAIN = 1;
const NAT_DESTINATION = 2;
const NAT_SOURCE = 3;

/** A stage of the way with its stations. All rows are of one shape, so that the loops over them stay fast. */
interface StageRow {
  readonly isRoute: boolean;
  readonly loopback: boolean;
  /** No outgoing interface is known here. */
  readonly inward: boolean;
  readonly stations: readonly StationRow[];
}

function stageRow(stage: Stage, schedule: Schedule): StageRow {
  if (stage.kind === "route") return { isRoute: true, loopback: false, inward: false, stations: [] };
  const inward = stage.hook === "prerouting" || stage.hook === "input";
  return { isRoute: false, loopback: stage.loopback === true, inward, stations: schedule[stage.hook].map(stationRow) };
}

function stationRow(station: Station): StationRow {
  switch (station.kind) {
    case "conntrack":
      return { kind: CONNTRACK, chains: new Int32Array(0) };
    case "chain":
      return { kind: CHAIN, chains: Int32Array.of(station.chain.id) };
    case "nat": {
      const kind = station.manip === "destination" ? NAT_DESTINATION : NAT_SOURCE;
      return { kind, chains: Int32Array.from(station.chains, (chain) => chain.id) };
    }
  }
}

export class Scan {
  // The packet as it stands.
  private src = 0;
  private dst = 0;
  private protocol = 0;
  private sport = 0;
  private dport = 0;
  private mark = 0;
  private tcpFlags = 0;
  private iif = 0;
  private oif = 0;
  private way: 0 | 1 | 2 = 0; // not routed yet, local, forward
  private state = 0;
  private status = 0;
  private tracked = false;
  private flags = 0;
  private settledDestination = false;
  private settledSource = false;
  private id = 0;
  /** Random numbers that the current row has drawn. */
  private drawn = 0;

  // Work since `begin`.
  private visited = 0;
  private entered = 0;
  private draws = 0;
  private lookups = 0;

  private dstColumn: Int32Array;
  private srcColumn: Int32Array;
  /** Row to go on with and chain, for each chain left by a jump. No loops, so no more than there are chains. */
  private stack: Int32Array;
  /** How often each chain was entered, by the packet that `entryEpoch` numbers. */
  private entryCount: Int32Array;
  private entryEpoch: Int32Array;
  private epoch = 0;
  private readonly policies: Uint8Array;
  private readonly ways: readonly { readonly [K in keyof Way]: readonly StageRow[] }[];
  private readonly indexes: readonly (ChainIndex | undefined)[];
  /** What the seed of the batch's draws decides; -1 where they are no named draws. */
  private seeded = -1;

  /** Interfaces by number; 0 is none, 1 is lo. */
  private readonly interfaces: string[] = ["", "lo"];
  /** For each interface, by number: the answer of every interface test. */
  private readonly interfaceAnswers: Uint8Array[] = [];
  private iifNumbers: readonly number[] = [];
  private readonly local: Int32Array;
  private readonly routes: readonly { readonly value: number; readonly mask: number; readonly oif: number }[];
  private readonly otherwise: number;

  constructor(
    resolved: ResolvedRuleSet,
    private readonly columns: Columns,
    readonly node: Node,
    indexes?: readonly (ChainIndex | undefined)[],
  ) {
    this.indexes = indexes ?? [];
    this.dstColumn = new Int32Array(columns.dst.buffer);
    this.srcColumn = new Int32Array(columns.src.buffer);
    const chains = columns.chainStart.length;
    this.stack = new Int32Array((chains + 1) * 2);
    this.entryCount = new Int32Array(chains);
    this.entryEpoch = new Int32Array(chains).fill(-1);
    this.policies = new Uint8Array(chains).fill(VERDICT_ACCEPT);
    for (const { id, base } of resolved.chains) if (base?.policy === "drop") this.policies[id] = VERDICT_DROP;
    const stations = schedule(resolved, "ip");
    const rows = (stages: readonly Stage[]): StageRow[] => stages.map((stage) => stageRow(stage, stations));
    this.ways = [ways.prerouting, ways.output].map((way) => ({
      first: rows(way.first),
      local: rows(way.local),
      forward: rows(way.forward),
    }));
    this.local = Int32Array.from(node.addresses.filter((address) => typeof address === "number"));
    this.routes = node.routes
      .filter(({ value }) => typeof value === "number")
      .map(({ value, mask, oif }) => ({
        value: Number(value) | 0,
        mask: Number(mask) | 0,
        oif: this.interfaceNumber(oif),
      }));
    this.otherwise = this.interfaceNumber(node.defaultInterface);
    this.interfaceNumber("lo");
  }

  /** After rows of the columns have changed in place. */
  refresh(): void {
    const { columns } = this;
    this.dstColumn = new Int32Array(columns.dst.buffer);
    this.srcColumn = new Int32Array(columns.src.buffer);
    const chains = columns.chainStart.length;
    if (chains > this.entryCount.length) {
      this.stack = new Int32Array((chains + 1) * 2);
      this.entryCount = new Int32Array(chains);
      this.entryEpoch = new Int32Array(chains).fill(-1);
    }
    this.answerInterfaceTests();
  }

  /** Before the packets of a batch: its interface names become numbers, and the work counters zero. */
  begin(batch: PacketBatch, { draw }: Context): void {
    this.seeded = draw.seed === undefined ? -1 : seedKey(draw.seed);
    this.iifNumbers = batch.interfaces.map((name) => this.interfaceNumber(name));
    this.visited = this.entered = this.draws = this.lookups = 0;
  }

  /** After the packets of a batch: adds the work done to the batch's sums. */
  finish(out: OutcomeBatch): void {
    out.work.rulesVisited += this.visited;
    out.work.chainsEntered += this.entered;
    out.work.draws += this.draws;
    out.work.mapLookups += this.lookups;
  }

  /** Walks packet i and writes its outcome; false where the readable engine must walk it, from its start. */
  walk(batch: PacketBatch, i: number, context: Context, out: OutcomeBatch): boolean {
    const { visited, entered, draws, lookups } = this;
    this.take(batch, i);
    const verdict = this.passAll(batch, i, context);
    if (verdict === GENERAL) {
      this.visited = visited;
      this.entered = entered;
      this.draws = draws;
      this.lookups = lookups;
      return false;
    }
    let flags = this.flags;
    if (this.way === 1) flags |= OutcomeFlag.local;
    // A packet that was stopped goes nowhere, so its source is not translated.
    if (verdict !== VERDICT_ACCEPT) flags &= ~(OutcomeFlag.masquerade | OutcomeFlag.fullyRandom);
    out.verdict[i] = verdict;
    out.flags[i] = flags;
    out.dst[i] = this.dst;
    out.dport[i] = this.dport;
    out.mark[i] = this.mark;
    return true;
  }

  private take(batch: PacketBatch, i: number): void {
    this.src = batch.src[i]! | 0;
    this.dst = batch.dst[i]! | 0;
    this.protocol = batch.protocol[i]!;
    this.sport = batch.sport[i]!;
    this.dport = batch.dport[i]!;
    this.mark = batch.mark[i]! | 0;
    this.tcpFlags = batch.tcpFlags[i]!;
    this.iif = this.iifNumbers[batch.iif[i]!]!;
    this.oif = 0;
    this.way = 0;
    this.state = batch.state[i]!;
    this.status = batch.status[i]!;
    this.tracked = false;
    this.flags = 0;
    this.settledDestination = this.settledSource = false;
    this.id = batch.id[i]!;
    this.epoch = (this.epoch + 1) | 0;
  }

  private passAll(batch: PacketBatch, i: number, context: Context): number {
    const way = this.ways[batch.entrance[i] === ENTRANCE_PREROUTING ? 0 : 1]!;
    const verdict = this.passStages(way.first, batch, i, context);
    if (verdict !== VERDICT_ACCEPT) return verdict;
    return this.passStages(this.way === 1 ? way.local : way.forward, batch, i, context);
  }

  private passStages(stages: readonly StageRow[], batch: PacketBatch, i: number, context: Context): number {
    for (let s = 0; s < stages.length; s++) {
      const stage = stages[s]!;
      if (stage.isRoute) {
        this.route();
        continue;
      }
      if (stage.loopback) {
        if ((this.flags & SOURCE_CHANGED) !== 0) return GENERAL;
        this.iif = 1;
        if ((this.state & ENTRY_STATES) !== 0) this.status |= CtStatus.confirmed;
      }
      if (stage.inward) this.oif = 0;
      const { stations } = stage;
      for (let t = 0; t < stations.length; t++) {
        const { kind, chains } = stations[t]!;
        let verdict: number = VERDICT_ACCEPT;
        if (kind === CHAIN) verdict = this.runChain(chains[0]!, context);
        else if (kind === CONNTRACK) this.tracked = true;
        else verdict = this.translate(kind, chains, batch, i, context);
        // Chains behind NAT see the translated source, which only the readable walk picks.
        if (kind === NAT_SOURCE && t + 1 < stations.length && (this.flags & SOURCE_CHANGED) !== 0) return GENERAL;
        if (verdict !== VERDICT_ACCEPT) return stage.loopback ? GENERAL : verdict;
      }
    }
    return VERDICT_ACCEPT;
  }

  private translate(kind: number, chains: Int32Array, batch: PacketBatch, i: number, context: Context): number {
    if ((this.state & ENTRY_STATES) === 0) return VERDICT_ACCEPT;
    if (kind === NAT_DESTINATION ? this.settledDestination : this.settledSource) return VERDICT_ACCEPT;
    if (kind === NAT_DESTINATION) this.settledDestination = true;
    else this.settledSource = true;
    if (this.state !== CtState.new || (this.status & CtStatus.confirmed) !== 0) {
      if (isIcmp(this.protocol)) return GENERAL; // an error about the connection is translated in another way
      if (kind === NAT_DESTINATION) {
        this.dst = batch.toDst[i]! | 0;
        this.dport = batch.toDport[i]!;
      } else {
        this.src = batch.toSrc[i]! | 0;
        this.sport = batch.toSport[i]!;
      }
      return VERDICT_ACCEPT;
    }
    for (let c = 0; c < chains.length; c++) {
      const verdict = this.runChain(chains[c]!, context);
      if (verdict === TRANSLATED) break;
      if (verdict !== VERDICT_ACCEPT) return verdict;
    }
    return VERDICT_ACCEPT;
  }

  private route(): void {
    if (this.isLocal(this.dst)) {
      this.way = 1;
      this.oif = 1;
      return;
    }
    this.way = 2;
    this.oif = this.otherwise;
    for (let r = 0; r < this.routes.length; r++) {
      const { value, mask, oif } = this.routes[r]!;
      if ((this.dst & mask) === value) {
        this.oif = oif;
        return;
      }
    }
  }

  private isLocal(address: number): boolean {
    if (address >> 24 === 127) return true;
    const { local } = this;
    for (let a = 0; a < local.length; a++) if (local[a] === address) return true;
    return false;
  }

  /** The number of an interface; its answers to all interface tests are worked out once. */
  private interfaceNumber(name: string): number {
    let number = this.interfaces.indexOf(name);
    if (number < 0) number = this.interfaces.push(name) - 1;
    this.answerInterfaceTests();
    return number;
  }

  private answerInterfaceTests(): void {
    const tests = this.columns.tests.rows;
    for (let n = 0; n < this.interfaces.length; n++) {
      if (this.interfaceAnswers[n]?.length === tests.length) continue;
      const known = this.interfaces[n]!;
      this.interfaceAnswers[n] = Uint8Array.from(tests, (test) => Number(interfaceHolds(test, known)));
    }
  }

  private enter(chain: number): void {
    this.entered++;
    if (this.entryEpoch[chain] === this.epoch) this.entryCount[chain]!++;
    else {
      this.entryEpoch[chain] = this.epoch;
      this.entryCount[chain] = 0;
    }
  }

  /** The first row from `row` on whose head the packet passes, `end` where there is none. The hot loop of the linear walk. */
  private scan(row: number, end: number): number {
    const { dstColumn, srcColumn, src, dst, protocol, sport, dport } = this;
    const { more, protocol: protocols, sportFirst, sportLast, dportFirst, dportLast } = this.columns;
    for (; row < end; row++) {
      // Most rows fail by the destination: four at a time, a loop's own work is a quarter.
      for (; row + 4 < end; row += 4) {
        const at = 2 * row;
        if (((dst ^ dstColumn[at]!) & dstColumn[at + 1]!) === 0) break;
        if (((dst ^ dstColumn[at + 2]!) & dstColumn[at + 3]!) === 0) break;
        if (((dst ^ dstColumn[at + 4]!) & dstColumn[at + 5]!) === 0) break;
        if (((dst ^ dstColumn[at + 6]!) & dstColumn[at + 7]!) === 0) break;
      }
      if (((dst ^ dstColumn[2 * row]!) & dstColumn[2 * row + 1]!) !== 0) continue;
      if (more[row] === 0) return row;
      if (protocols[row] !== 0 && protocols[row] !== protocol) continue;
      if (dport < dportFirst[row]! || dport > dportLast[row]!) continue;
      if (sport < sportFirst[row]! || sport > sportLast[row]!) continue;
      if (((src ^ srcColumn[2 * row]!) & srcColumn[2 * row + 1]!) === 0) return row;
    }
    return end;
  }

  /** Runs a base chain and all that it jumps to: the loop of ipt_do_table. */
  private runChain(base: number, context: Context): number {
    const { chainStart, chainEnd, entry, code } = this.columns;
    const { destinations } = this.columns.tables;
    const { stack } = this;
    let depth = 0;
    let chain = base;
    this.enter(chain);
    let row = chainStart[chain]!;
    let end = chainEnd[chain]!;
    let index = this.indexes[chain];
    for (;;) {
      if (index === undefined) {
        const from = row;
        row = this.scan(row, end);
        this.visited += row - from;
      } else if (row < end) {
        const start = chainStart[chain]!;
        this.lookups += index.lookups;
        row = start + index.next4(row - start, this.src, this.dst, this.protocol, this.sport, this.dport);
        if (row < end && this.scan(row, row + 1) !== row) {
          this.visited++;
          row++;
          continue;
        }
      }
      if (row >= end) {
        if (depth === 0) return this.policies[base]!;
        depth--;
        row = stack[2 * depth]!;
        chain = stack[2 * depth + 1]!;
        end = chainEnd[chain]!;
        index = this.indexes[chain];
        continue;
      }
      this.visited++;
      this.drawn = 0;
      let pc = entry[row]!;
      let passed = true;
      let entering = -1;
      while (passed) {
        let op = code[pc]!;
        let a = code[pc + 1]!;
        if (op === Op.verdictMap) {
          const found = this.lookUp(a, row, chain, context);
          if (found === NOT_MODELLED) return GENERAL;
          if (found < 0) break;
          op = found & 0xff;
          a = found >>> 8;
        }
        switch (op) {
          case Op.end:
            passed = false;
            break;
          case Op.mark:
            passed = ((this.mark & code[pc + 2]!) === a) !== (code[pc + 3] === 1);
            break;
          case Op.state:
            passed = ((a & this.stateBits()) !== 0) !== (code[pc + 3] === 1);
            break;
          case Op.src:
            passed = ((this.src & code[pc + 2]!) === a) !== (code[pc + 3] === 1);
            break;
          case Op.dst:
            passed = ((this.dst & code[pc + 2]!) === a) !== (code[pc + 3] === 1);
            break;
          case Op.protocol:
            passed = (this.protocol === a) !== (code[pc + 3] === 1);
            break;
          case Op.iif:
            passed = this.interfaceAnswers[this.iif]![a] === 1;
            break;
          case Op.oif:
            passed = this.interfaceAnswers[this.oif]![a] === 1;
            break;
          case Op.srcLocal:
            passed = this.isLocal(this.src) !== (code[pc + 3] === 1);
            break;
          case Op.dstLocal:
            passed = this.isLocal(this.dst) !== (code[pc + 3] === 1);
            break;
          case Op.random:
            passed = (this.draw(row, chain, context) & 0x7fffffff) < a !== (code[pc + 3] === 1);
            break;
          case Op.flags:
            passed = ((this.tcpFlags & code[pc + 2]!) === a) !== (code[pc + 3] === 1);
            break;
          case Op.constant:
            passed = a === 1;
            break;
          case Op.status:
            if (!this.tracked || (this.state & ENTRY_STATES) === 0) passed = false;
            else passed = ((this.status & a) !== 0) !== (code[pc + 3] === 1);
            break;
          case Op.inTable: {
            const found = this.lookUp(a, row, chain, context);
            if (found === NOT_MODELLED) return GENERAL;
            passed = found !== NO_KEY && found >= 0 !== (code[pc + 3] === 1);
            break;
          }
          case Op.dnatMap: {
            const found = this.lookUp(a, row, chain, context);
            if (found === NOT_MODELLED) return GENERAL;
            passed = found >= 0;
            if (!passed) break;
            const port = destinations[2 * found + 1]! < 0 ? this.dport : destinations[2 * found + 1]!;
            if (destinations[2 * found] !== this.dst || port !== this.dport) this.status |= CtStatus.dnat;
            this.dst = destinations[2 * found]!;
            this.dport = port;
            this.flags |= OutcomeFlag.dnat;
            return TRANSLATED;
          }
          case Op.setMark:
            this.mark = (this.mark & ~a) ^ code[pc + 2]!;
            break;
          case Op.dnat: {
            const port = code[pc + 2]! < 0 ? this.dport : code[pc + 2]!;
            if (a !== this.dst || port !== this.dport) this.status |= CtStatus.dnat;
            this.dst = a;
            this.dport = port;
            this.flags |= OutcomeFlag.dnat;
            return TRANSLATED;
          }
          case Op.masquerade:
            this.flags |= a === 1 ? OutcomeFlag.masquerade | OutcomeFlag.fullyRandom : OutcomeFlag.masquerade;
            return TRANSLATED;
          case Op.accept:
            return VERDICT_ACCEPT;
          case Op.drop:
            return VERDICT_DROP;
          case Op.reject:
            return VERDICT_REJECT;
          case Op.return:
            row = end - 1;
            passed = false;
            break;
          case Op.jump:
            stack[2 * depth] = row + 1;
            stack[2 * depth + 1] = chain;
            depth++;
            entering = a;
            passed = false;
            break;
          case Op.goto:
            entering = a;
            passed = false;
            break;
          default:
            return GENERAL;
        }
        pc += 4;
      }
      if (entering < 0) {
        row++;
        continue;
      }
      chain = entering;
      this.enter(chain);
      row = chainStart[chain]!;
      end = chainEnd[chain]!;
      index = this.indexes[chain];
    }
  }

  private draw(row: number, chain: number, context: Context): number {
    this.draws++;
    const rule = this.columns.ids[row]!;
    const visit = drawVisit(this.entryCount[chain]!, this.drawn++);
    if (this.seeded < 0) return context.draw(this.id, rule, visit);
    return drawBits(ruleKey(this.seeded, rule, visit) | 0, this.id | 0);
  }

  /** The value a table holds for the packet, NOT_FOUND, NO_KEY where the packet lacks a field, NOT_MODELLED where only linear can say. */
  private lookUp(number: number, row: number, chain: number, context: Context): number {
    const table = this.columns.tables.rows[number]!;
    const { fields, key } = table;
    let unknown = false;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (field.protocol !== 0 && field.protocol !== this.protocol) return NO_KEY;
      let value = 0;
      switch (field.source) {
        case Source.src:
          value = this.src;
          break;
        case Source.dst:
          value = this.dst;
          break;
        case Source.protocol:
          value = this.protocol;
          break;
        case Source.sport:
          value = hasPorts(this.protocol) ? this.sport : isIcmp(this.protocol) ? this.dport : UNKNOWN;
          unknown ||= value === UNKNOWN;
          break;
        case Source.dport:
          value = hasPorts(this.protocol) ? this.dport : UNKNOWN;
          unknown ||= value === UNKNOWN;
          break;
        case Source.mark:
          value = this.mark;
          break;
        case Source.state:
          value = this.tracked ? this.state : CtState.invalid;
          break;
        case Source.numgen:
          value = reciprocalScale(this.draw(row, chain, context) >>> 0, field.mod) + field.offset;
          break;
        case Source.random:
          value = this.draw(row, chain, context) | 0;
          break;
      }
      key[i] = (value & field.mask) ^ field.xor;
    }
    if (table.counted) this.lookups++;
    if (unknown && (table.hasSpans || table.hasMasks)) return NOT_MODELLED;
    return table.find();
  }

  /** The bits of CtState a rule sees: before conntrack, and without an entry, invalid. */
  private stateBits(): number {
    if (!this.tracked) return CtState.invalid;
    if ((this.state & ENTRY_STATES) === 0) return this.state;
    const { status } = this;
    return this.state | (status & CtStatus.snat ? CtState.snat : 0) | (status & CtStatus.dnat ? CtState.dnat : 0);
  }
}
