/**
 * What a walk asks of a packet, recorded. Every test a rule makes of a field that is still the packet's own becomes a question: a
 * dimension, and the set of its atoms that give the answer this packet gave. All packets that agree on all questions fare alike.
 */
import type { Address } from "../../packet/address.js";
import { Node, type Route, type AddressType } from "../../packet/node.js";
import { prefixLength } from "../../packet/prefix.js";
import { hasPorts } from "../../packet/protocol.js";
import type { AddressTest, ConntrackMatch, Match, PortRange, PortTest } from "../../ruleset/types.js";
import { type Evaluate, interfaceHolds, type MatchTable } from "../evaluate.js";
import { actions } from "../execute.js";
import type { Semantics } from "../machine.js";
import type { Walk } from "../walk.js";
import { has, interval, type IntervalSet, subtract, unite } from "./interval-set.js";
import { type Dimension, FLAGS, PORTS, PROTOCOLS, addressNumber, type Space } from "./space.js";

export interface Question {
  readonly dimension: Dimension;
  /** The atoms that give the same answer as the packet that was walked. */
  readonly set: IntervalSet;
}

/** A rule set whose tests do not cut the space into boxes. */
export class Entangled extends Error {}

/** The packet that is walked, as atoms. */
export type Point = Readonly<Record<Dimension, number>>;

/** Collects the questions of a walk and its branches, and settles what depends on state. */
export class Recorder {
  readonly questions: Question[] = [];
  /** Answers to tests of state and opaque matches, by statement: what is not there is false, and is noted. */
  readonly asked = new Map<string, boolean>();

  constructor(
    readonly space: Space,
    readonly point: Point,
    private readonly bits: ReadonlyMap<string, boolean>,
  ) {}

  /** Asks whether the point is in a set of atoms. */
  ask(dimension: Dimension, holds: IntervalSet, size: number): boolean {
    const answer = has(holds, this.point[dimension]);
    this.questions.push({ dimension, set: answer ? holds : subtract(interval(0, size - 1), holds) });
    return answer;
  }

  /** The answer to what cannot be told from the packet. */
  bit(name: string): boolean {
    const answer = this.bits.get(name) ?? false;
    this.asked.set(name, answer);
    return answer;
  }
}

const ports = (ranges: readonly PortRange[]): IntervalSet => unite(ranges);
const negated = (set: IntervalSet, size: number, negate: boolean): IntervalSet =>
  negate ? subtract(interval(0, size - 1), set) : set;

