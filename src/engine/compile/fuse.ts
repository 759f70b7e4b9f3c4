/**
 * Fuse: for every destination that rules name exactly, the whole walk of a new connection worked out ahead of time, as far as
 * it does not depend on the source: which backends are picked with which probability, which tests of the source mark the packet,
 * and what the filter and postrouting chains then do with each backend. What fits the service tables goes into them; any
 * destination that does not is left to the walk, so nothing here needs to be complete, only right.
 */
import { CtStatus } from "../../packet/connection.js";
import type { Node } from "../../packet/node.js";
import { hasPorts } from "../../packet/protocol.js";
import type { ResolvedChain, ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { AddressMatch, Match, SetMarkAction, Statement } from "../../ruleset/types.js";
import { type Schedule, schedule, type Stage, type Station, ways } from "../path.js";
import { isHost, isPure } from "./head.js";
import { answerOf, type Known } from "./known.js";
import type { Columns } from "./columns.js";
import { DestinationClasses } from "./destination-classes.js";
import type { ChainIndex } from "./partition.js";
import type { ServiceRecord } from "./services.js";

/** What happens to a packet for one destination, worked out. */
export interface Service {
  readonly record: ServiceRecord;
  /** Source tests each of which marks the packet, whatever backend is picked. */
  readonly tests: readonly AddressMatch[];
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
  readonly hairpin: boolean;
  readonly unmarked: Fate;
  readonly marked: Fate;
}

/** How an accepted packet leaves. */
export interface Fate {
  readonly masquerade: boolean;
  readonly fullyRandom: boolean;
  readonly local: boolean;
  readonly mark: number;
}

/** Thrown where the walk depends on what the tables cannot hold; the destination is then left to the walk. */
class LeaveToWalk extends Error {}

function leave(): never {
  throw leaving;
}
const leaving = new LeaveToWalk();

/** A mark that depends on the source. */
interface Marking {
  readonly tests: AddressMatch[];
  action: SetMarkAction | undefined;
}

interface State extends Known {
  /** Tests so far that mark the packet, while its mark is that of a packet no test marked. */
  readonly marking: Marking;
  settled: boolean;
  masquerade: boolean;
  fullyRandom: boolean;
}

interface Branch {
  readonly threshold: number;
  readonly pick: ResolvedRule | undefined;
  readonly state: State;
}

type End =
  | { readonly kind: "through" }
  | { readonly kind: "accept" }
  | { readonly kind: "translated" }
  | {
      readonly kind: "stopped";
      readonly verdict: "drop" | "reject";
      readonly by?: ResolvedRule;
      readonly rejectWith?: string;
    }
  | { readonly kind: "picked"; readonly branches: readonly Branch[]; readonly chain: string };

/** How often each chain was entered since the base chain. */
type Entered = Map<ResolvedChain, number>;

const THROUGH: End = { kind: "through" };
const ACCEPT: End = { kind: "accept" };
const TRANSLATED: End = { kind: "translated" };

/** What fusing starts from: the results of the passes before it. */
export interface FuseInput {
  readonly resolved: ResolvedRuleSet;
  readonly columns: Columns;
  readonly indexes: readonly (ChainIndex | undefined)[];
  readonly node: Node;
}

export class Fuser {
  private readonly schedule: Schedule;

  private readonly indexes: FuseInput["indexes"];
  private readonly node: Node;
  private readonly classes: DestinationClasses;
  /** Fates of destinations that no rule after NAT names, by all that can still tell them apart. */
  private readonly fates = new Map<string, Fate>();

  // What `ask` found besides its answer.
  private draws: number | undefined;
  private open: Match | "several" | undefined;

  constructor(private readonly input: FuseInput) {
    this.schedule = schedule(input.resolved, "ip");
    this.indexes = input.indexes;
    this.node = input.node;
    this.classes = new DestinationClasses(this.schedule);
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
    }
  }

  private follow(address: number, protocol: number, port: number): Service {
    const state: State = {
      protocol,
      dst: address,
      dport: port,
      mark: 0,
      status: 0,
      tracked: false,
      iif: undefined,
      oif: "",
      marking: { tests: [], action: undefined },
      settled: false,
      masquerade: false,
      fullyRandom: false,
    };
    const ended = this.passHook("prerouting", state);
    const record = { address, port, protocol, picks: [], verdict: "accept" as const, routed: true };
    switch (ended.kind) {
      case "picked": {
        const { branches, chain } = ended;
        const picks = branches.flatMap((branch) => branch.pick ?? []);
        return this.settle({ ...record, picks, chain }, state.marking, branches);
      }
      case "translated":
        return this.settle(record, { tests: [], action: undefined }, [{ threshold: 2 ** 31, pick: undefined, state }]);
      case "stopped":
        return fixed({ ...record, ...stopOf(ended), routed: false }, state);
      default: {
        // The destination stays: only a verdict that holds for every source fits the tables.
        if (state.marking.tests.length > 0) leave();
        const end = this.goOn(state);
        if (end.kind === "stopped") return fixed({ ...record, ...stopOf(end) }, state);
        return leave();
      }
    }
  }

  /** Follows each backend to the end of its way, unmarked and marked. */
  private settle(record: ServiceRecord, common: Marking, branches: readonly Branch[]): Service {
    let backends: Backend[] = [];
    for (const { state } of branches) {
      const own = state.marking.tests.slice(common.tests.length);
      if (own.some((test) => !isHost(test) || test.negate || test.value !== state.dst)) leave();
      backends.push({
        address: state.dst,
        port: state.dport,
        hairpin: own.length > 0,
        unmarked: this.fate(state, state.mark),
        marked: this.fate(
          state,
          state.marking.action === undefined ? state.mark : apply(state.marking.action, state.mark),
        ),
      });
    }
    const thresholds = branches.map((branch) => branch.threshold);
    const marks = { markUnmarked: backends[0]!.unmarked.mark, markMarked: backends[0]!.marked.mark };
    if (backends.some((b) => b.unmarked.mark !== marks.markUnmarked || b.marked.mark !== marks.markMarked)) leave();
    return { record, tests: common.tests, backends, thresholds, ...marks };
  }

  private fate(state: State, mark: number): Fate {
    const { node, classes } = this;
    if (classes.names(state.dst, state.dport)) return this.findFate(state, mark);
    const route = node.route(state.dst);
    const key = `${route.oif} ${node.addressType(state.dst)} ${state.protocol} ${state.status} ${mark}`;
    let fate = this.fates.get(key);
    if (fate === undefined) this.fates.set(key, (fate = this.findFate(state, mark)));
    return fate;
  }

  private findFate(state: State, mark: number): Fate {
    const onward: State = { ...state, mark, marking: { tests: [], action: undefined } };
    const end = this.goOn(onward);
    if (end.kind === "stopped" || onward.marking.tests.length > 0) leave();
    return {
      masquerade: onward.masquerade,
      fullyRandom: onward.fullyRandom,
      local: this.node.isLocal(onward.dst),
      mark: onward.mark,
    };
  }

  /** From the routing decision after prerouting to the end. */
  private goOn(state: State): End {
    const route = this.node.route(state.dst);
    const stages: readonly Stage[] = route.local ? ways.prerouting.local : ways.prerouting.forward;
    for (const stage of stages) {
      if (stage.kind !== "hook") continue;
      state.oif = stage.hook === "input" ? "" : route.oif;
      const end = this.passHook(stage.hook, state);
      if (end.kind === "stopped") return end;
      if (end.kind === "picked") leave();
    }
    return ACCEPT;
  }

  /** Passes the chains of a hook. A pick ends it: what stands behind NAT in the same hook must be nothing. */
  private passHook(hook: keyof Schedule, state: State): End {
    let ended: End = ACCEPT;
    for (const station of this.schedule[hook]) {
      if (station.kind === "chain" && (ended.kind === "picked" || ended.kind === "translated")) leave();
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
      const end = this.runChain(base, state, new Map());
      if (end.kind === "stopped" || end.kind === "translated" || end.kind === "picked") return end;
      if (end.kind === "through" && base.base!.policy === "drop") return { kind: "stopped", verdict: "drop" };
    }
    return ACCEPT;
  }

  private runChain(chain: ResolvedChain, state: State, entered: Entered): End {
    entered.set(chain, (entered.get(chain) ?? 0) + 1);
    const index = this.indexes[chain.id];
    for (let i = 0; i < chain.rules.length; i++) {
      if (index !== undefined) i = index.nextForDestination(i, state.dst, state.protocol, state.dport);
      const rule = chain.rules[i];
      if (rule === undefined) break;
      const actions = this.ask(rule, state);
      if (actions < 0) continue;
      if (this.draws !== undefined) return this.pick(chain, i, state, entered);
      if (this.open !== undefined) {
        this.markIf(rule, this.open, actions, state);
        continue;
      }
      const end = this.execute(rule, actions, state, entered);
      if (end === "return" || end === "goto") return THROUGH;
      if (end.kind !== "through") return end;
    }
    return THROUGH;
  }

  /**
   * Asks the matches of a rule: -1 where one is false, else the index of the statement where actions begin. Leaves in `draws`
   * the threshold of a random match, and in `open` the one match that depends on the source, where there are such.
   */
  private ask(rule: ResolvedRule, state: State): number {
    const { statements } = rule.rule;
    this.draws = undefined;
    this.open = undefined;
    let i = 0;
    for (; i < statements.length; i++) {
      const statement = statements[i]!;
      if (statement.kind === "random" && !statement.negate && this.draws === undefined)
        this.draws = statement.threshold;
      else if (isPure(statement)) {
        if (statement.kind === "mark" && state.marking.action !== undefined) leave();
        const answer = answerOf(statement, state, this.node);
        if (answer === false) return -1;
        if (answer === undefined) this.open = this.open === undefined ? statement : "several";
      } else break;
    }
    return i;
  }

  /** A rule that depends on the source: fine where all it does is mark, by one test of the address. */
  private markIf(rule: ResolvedRule, test: Match | "several", from: number, state: State): void {
    const rest = rule.rule.statements.slice(from);
    if (rest.every((statement) => statement.kind === "log")) return;
    const action = markingOf(rule, rest);
    if (action === undefined || test === "several" || test.kind !== "address" || test.field !== "saddr") leave();
    if (typeof test.value !== "number") leave();
    const { marking } = state;
    if (apply(action, apply(action, state.mark)) !== apply(action, state.mark)) leave();
    if (marking.action !== undefined && (marking.action.clear !== action.clear || marking.action.xor !== action.xor))
      leave();
    marking.action = action;
    if (!marking.tests.some((known) => sameTest(known, test))) marking.tests.push(test);
  }

  private execute(rule: ResolvedRule, from: number, state: State, entered: Entered): End | "return" | "goto" {
    const { statements } = rule.rule;
    for (let i = from; i < statements.length; i++) {
      const statement = statements[i]!;
      switch (statement.kind) {
        case "log":
          break;
        case "set-mark":
          if (statement.field !== "mark" || state.marking.action !== undefined) leave();
          state.mark = apply(statement, state.mark);
          break;
        case "accept":
          return ACCEPT;
        case "drop":
          return { kind: "stopped", verdict: "drop", by: rule };
        case "reject":
          return { kind: "stopped", verdict: "reject", by: rule, rejectWith: statement.with };
        case "return":
          return "return";
        case "jump":
        case "goto": {
          if (rule.target === undefined) leave();
          const end = this.runChain(rule.target, state, entered);
          return statement.kind === "goto" && end.kind === "through" ? "goto" : end;
        }
        case "dnat": {
          const { addresses, ports } = statement.to;
          if (addresses === undefined || typeof addresses[0] !== "number" || addresses[0] !== addresses[1]) leave();
          if (ports !== undefined && (ports[0] !== ports[1] || !hasPorts(state.protocol))) leave();
          const port = ports === undefined ? state.dport : ports[0];
          if (addresses[0] !== state.dst || port !== state.dport) state.status |= CtStatus.dnat;
          state.dst = addresses[0];
          state.dport = port;
          return TRANSLATED;
        }
        case "masquerade":
          if (statement.to.ports !== undefined || statement.to.random === true) leave();
          state.masquerade = true;
          state.fullyRandom = statement.to.fullyRandom === true;
          return TRANSLATED;
        default:
          leave();
      }
    }
    return THROUGH;
  }

  /** A tail of rules that draw, each leading to a backend, and a last one that does not draw. */
  private pick(chain: ResolvedChain, from: number, state: State, entered: Entered): End {
    if (entered.get(chain) !== 1) leave(); // a second visit draws by other names
    const branches: Branch[] = [];
    for (let i = from; i < chain.rules.length; i++) {
      const rule = chain.rules[i]!;
      const actions = this.ask(rule, state);
      const { draws } = this;
      if (actions < 0) continue;
      if (this.open !== undefined) leave();
      const marking = { tests: [...state.marking.tests], action: state.marking.action };
      const branch: State = { ...state, marking };
      if (draws === 0) continue;
      const end = this.execute(rule, actions, branch, entered);
      if (end === "return" || end === "goto" || end.kind !== "translated") leave();
      const certain = draws === undefined || draws >= 2 ** 31;
      branches.push({ threshold: certain ? 2 ** 31 : draws, pick: certain ? undefined : rule, state: branch });
      if (draws === undefined) return { kind: "picked", branches, chain: chain.name };
      if (certain) leave();
    }
    return leave();
  }
}

