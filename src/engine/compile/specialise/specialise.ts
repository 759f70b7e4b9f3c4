/**
 * Specialise: for every destination that rules name exactly, the whole walk of a new connection worked out ahead of time; what is
 * known on the way is not tested again. What is left of it is little: tests of the source that mark the packet, rules that draw, each with its
 * backend, and what the chains behind NAT then do with each backend. A destination of which more is left than tables can hold is left to the
 * walk, so nothing here needs to be complete, only right.
 */
import type { Node } from "../../../packet/node.js";
import type { ResolvedChain, ResolvedRuleSet } from "../../../ruleset/resolve.js";
import { answerTo } from "../../answer.js";
import { type Schedule, schedule, type Station, ways } from "../../path.js";
import { DestinationClasses } from "../destination-classes.js";
import type { ServiceRecord, SourceTest } from "../services.js";
import { type DestinationKey, destinations } from "./destinations.js";
import { Follower, type FollowInput } from "./follow.js";
import { ACCEPT, type Branch, CERTAIN, type End, leave, LeaveToWalk, sameTest, type State } from "./state.js";

/** What happens to a packet for one destination, worked out. */
export interface Specialised {
  readonly record: ServiceRecord;
  /** Source tests each of which marks the packet, whatever backend is picked. */
  readonly tests: readonly SourceTest[];
  /** Empty where the destination stays. */
  readonly backends: readonly Backend[];
  /** Of the rules that draw, one a backend, of 2^31; 2^31 for the last. */
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

/** The results of the passes before this one. */
export interface SpecialiseInput extends FollowInput {
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
}

/** Works out every destination the rules name exactly. */
export function specialise(input: SpecialiseInput): Specialised[] {
  const specialiser = new Specialiser(input);
  return [...destinations(input)].flatMap((destination) => specialiser.one(destination) ?? []);
}

export class Specialiser {
  private readonly schedule: Schedule;
  private readonly follower: Follower;
  private classes: DestinationClasses;
  /** Fates of destinations that no rule after NAT names, by all that can still tell them apart, with the chains they depend on; without a fate: left to the walk. */
  private readonly fates = new Map<string, { readonly fate: Fate | undefined; readonly trail: readonly number[] }>();

  constructor(private readonly input: SpecialiseInput) {
    this.schedule = schedule(input.resolved, "ip");
    this.follower = new Follower(input);
    this.classes = new DestinationClasses(this.schedule);
  }

  /** The chains on which the answer of the last `one` depends: it stays the same as long as none of them changes. Some more than once. */
  get trail(): readonly number[] {
    return this.follower.trail;
  }

  /** Whether packets get to the chain after NAT. */
  standsBehindNat(chain: ResolvedChain): boolean {
    return this.classes.seen.has(chain);
  }

  /** Forgets what was worked out of the chains behind NAT: one of them has changed. */
  forget(): void {
    this.classes = new DestinationClasses(this.schedule);
    this.fates.clear();
  }

  /** Works out one destination; undefined where it is left to the walk. */
  one(destination: DestinationKey): Specialised | undefined {
    this.follower.start();
    try {
      return this.follow(destination);
    } catch (thrown) {
      if (thrown instanceof LeaveToWalk) return undefined;
      throw thrown;
    }
  }

  private follow({ address, protocol, port }: DestinationKey): Specialised {
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
      assumed: [],
    };
    const end = this.passHook("prerouting", state);
    const record = { address, port, protocol, picks: [], verdict: "accept" as const, routed: true };
    if (end.kind === "picked") {
      const picks = end.branches.flatMap((branch) => branch.pick ?? []);
      return this.settle({ ...record, picks, chain: end.chain.name }, end.branches);
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
  private settle(record: ServiceRecord, branches: readonly Branch[]): Specialised {
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
        marked: this.fate(state, marking < 0 ? mark : this.follower.changeMark(marking, mark)),
      });
    }
    const thresholds = branches.map((branch) => branch.threshold);
    const marks = { markUnmarked: backends[0]!.unmarked.mark, markMarked: backends[0]!.marked.mark };
    if (backends.some((b) => b.unmarked.mark !== marks.markUnmarked || b.marked.mark !== marks.markMarked)) leave();
    return { record, tests: common!, backends, thresholds, ...marks };
  }

  private fixed(record: ServiceRecord, end: Extract<End, { kind: "stopped" }>, state: State): Specialised {
    const by = end.row < 0 ? undefined : this.input.columns.rules[end.row];
    const last = by?.rule.statements.at(-1);
    const stop = {
      verdict: end.verdict,
      ...(by === undefined ? {} : { by }),
      ...(last?.kind === "reject" ? { rejectWith: answerTo("ip", last.with) } : {}),
    };
    const marks = { markUnmarked: state.mark >>> 0, markMarked: state.mark >>> 0 };
    return { record: { ...record, ...stop }, tests: [], backends: [], thresholds: [], ...marks };
  }

  private fate(state: State, mark: number): Fate {
    const { node } = this.input;
    const address = state.dst >>> 0;
    if (this.classes.names(address, state.dport)) return this.findFate(state, mark);
    const key = `${node.route(address).oif} ${node.addressType(address)} ${state.protocol} ${state.status} ${mark}`;
    let known = this.fates.get(key);
    if (known === undefined) {
      const own = this.follower.trail.length;
      let fate: Fate | undefined;
      try {
        fate = this.findFate(state, mark);
      } catch (thrown) {
        if (!(thrown instanceof LeaveToWalk)) throw thrown;
      }
      this.fates.set(key, (known = { fate, trail: [...new Set(this.follower.trail.slice(own))] }));
    } else for (const chain of known.trail) this.follower.trail.push(chain);
    return known.fate ?? leave();
  }

  private findFate(state: State, mark: number): Fate {
    const onward: State = { ...state, mark, marking: -1, tests: [], assumed: [] };
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
      const end = this.follower.followBase(base, state);
      if (end.kind !== "accept") return end;
    }
    return ACCEPT;
  }
}