/** The matches of the kernel, each asking the recorder where it looks at the packet's own fields. */
export function recordingSemantics(base: Semantics, recorder: Recorder): Semantics {
  const { space } = recorder;
  const { addresses } = space;

  const askAddress = (end: "src" | "dst", set: IntervalSet): boolean => recorder.ask(end, set, addresses.atoms);
  const addressSet = (test: Pick<AddressTest, "value" | "mask" | "negate">): IntervalSet => {
    const length = prefixLength(test.mask);
    if (length < 0) throw new Entangled("a rule compares address bits that are no prefix");
    if ((typeof test.value === "number") !== (space.family === "ip")) return negated([], addresses.atoms, test.negate);
    const first = addressNumber(test.value);
    const last = first + (1n << (addresses.bits - BigInt(length))) - 1n;
    return negated(addresses.range(first, last), addresses.atoms, test.negate);
  };
  /** Whether an end of the tuple is still what the packet came with. */
  const own = (walk: Walk, field: "src" | "dst" | "sport" | "dport"): boolean =>
    String(walk[field]) === String(walk.packet[field]);
  const askPort = (walk: Walk, end: "sport" | "dport", test: PortTest | undefined): boolean => {
    if (test === undefined) return true;
    const set = negated(ports(test.ranges), PORTS, test.negate);
    return own(walk, end) ? recorder.ask(end, set, PORTS) : has(set, walk[end]);
  };
  const askProtocol = (set: IntervalSet): boolean => recorder.ask("protocol", set, PROTOCOLS);
  const portProtocols = unite([...Array(PROTOCOLS).keys()].filter(hasPorts).map((p) => [p, p] as const));

  const matches: { -readonly [K in keyof MatchTable]: MatchTable[K] } = { ...base.matches };
  const bit: Evaluate<Match> = (m, walk, place) => {
    const answer = recorder.bit(`${place.rule}.${place.statement}`);
    if (m.kind !== "opaque-match" && m.kind !== "set") {
      walk.view.change({ kind: "nth", rule: place.rule, statement: place.statement, count: Number(answer) });
    }
    return answer;
  };
  Object.assign(matches, { nth: bit, recent: bit, limit: bit, set: bit, mac: bit, lookup: bit, "opaque-match": bit });

  matches.address = (m, walk) => {
    const end = m.field === "saddr" ? "src" : "dst";
    return own(walk, end) ? askAddress(end, addressSet(m)) : base.matches.address(m, walk, undefined as never) === true;
  };
  matches["address-range"] = (m, walk) => {
    const end = m.field === "saddr" ? "src" : "dst";
    if (!own(walk, end)) return base.matches["address-range"](m, walk, undefined as never) === true;
    const set = addresses.range(addressNumber(m.first), addressNumber(m.last));
    return askAddress(end, negated(set, addresses.atoms, m.negate));
  };
  matches.interface = (m, walk) => {
    if (m.field === "oif" || walk.packet.entrance === "output" || walk.iif !== walk.packet.iif)
      return interfaceHolds(m, walk[m.field]);
    const set = unite(space.interfaces.flatMap((name, i) => (interfaceHolds(m, name) ? [[i, i] as const] : [])));
    return recorder.ask("iif", set, space.interfaces.length);
  };
  matches.protocol = (m) => askProtocol(negated([m.protocol, m.protocol], PROTOCOLS, m.negate));
  matches.transport = (m, walk) => {
    if (!askProtocol(m.protocol === null ? portProtocols : [m.protocol, m.protocol])) return false;
    if (!askPort(walk, "sport", m.sport) || !askPort(walk, "dport", m.dport)) return false;
    if (m.flags === undefined) return true;
    const { mask, value, negate } = m.flags;
    const set = unite(
      [...Array(FLAGS).keys()].flatMap((f) => (((f & mask) === value) !== negate ? [[f, f] as const] : [])),
    );
    return recorder.ask("flags", set, FLAGS);
  };
  matches.multiport = (m, walk) => {
    if (!askProtocol(portProtocols)) return false;
    const set = ports(m.ranges);
    const inEnd = (end: "sport" | "dport"): boolean =>
      own(walk, end) ? recorder.ask(end, set, PORTS) : has(set, walk[end]);
    const hit = (m.side !== "destination" && inEnd("sport")) || (m.side !== "source" && inEnd("dport"));
    return hit !== m.negate;
  };
  matches.icmp = (m, walk) => {
    if (!askProtocol([m.protocol, m.protocol])) return false;
    if (m.protocol === 1 && m.type === 255) return !m.negate;
    const set = interval((m.type << 8) | m.codes[0], (m.type << 8) | m.codes[1]);
    return askPort(walk, "dport", { ranges: [set as unknown as PortRange], negate: m.negate });
  };
  matches.mark = (m, walk, place) => {
    if (m.field === "ctmark") return base.matches.mark(m, walk, place) === true;
    const [zeros, ones] = walk.shadowMark ?? [0, 0xffffffff];
    const markOf = (initial: number): number => ((initial & (zeros ^ ones)) ^ zeros) >>> 0;
    const set = unite(
      space.marks.flatMap((initial, i) =>
        ((markOf(initial) & m.mask) >>> 0 === m.value) !== m.negate ? [[i, i] as const] : [],
      ),
    );
    return recorder.ask("mark", set, space.marks.length);
  };
  matches.conntrack = (m, walk, place) => {
    const { kind, module, state, status, ...tuples } = m;
    const plain: ConntrackMatch = { kind, module, ...(state && { state }), ...(status && { status }) };
    if (state !== undefined || status !== undefined) {
      if (base.matches.conntrack(plain, walk, place) !== true) return false;
    }
    const seen = walk.seenConnection();
    if (seen?.original === undefined)
      return Object.keys(tuples).length === 0 || base.matches.conntrack(m, walk, place) === true;
    const { original, reply } = seen;
    const same = (a: Address, b: Address): boolean => String(a) === String(b);
    const askTest = (test: AddressTest | undefined, address: Address | undefined): boolean => {
      if (test === undefined) return true;
      let held = true;
      let answered = false;
      for (const end of ["src", "dst"] as const) {
        if (address !== undefined && same(address, walk.packet[end])) {
          held = askAddress(end, addressSet(test));
          answered = true;
        }
      }
      return answered ? held : base.matches.conntrack({ kind, module, replySource: test }, walk, place) === true;
    };
    if (!askTest(m.originalSource, original.src) || !askTest(m.originalDestination, original.dst)) return false;
    if (!askTest(m.replySource, reply?.src) || !askTest(m.replyDestination, reply?.dst)) return false;
    if (
      m.protocol !== undefined &&
      !askProtocol(negated([m.protocol.protocol, m.protocol.protocol], PROTOCOLS, m.protocol.negate))
    )
      return false;
    const portTests = [
      [m.originalSourcePort, original.sport],
      [m.originalDestinationPort, original.dport],
      [m.replySourcePort, reply?.sport],
      [m.replyDestinationPort, reply?.dport],
    ] as const;
    for (const [test, port] of portTests) {
      if (test === undefined || port === undefined) continue;
      const set = negated(ports(test.ranges), PORTS, test.negate);
      for (const end of ["sport", "dport"] as const) if (port === walk.packet[end]) recorder.ask(end, set, PORTS);
      if (!has(set, port)) return false;
    }
    return m.direction === undefined || m.direction === seen.direction;
  };

  return {
    matches,
    verdicts: base.verdicts,
    actions: {
      ...base.actions,
      "set-mark": (action, walk, place) => {
        if (action.field === "mark") {
          const [zeros, ones] = walk.shadowMark ?? [0, 0xffffffff];
          const change = (mark: number): number => ((mark & ~action.clear) ^ action.xor) >>> 0;
          walk.shadowMark = [change(zeros), change(ones)];
        }
        return base.actions["set-mark"](action, walk, place);
      },
      "copy-mark": (action, walk, place) => {
        if (action.direction === "save") throw new Entangled("a rule saves the packet mark in the connection");
        const next = actions["copy-mark"](action, walk, place);
        const [zeros, ones] = walk.shadowMark ?? [0, 0xffffffff];
        const change = (mark: number): number => ((mark & ~action.nfmask) ^ (walk.ctmark & action.ctmask)) >>> 0;
        walk.shadowMark = [change(zeros), change(ones)];
        return next;
      },
    },
  };
}