function stopOf(end: Extract<End, { kind: "stopped" }>): Pick<ServiceRecord, "verdict" | "by" | "rejectWith"> {
  const { kind: _kind, ...stop } = end;
  return stop;
}

function fixed(record: ServiceRecord, state: State): Service {
  if (state.marking.tests.length > 0) leave();
  return { record, tests: [], backends: [], thresholds: [], markUnmarked: state.mark, markMarked: state.mark };
}

function apply(action: SetMarkAction, mark: number): number {
  return ((mark & ~action.clear) ^ action.xor) >>> 0;
}

function sameTest(a: AddressMatch, b: AddressMatch): boolean {
  return a.value === b.value && a.mask === b.mask && a.negate === b.negate;
}

/** The one thing a rule does, where that is to set the mark, by itself or through a chain of unconditional rules that do. */
function markingOf(rule: ResolvedRule, rest: readonly Statement[]): SetMarkAction | undefined {
  const statement = rest.find((each) => each.kind !== "log");
  if (statement === undefined || rest.filter((each) => each.kind !== "log").length !== 1) return undefined;
  if (statement.kind === "set-mark") return statement.field === "mark" ? statement : undefined;
  if (statement.kind !== "jump" || rule.target === undefined || rule.target.rules.length !== 1) return undefined;
  const only = rule.target.rules[0]!;
  const inner = only.rule.statements.filter((each) => each.kind !== "comment");
  return inner.length === 1 ? markingOf(only, inner) : undefined;
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
