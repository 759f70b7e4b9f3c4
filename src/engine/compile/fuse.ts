/**
 * Fuse: for every destination that rules name exactly, the whole walk of a new connection worked out ahead of time, as far as
 * it does not depend on the source: which backends are picked with which probability, which tests of the source mark the packet,
 * and what the filter and postrouting chains then do with each backend. What fits the service tables goes into them; any
 * destination that does not is left to the walk, so nothing here needs to be complete, only right.
 *
 * It follows the columns, not the rules: flat arrays are read many times faster than objects spread over the heap.
 */
import { CtState, CtStatus } from "../../packet/connection.js";
import type { Node } from "../../packet/node.js";
import type { ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import { interfaceHolds } from "../evaluate.js";
import { type Schedule, schedule, type Station, ways } from "../path.js";
import { type Columns, Op } from "./columns.js";
import { DestinationClasses } from "./destination-classes.js";
import type { ChainIndex } from "./partition.js";
import type { ServiceRecord, SourceTest } from "./services.js";

/** What happens to a packet for one destination, worked out. */
export interface Service {
  readonly record: ServiceRecord;
  /** Source tests each of which marks the packet, whatever backend is picked. */
  readonly tests: readonly SourceTest[];
  /** Empty where the destination stays. */
  readonly backends: readonly Backend[];
  /** 2^31 for the last backend. */
  readonly thresholds: readonly number[];
  readonly markUnmarked: number;
  readonly markMarked: number;
}

export interface Backend {
  readonly address: number;
  readonly port: number;
  /** A packet from the backend itself is marked. */
  readonly hairpin: boolean;
  readonly unmarked: Fate;
  readonly marked: Fate;
}

/** How an accepted packet leaves. */
export interface Fate {
  readonly masquerade: boolean;
  readonly fullyRandom: boolean;
  readonly local: boolean;
  /** uint32. */
  readonly mark: number;
}

/** What fusing starts from: the results of the passes before it. */
export interface FuseInput {
  readonly resolved: ResolvedRuleSet;
  readonly columns: Columns;
  readonly indexes: readonly (ChainIndex | undefined)[];
  readonly node: Node;
}

/** Thrown where the walk depends on what the tables cannot hold; the destination is then left to the walk. */
class LeaveToWalk extends Error {}
const leaving = new LeaveToWalk();

function leave(): never {
  throw leaving;
}

/** What is known of a packet on its way. Addresses and marks are int32, as in the columns. */
interface State {
  readonly protocol: number;
  dst: number;
  dport: number;
  /** The mark of a packet that no source test marked. */
  mark: number;
  /** What one of `tests` does to the mark: the row of the setMark operation in the code, -1: no test so far. */
  marking: number;
  tests: readonly SourceTest[];
  status: number;
  tracked: boolean;
  oif: string;
  masquerade: boolean;
  fullyRandom: boolean;
}

interface Branch {
  readonly threshold: number;
  /** The rule that draws; undefined for the last. */
  readonly pick: ResolvedRule | undefined;
  readonly state: State;
}

/** How a chain ends. */
type End =
  | { readonly kind: "through" | "accept" | "translated" }
  | { readonly kind: "stopped"; readonly verdict: "drop" | "reject"; readonly row: number }
  | { readonly kind: "picked"; readonly branches: readonly Branch[]; readonly chain: number };

const THROUGH: End = { kind: "through" };
const ACCEPT: End = { kind: "accept" };
const TRANSLATED: End = { kind: "translated" };
const CERTAIN = 2 ** 31;

/** What `ask` finds of the source: nothing, one test of its address, or more than a source test can say. */
type Open = SourceTest | "more" | undefined;

export class Fuser {
  private readonly schedule: Schedule;
  private readonly classes: DestinationClasses;
  /** Fates of destinations that no rule after NAT names, by all that can still tell them apart. */
  private readonly fates = new Map<string, Fate>();
  /** How often each chain was entered on the way to the current destination. */
  private readonly entered: Int32Array;
  private enteredChains: number[] = [];

  // What `ask` found besides its answer.
  private threshold = -1;
  private open: Open;

  constructor(private readonly input: FuseInput) {
    this.schedule = schedule(input.resolved, "ip");
    this.classes = new DestinationClasses(this.schedule);
    this.entered = new Int32Array(input.resolved.chains.length);
  }

  /** Works out every destination the rules name exactly. */
  all(): Service[] {
    const services: Service[] = [];
    for (const [address, ports] of destinations(this.input)) {
      for (const key of ports) {
        const service = this.one(address, key >>> 16, key & 0xffff);
        if (service !== undefined) services.push(service);
      }
    }
    return services;
  }

  /** Works out one destination; undefined where it is left to the walk. */
  one(address: number, protocol: number, port: number): Service | undefined {
    try {
      return this.follow(address, protocol, port);
    } catch (thrown) {
      if (thrown instanceof LeaveToWalk) return undefined;
      throw thrown;
    } finally {
      for (const chain of this.enteredChains) this.entered[chain] = 0;
      this.enteredChains = [];
    }
  }

  private follow(address: number, protocol: number, port: number): Service {
    const state: State = {
      protocol,
      dst: address | 0,
      dport: port,
      mark: 0,
      marking: -1,
      tests: [],
      status: 0,
      tracked: false,
      oif: "",
      masquerade: false,
      fullyRandom: false,
    };
    const end = this.passHook("prerouting", state);
    const record = { address, port, protocol, picks: [], verdict: "accept" as const, routed: true };
    if (end.kind === "picked") {
      const picks = end.branches.flatMap((branch) => branch.pick ?? []);
      return this.settle({ ...record, picks, chain: this.input.resolved.chains[end.chain]!.name }, end.branches);
    }
    if (end.kind === "translated") return this.settle(record, [{ threshold: CERTAIN, pick: undefined, state }]);
    if (state.tests.length > 0) leave();
    if (end.kind === "stopped") {
      return this.fixed({ ...record, routed: false, ...(state.tracked ? {} : { unseen: true }) }, end, state);
    }
    // The destination stays: only a verdict that holds for every source fits the tables.
    const stop = this.goOn(state);
    return stop.kind === "stopped" && state.tests.length === 0 ? this.fixed(record, stop, state) : leave();
  }

  /** Follows each backend to the end of its way, unmarked and marked. */
  private settle(record: ServiceRecord, branches: readonly Branch[]): Service {
    const backends: Backend[] = [];
    let common: readonly SourceTest[] | undefined;
    for (const { state } of branches) {
      const own = state.tests.filter((test) => test.mask === -1 && !test.negate && test.value === state.dst);
      const others = state.tests.filter((test) => !own.includes(test));
      common ??= others;
      if (others.length !== common.length || !others.every((test, i) => sameTest(test, common![i]!))) leave();
      const { mark, marking } = state;
      backends.push({
        address: state.dst,
        port: state.dport,
        hairpin: own.length > 0,
        unmarked: this.fate(state, mark),
        marked: this.fate(state, marking < 0 ? mark : this.changeMark(marking, mark)),
      });
    }
    const thresholds = branches.map((branch) => branch.threshold);
    const marks = { markUnmarked: backends[0]!.unmarked.mark, markMarked: backends[0]!.marked.mark };
    if (backends.some((b) => b.unmarked.mark !== marks.markUnmarked || b.marked.mark !== marks.markMarked)) leave();
    return { record, tests: common!, backends, thresholds, ...marks };
  }

  private fixed(record: ServiceRecord, end: Extract<End, { kind: "stopped" }>, state: State): Service {
    const by = this.input.resolved.rules[end.row];
    const last = by?.rule.statements.at(-1);
    const stop = {
      verdict: end.verdict,
      ...(by === undefined ? {} : { by }),
      ...(last?.kind === "reject" ? { rejectWith: last.with } : {}),
    };
    const marks = { markUnmarked: state.mark >>> 0, markMarked: state.mark >>> 0 };
    return { record: { ...record, ...stop }, tests: [], backends: [], thresholds: [], ...marks };
  }

  private fate(state: State, mark: number): Fate {
    const { node } = this.input;
    const address = state.dst >>> 0;
    if (this.classes.names(address, state.dport)) return this.findFate(state, mark);
    const key = `${node.route(address).oif} ${node.addressType(address)} ${state.protocol} ${state.status} ${mark}`;
    let fate = this.fates.get(key);
    if (fate === undefined) this.fates.set(key, (fate = this.findFate(state, mark)));
    return fate;
  }

  private findFate(state: State, mark: number): Fate {
    const onward: State = { ...state, mark, marking: -1, tests: [] };
    const end = this.goOn(onward);
    if (end.kind === "stopped" || onward.tests.length > 0) leave();
    const { masquerade, fullyRandom } = onward;
    return { masquerade, fullyRandom, local: this.input.node.isLocal(onward.dst >>> 0), mark: onward.mark >>> 0 };
  }

  /** From the routing decision after prerouting to the end. */
  private goOn(state: State): End {
    const route = this.input.node.route(state.dst >>> 0);
    for (const stage of route.local ? ways.prerouting.local : ways.prerouting.forward) {
      if (stage.kind !== "hook") continue;
      state.oif = stage.hook === "input" ? "" : route.oif;
      const end = this.passHook(stage.hook, state);
      if (end.kind === "stopped") return end;
      if (end.kind === "picked") leave();
    }
    return ACCEPT;
  }

  /** Passes the chains of a hook. What stands behind NAT in the hook where the destination changes must be nothing. */
  private passHook(hook: keyof Schedule, state: State): End {
    let ended: End = ACCEPT;
    for (const station of this.schedule[hook]) {
      if (station.kind === "chain" && ended !== ACCEPT) leave();
      const end = this.passStation(station, state);
      if (end.kind === "stopped") return end;
      if (end.kind === "picked" || end.kind === "translated") ended = end;
    }
    return ended;
  }

  private passStation(station: Station, state: State): End {
    if (station.kind === "conntrack") {
      state.tracked = true;
      return ACCEPT;
    }
    for (const base of station.kind === "nat" ? station.chains : [station.chain]) {
      const end = this.runChain(base.id, state);
      if (end.kind === "stopped" || end.kind === "translated" || end.kind === "picked") return end;
      if (end.kind === "through" && base.base!.policy === "drop") return { kind: "stopped", verdict: "drop", row: -1 };
    }
    return ACCEPT;
  }

  private runChain(chain: number, state: State): End {
    if (this.entered[chain]!++ === 0) this.enteredChains.push(chain);
    const { chainStart } = this.input.columns;
    const index = this.input.indexes[chain];
    const start = chainStart[chain]!;
    const end = chainStart[chain + 1]!;
    for (let row = start; row < end; row++) {
      if (index !== undefined) {
        row = start + index.nextForDestination(row - start, state.dst, state.protocol, state.dport);
        if (row >= end) break;
      }
      const pc = this.ask(row, state);
      if (pc < 0) continue;
      if (this.threshold >= 0) return this.pick(chain, row, end, state);
      if (this.open !== undefined) {
        this.markIf(pc, this.open, state);
        continue;
      }
      const ended = this.execute(row, pc, state);
      if (ended === "leave-chain") return THROUGH;
      if (ended.kind !== "through") return ended;
    }
    return THROUGH;
  }

  /**
   * Asks the tests of a row: -1 where one is false, else where in the code its actions begin. Leaves in `threshold` that of a
   * random test (else -1), and in `open` what depends on the source.
   */
  private ask(row: number, state: State): number {
    const { columns, node } = this.input;
    this.threshold = -1;
    this.open = undefined;
    if (((state.dst ^ columns.dst[2 * row]!) & columns.dst[2 * row + 1]!) !== 0) return -1;
    if (columns.more[row] === 1) {
      if (columns.protocol[row] !== 0 && columns.protocol[row] !== state.protocol) return -1;
      if (state.dport < columns.dportFirst[row]! || state.dport > columns.dportLast[row]!) return -1;
      if (columns.sportFirst[row] !== 0 || columns.sportLast[row] !== 0xffff) this.open = "more";
      const mask = columns.src[2 * row + 1]! | 0;
      if (mask !== 0) this.ask1({ value: columns.src[2 * row]! | 0, mask, negate: false });
    }
    const { code } = columns;
    for (let pc = columns.entry[row]!; ; pc += 4) {
      const a = code[pc + 1]!;
      const b = code[pc + 2]!;
      const negate = code[pc + 3] === 1;
      let answer: boolean;
      switch (code[pc]) {
        case Op.mark:
          if (state.marking >= 0) leave();
          answer = ((state.mark & b) === a) !== negate;
          break;
        case Op.state:
          answer = ((a & stateBits(state)) !== 0) !== negate;
          break;
        case Op.dst:
          answer = ((state.dst & b) === a) !== negate;
          break;
        case Op.protocol:
          answer = (state.protocol === a) !== negate;
          break;
        case Op.oif:
          answer = interfaceHolds(columns.interfaceTests[a]!, state.oif);
          break;
        case Op.dstLocal:
          answer = node.isLocal(state.dst >>> 0) !== negate;
          break;
        case Op.constant:
          answer = a === 1;
          break;
        case Op.random:
          if (negate || this.threshold >= 0) leave();
          this.threshold = a;
          continue;
        case Op.src:
          this.ask1({ value: a, mask: b, negate });
          continue;
        case Op.srcLocal:
        case Op.iif:
        case Op.flags:
          this.open = "more";
          continue;
        default:
          return pc;
      }
      if (!answer) return -1;
    }
  }

  private ask1(test: SourceTest): void {
    this.open = this.open === undefined ? test : "more";
  }

  /** A row that depends on the source: fine where all it does is nothing, or mark by one test of the address. */
  private markIf(pc: number, open: SourceTest | "more", state: State): void {
    const { code } = this.input.columns;
    if (code[pc] === Op.end) return;
    const marking = this.markingOf(pc);
    if (marking < 0 || open === "more") leave();
    const once = this.changeMark(marking, state.mark);
    if (this.changeMark(marking, once) !== once) leave();
    if (
      state.marking >= 0 &&
      (code[state.marking + 1] !== code[marking + 1] || code[state.marking + 2] !== code[marking + 2])
    )
      leave();
    state.marking = marking;
    if (!state.tests.some((known) => sameTest(known, open))) state.tests = [...state.tests, open];
  }

  /** Where the one thing the code does is to set the mark, by itself or through a chain of one row that does: that operation, else -1. */
  private markingOf(pc: number): number {
    const { code, chainStart, entry, more, dst } = this.input.columns;
    if (code[pc] === Op.setMark) return code[pc + 4] === Op.end ? pc : -1;
    if (code[pc] !== Op.jump) return -1;
    const chain = code[pc + 1]!;
    const row = chainStart[chain]!;
    if (chainStart[chain + 1] !== row + 1 || more[row] === 1 || dst[2 * row + 1] !== 0) return -1;
    return code[entry[row]!] === Op.setMark ? this.markingOf(entry[row]!) : -1;
  }

  private changeMark(pc: number, mark: number): number {
    const { code } = this.input.columns;
    return (mark & ~code[pc + 1]!) ^ code[pc + 2]!;
  }

  private execute(row: number, from: number, state: State): End | "leave-chain" {
    const { code } = this.input.columns;
    for (let pc = from; ; pc += 4) {
      const a = code[pc + 1]!;
      switch (code[pc]) {
        case Op.end:
          return THROUGH;
        case Op.setMark:
          if (state.marking >= 0) leave();
          state.mark = this.changeMark(pc, state.mark);
          break;
        case Op.accept:
          return ACCEPT;
        case Op.drop:
          return { kind: "stopped", verdict: "drop", row };
        case Op.reject:
          return { kind: "stopped", verdict: "reject", row };
        case Op.return:
          return "leave-chain";
        case Op.jump:
          return this.runChain(a, state);
        case Op.goto: {
          const end = this.runChain(a, state);
          return end.kind === "through" ? "leave-chain" : end;
        }
        case Op.dnat: {
          const port = code[pc + 2]! < 0 ? state.dport : code[pc + 2]!;
          if (a !== state.dst || port !== state.dport) state.status |= CtStatus.dnat;
          state.dst = a;
          state.dport = port;
          return TRANSLATED;
        }
        case Op.masquerade:
          state.masquerade = true;
          state.fullyRandom = a === 1;
          return TRANSLATED;
        default:
          leave();
      }
    }
  }

  /** A tail of rows that draw, each leading to a backend, and a last one that does not draw. */
  private pick(chain: number, from: number, end: number, state: State): End {
    if (this.entered[chain] !== 1) leave(); // a second visit draws by other names
    const branches: Branch[] = [];
    for (let row = from; row < end; row++) {
      const pc = this.ask(row, state);
      const { threshold } = this;
      if (pc < 0 || threshold === 0) continue;
      if (this.open !== undefined) leave();
      const branch: State = { ...state };
      const ended = this.execute(row, pc, branch);
      if (ended === "leave-chain" || ended.kind !== "translated") leave();
      if (threshold < 0) {
        branches.push({ threshold: CERTAIN, pick: undefined, state: branch });
        return { kind: "picked", branches, chain };
      }
      branches.push({ threshold, pick: this.input.resolved.rules[row], state: branch });
    }
    return leave();
  }
}

function sameTest(a: SourceTest, b: SourceTest): boolean {
  return a.value === b.value && a.mask === b.mask && a.negate === b.negate;
}

function stateBits(state: State): number {
  return state.tracked ? CtState.new | (state.status & CtStatus.dnat ? CtState.dnat : 0) : CtState.invalid;
}

/** Every {address, port, protocol} that some rule names, node ports at every address of the node: address -> protocol << 16 | port. */
function destinations({ resolved, columns, node }: FuseInput): Map<number, Set<number>> {
  const found = new Map<number, Set<number>>();
  const addKey = (address: number, key: number): void => {
    const held = found.get(address);
    if (held === undefined) found.set(address, new Set([key]));
    else held.add(key);
  };
  const local = node.addresses.filter((address) => typeof address === "number");
  for (let row = 0; row < resolved.rules.length; row++) {
    const port = columns.dportFirst[row]!;
    if (columns.protocol[row] === 0 || port !== columns.dportLast[row]) continue;
    const key = (columns.protocol[row]! << 16) | port;
    if (columns.dst[2 * row + 1] === 0) for (const address of local) addKey(address, key);
    else if (columns.dst[2 * row + 1] === 0xffffffff) addKey(columns.dst[2 * row]!, key);
  }
  return found;
}