/** A node that records what is asked of the packet's own addresses: routing and address types. */
export class RecordingNode extends Node {
  recorder: Recorder | undefined;
  private readonly routeClasses: ReadonlyMap<string, IntervalSet>;
  private readonly typeClasses: ReadonlyMap<string, IntervalSet>;

  constructor(
    private readonly of: Node,
    private readonly space: Space,
  ) {
    super(of.addresses, of.routes);
    const classes = (label: (address: Address) => string): Map<string, IntervalSet> => {
      const parts = new Map<string, [number, number][]>();
      for (let atom = 0; atom < space.addresses.atoms; atom++) {
        const name = label(space.addresses.first(atom));
        const list = parts.get(name) ?? [];
        const last = list[list.length - 1];
        if (last !== undefined && last[1] === atom - 1) last[1] = atom;
        else list.push([atom, atom]);
        parts.set(name, list);
      }
      return new Map([...parts].map(([name, list]) => [name, unite(list)]));
    };
    this.routeClasses = classes((address) => routeLabel(of.route(address)));
    this.typeClasses = classes((address) => of.addressType(address));
  }

  override route(destination: Address): Route {
    const route = this.of.route(destination);
    // The recorder is absent while the classes are made.
    this.note(destination, this.routeClasses?.get(routeLabel(route)));
    return route;
  }

  override addressType(address: Address): AddressType {
    const type = this.of.addressType(address);
    this.note(address, this.typeClasses?.get(type));
    return type;
  }

  private note(address: Address, set: IntervalSet | undefined): void {
    const { recorder, space } = this;
    if (recorder === undefined || set === undefined) return;
    const atom = space.addresses.atomOf(address);
    for (const end of ["src", "dst"] as const) {
      if (atom === recorder.point[end]) recorder.questions.push({ dimension: end, set });
    }
  }
}

const routeLabel = (route: Route): string => `${route.local} ${route.oif} ${String(route.local ? "" : route.source)}`;
